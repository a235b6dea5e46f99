"""What is known of a transcript that was made, and whether it need not be made again.

Beside the transcripts, in `.transcribe/`, lies a small file for each. It is written when the usage is durable
and before the transcript gets its name. So the transcript is complete, and of this recording, exactly if its
SHA-256 is the one that stands there.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum, auto
from typing import Any, Final

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a transcript is made of.

    Attributes:
        bytes: Size of the recording.
        sha256: Digest of the recording, in hex.
        model: Name, release and digest of the model.
        options: Whatever else changes the transcript.
    """

    bytes: int
    sha256: str
    model: Mapping[str, Any]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A transcript that was made.

    Attributes:
        source: What of.
        sha256: Digest of the transcript, in hex.
        replaces: Digest of the one that it replaces, or the empty string.
        seconds: Seconds of audio that were counted.
        record: Where its usage record stands, as the header `Usage-Record` says it.
    """

    source: Source
    sha256: str
    replaces: str = ""
    seconds: int
    record: str

    def to_json(self) -> bytes:
        """Return it as a file's content."""
        return f"{json.dumps({'format': FORMAT, **asdict(self)}, ensure_ascii=False, indent=1)}\n".encode()


def from_json(content: bytes) -> Made | None:
    """Read what `Made.to_json` wrote; None if it is anything else."""
    try:
        fields = json.loads(content)
        if fields.pop("format") != FORMAT:
            return None
        return Made(**{**fields, "source": Source(**fields["source"])})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class State(Enum):
    """What there is of a transcript, and so what becomes of it."""

    MISSING = auto()
    """It is made."""
    DONE = auto()
    """Complete, and of the same recording, model and options: it is not made and not counted again."""
    OUTDATED = auto()
    """Of another recording, model or other options, and as it was made: it is made again and replaced."""
    CHANGED = auto()
    """Somebody changed it: it is left alone."""
    FOREIGN = auto()
    """It was not made here: it is left alone."""


def state(made: Made | None, *, present: str, source: Source) -> State:
    """Say what there is of a transcript.

    Args:
        made: What is known of it.
        present: Digest of the file that lies in its place; empty if there is none.
        source: What it would be made of now.
    """
    if not present:
        return State.MISSING
    if made is None:
        return State.FOREIGN
    if present == made.sha256:
        return State.DONE if made.source == source else State.OUTDATED
    return State.OUTDATED if present == made.replaces else State.CHANGED
