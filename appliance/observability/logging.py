"""Where log lines go: the journal with priorities, a terminal with time and level, or JSON, also on disk.

Levels are named as the containers name them. No line ever holds document text, keys or licence contents. An
exception's own message might, when a library quotes what it was given: of a traceback only the types and the
lines of code are logged.
"""

import json
import logging
import os
import sys
import time
import traceback
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from appliance.errors import OutputError
from appliance.host.systemd import JournalFormatter, is_journal
from appliance.request_ids import request_id

LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
DISK_DIRECTORY: Final = "logs"
DISK_FILE: Final = "customner.json"
FILES_KEPT: Final = 10
"""Files of the disk log: the one that is written, and those before it."""

_NAMES: Final = (
    (logging.CRITICAL, "Critical"),
    (logging.ERROR, "Error"),
    (logging.WARNING, "Warning"),
    (logging.INFO, "Information"),
)
_MIB: Final = 1024 * 1024

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _NoMessages(logging.Formatter):
    """Logs where something was raised and of what type, not what it said."""

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 (logging's name)
        """Return the types of an exception and its causes, each with its lines of code."""
        return stack_text(ei[1])


class _Terminal(_NoMessages):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")


class _Journal(JournalFormatter, _NoMessages):
    """As for the journal, without the messages of exceptions."""


class JsonFormatter(_NoMessages):
    """One JSON object a line.

    `timestamp` (UTC), `level`, `category`, `message`, `event` (the message before its values were filled in,
    so that equal events are equal), `requestId` where there is one, `exception` where something was raised.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "timestamp": f"{seconds}.{int(record.msecs):03}Z",
            "level": next((name for level, name in _NAMES if record.levelno >= level), "Debug"),
            "category": record.name,
            "message": record.getMessage(),
            "event": str(record.msg),
        }
        if identifier := request_id.get():
            line["requestId"] = identifier
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _DiskHandler(RotatingFileHandler):
    """Private files; a disk that is full or gone is said once on standard error, not for each line."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._reported = False
        super().__init__(path, maxBytes=max_bytes, backupCount=FILES_KEPT - 1, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 (logging's name)
        """Say once that the log on disk has gaps; the service goes on."""
        if not self._reported:
            self._reported = True
            error = sys.exc_info()[1]
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            sys.stderr.write(f"the log on disk cannot be written: {reason}\n")


def _is_no_refused_upgrade(record: logging.LogRecord) -> bool:
    """Leave out what uvicorn calls an error: that a request for a WebSocket was answered with a refusal."""
    return "without completing handshake" not in str(record.msg)


def configure(level: str, console_level: str, *, console_format: str = "simple") -> None:
    """Send this process's log to standard error.

    Args:
        level: Least level logged, by its container name in lower case.
        console_level: Least level on the console, or empty for the same.
        console_format: `simple`, or `json` for one JSON object a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(LEVELS[console_level or level])
    if console_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(_Journal() if is_journal(sys.stderr) else _Terminal())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    # Access lines would say who asked when; the ledger and the metrics say what operators need.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL + 1)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_no_refused_upgrade)


def add_disk(directory: Path, *, max_file_mib: int) -> None:
    """Log to files as well, one JSON object a line.

    Args:
        directory: Instance directory under the output mount; the files lie in `logs` below it, mode 0600.
        max_file_mib: A file that reaches this size in MiB is set aside, and the oldest of ten is deleted; -1
            for a single file without limit.

    Raises:
        OutputError: The directory cannot be made or written.
    """
    logs = directory / DISK_DIRECTORY
    try:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = _DiskHandler(logs / DISK_FILE, max(max_file_mib, 0) * _MIB)
    except OSError as error:
        raise OutputError(
            f"the log on disk cannot be written in {logs}: {error.strerror}",
            hint="make the directory writable for the service, or leave Logging:Disk:Format out",
        ) from error
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)


def stack_text(error: BaseException | None) -> str:
    """Return types and lines of code of an exception and of what caused it, without their messages."""
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = traceback.extract_tb(error.__traceback__)
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)
