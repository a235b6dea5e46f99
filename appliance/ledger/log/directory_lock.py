"""One writer for each ledger directory and each state directory: a `flock`, which ends with the process."""

import contextlib
import fcntl
import os
from pathlib import Path

from appliance.errors import LedgerLocked, OutputError
from appliance.host.filesystem import describe
from license.errors import LicenseError
from license.files import read_limited, write_atomic

LOCK_FILE = "lock"
OWNER_FILE = "service"
_MAX_NAME_BYTES = 100


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
        """Take the lock of the file that lies there now; after a remount it may be another.

        Raises:
            LedgerLocked: Another process holds it.
            OSError: The directory cannot be reached.
        """
        self._path.parent.stat()
        if self._descriptor >= 0:
            held = os.fstat(self._descriptor)
            with contextlib.suppress(FileNotFoundError):
                current = self._path.stat()
                if (held.st_dev, held.st_ino) == (current.st_dev, current.st_ino):
                    return
        descriptor = _take(self._path)
        self.release()
        self._descriptor = descriptor

    def check(self) -> None:
        """Check that the file system takes writes at all, by touching the file; raises `OSError` if not.

        Asked before each commit. On a file system that has turned read-only, SQLite's memory-mapped index
        would end the process with SIGBUS instead of failing.
        """
        os.utime(self._descriptor)

    def release(self) -> None:
        """Let go; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def claim_state(directory: Path, service: str) -> Lock:
    """Lock a state directory for one service, and note there which service it belongs to.

    Day keys, the copy of the last checkpoint and the count of the plan lie there: two services, at once or in
    turn, would take each other's for their own.

    Raises:
        LedgerLocked: Another process uses it.
        OutputError: It belongs to another service, or it cannot be written.
    """
    another = "give this service a state directory of its own: Mounts:State=DIRECTORY"
    try:
        lock = Lock(directory / LOCK_FILE)
    except LedgerLocked:
        raise LedgerLocked(f"another process uses the state directory {directory}", hint=another) from None
    try:
        _note_owner(directory / OWNER_FILE, service, another)
    except BaseException:
        lock.release()
        raise
    return lock


def claim_keys(directory: Path, service: str) -> Lock:
    """Lock the keys of an installation for one process of a service, where they lie apart from its state.

    Raises:
        LedgerLocked: Another process uses them.
        OutputError: The directory cannot be written.
    """
    try:
        return Lock(directory / f"{LOCK_FILE}-{service}")
    except LedgerLocked:
        raise LedgerLocked(
            f"another process uses the keys in {directory}",
            hint="a licence serves one container at a time: stop the other, or give this one its own licence",
        ) from None


def _note_owner(path: Path, service: str, another: str) -> None:
    try:
        if not path.exists():
            write_atomic(path, f"{service}\n".encode("ascii"))
            return
        owner = read_limited(path, _MAX_NAME_BYTES).decode("ascii", "replace").strip()
    except (OSError, LicenseError) as error:
        raise OutputError(f"cannot note in {path} whose state it is: {error}") from error
    if owner != service:
        raise OutputError(f"the state directory {path.parent} belongs to the service {owner}", hint=another)


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
