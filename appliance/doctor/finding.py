"""One line of the diagnosis."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 (a word, no password)
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        check: Stable name of the check.
        level: `FAIL` if the service does not start or answer like this; `WARN` if that is near, or a risk.
        message: One sentence.
        command: The command that fixes it, or what to do; empty if there is nothing to do.
    """

    check: str
    level: Level
    message: str
    command: str = ""


def passed(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.PASS, message=message)


def warned(check: str, message: str, command: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check=check, level=Level.WARN, message=message, command=command)


def failed(check: str, message: str, command: str) -> Finding:
    """It does not work."""
    return Finding(check=check, level=Level.FAIL, message=message, command=command)
