"""One writer for each ledger directory: a `flock` on its file `lock`, which ends with the process."""

import contextlib
import fcntl
import os
from pathlib import Path

from appliance.errors import LedgerLocked, OutputError
from appliance.usage.mount import describe


class Lock:
    """The lock of one ledger directory, held from here on.

    Args:
        path: The file; made if it is missing.

    Raises:
        LedgerLocked: Another process holds it.
        OutputError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _take(path)

    def renew(self) -> None:
        """Take the lock of the file that lies there now: after a remount it may be another.

        Raises:
            LedgerLocked: Another process holds it.
            OSError: The directory cannot be reached.
        """
        held, there = os.fstat(self._descriptor), self._path.parent.stat()
        with contextlib.suppress(FileNotFoundError):
            there = self._path.stat()
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
            taken = _take(self._path)
            os.close(self._descriptor)
            self._descriptor = taken

    def release(self) -> None:
        """Let go; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _take(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputError(f"cannot lock {path}: {error.strerror}; {describe(path.parent)}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LedgerLocked(f"another process writes the ledger in {path.parent}") from error
    return descriptor
