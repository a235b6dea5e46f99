"""What is said of a job store that cannot be used, and its file, which is its owner's alone."""

import os
from pathlib import Path

from appliance.errors import SettingsError


def make_private(path: Path) -> None:
    """Make a file if it is missing, and one that only its owner can read, whatever the umask.

    Raises:
        OSError: It cannot be made or opened.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def refused(where: str, error: Exception) -> SettingsError:
    """The refusal of a start whose job store cannot be used."""
    return SettingsError(
        f"the job store {where} cannot be used: {first_line(error)}",
        hint="check its owner, free space and Jobs:Database",
    )


def first_line(error: Exception) -> str:
    """Say what failed without the statement and its parameters, which may hold a customer's text."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
