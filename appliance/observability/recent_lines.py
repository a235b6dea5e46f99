"""The last lines of the log, kept in memory for the operators' page: what every log line may hold."""

import json
import logging
from collections import deque
from typing import Any, Final

from appliance.observability.logging import JsonFormatter

LINES: Final = 200
_MOST_CHARACTERS: Final = 2_000
"""Of one message or stack: a line is for reading, the whole of it is in the journal."""


class RecentLines(logging.Handler):
    """Keeps the last lines; hang it into the root logger."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[dict[str, Any]] = deque(maxlen=LINES)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        try:
            line: dict[str, Any] = json.loads(self.format(record))
        except Exception:  # as every handler: what cannot be logged stops nobody
            self.handleError(record)
            return
        line.pop("event", None)
        self._lines.append({name: str(value)[:_MOST_CHARACTERS] for name, value in line.items()})

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines, oldest first: `timestamp`, `level`, `category`, `message` and the rest."""
        return list(self._lines)
