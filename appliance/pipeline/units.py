"""The units that answers are metered in: text records, and whole seconds of audio."""

import math
from typing import Final

TEXT_RECORD: Final = 1_000
"""Text elements in one text record."""

_EXACT: Final = 1e-6  # seconds; sums of sample counts are exact, quotients of them nearly


def text_records(text_elements: int) -> int:
    """Text records a document of that many text elements is metered as: at least one."""
    return max(1, -(-text_elements // TEXT_RECORD))


def whole_seconds(seconds: float) -> int:
    """Seconds, rounded up."""
    return math.ceil(seconds - _EXACT) if seconds > 0 else 0
