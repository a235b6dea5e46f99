"""Where log lines go: the journal with priorities, or a terminal with time and level.

Levels are named as the containers name them. No line ever holds document text, keys or licence contents.
"""

import logging
import sys
from typing import Final

from appliance.systemd import JournalFormatter, is_journal

LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}


def configure(level: str, console_level: str) -> None:
    """Send this process's log to standard error.

    Args:
        level: Least level logged, by its container name in lower case.
        console_level: Least level on the console, or empty for the same.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(LEVELS[console_level or level])
    if is_journal(sys.stderr):
        handler.setFormatter(JournalFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    # Access lines would say who asked when; the ledger and the metrics say what operators need.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL + 1)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
