"""Files: atomic and durable writes, bounded reads, hints about access.

Knows nothing of licences. Errors of writing are left as `OSError`: each caller has its own word for them.
Too little room, which is looked for before long work, is `NoRoom` for all.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, Protocol

from license.errors import Malformed, NoRoom, Unreadable

# An auditor's machine may run Windows, which has another set of flags.
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
OWN_DIRECTORY: Final = "name a directory of its own: this one is shared with the system or other people"
"""The hint where `is_shared` holds: no command may change such a directory."""
SYSTEM: Final = frozenset(("bin", "boot", "dev", "lib", "lib64", "proc", "sbin", "sys", "usr"))
_SHARED_BELOW: Final = frozenset(("/etc/ssl", "/root", "/run", "/usr/local", "/var"))


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the file at `path` by `data`: at any instant, crash or not, it is the old file or the new one.

    The temporary file lies in the same directory (a rename is atomic only within one file system), and both
    it and the directory reach the disk before this returns. `mode` is set exactly, whatever the umask.

    Raises:
        OSError: the directory is missing, read-only or full, or what lies there is no regular file; that is
            untouched, and nothing is left over.
    """
    require_replaceable(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def require_replaceable(path: Path) -> None:
    """Refuse to put a file over a device, a FIFO, a socket or a directory, be it by way of a link.

    Raises:
        OSError: something of that kind lies there.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, "not a regular file, and only those are replaced", str(path))


def replace_by(path: Path, finished: Path) -> None:
    """Move a finished file into its place, durably.

    Raises:
        OSError: as `write_atomic`.
    """
    require_replaceable(path)
    finished.replace(path)
    sync_directory(path.parent)


def file_problem(path: Path) -> str | None:
    """Say why a command could not write the file that a person named, as far as it can be told beforehand.

    A link is a problem too: `/dev/stdout` is one, and what is renamed into its place would take it away.

    Returns:
        A sentence, or None if nothing speaks against it.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        return f"{path}: {error.strerror}"
    if mode is not None and not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "no regular file"
        return f"{path} is {kind}: name a new file, or a regular one to be replaced"
    return _write_problem(path.parent)


def folder_problem(path: Path, *, new: bool) -> str | None:
    """Say why a command could not write into the folder that a person named, as `file_problem`.

    Args:
        path: The folder; it may be missing, with directories above it.
        new: Whether it must hold nothing.
    """
    try:
        while not path.exists():
            path, new = path.parent, False
        if not path.is_dir():
            return f"{path} is not a directory"
        if new and any(path.iterdir()):
            return f"{path} is not empty: name a new folder"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return _write_problem(path)


def _write_problem(directory: Path) -> str | None:
    """Try to make a file that never gets a name, or loses it at once: permissions alone do not tell."""
    if not directory.exists():
        return f"there is no directory {directory}"
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        return f"cannot write into {directory}: {error.strerror}"
    return None


def require_room(place: Path, needed: int, what: str) -> None:
    """Refuse long work whose result would not fit on the disk.

    Args:
        place: Where it will be written; the nearest directory above counts where it is missing.
        needed: Bytes that it takes for certain, or more.
        what: What is to be written, as the subject of a sentence.

    Raises:
        NoRoom: There is less.
    """
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        disk = shutil.disk_usage(place)
    except OSError:
        return  # writing will say what is wrong there
    if disk.total and disk.free < needed:
        megabytes = f"{-(-needed // 10**6):,} MB", f"{disk.free // 10**6:,} MB"
        raise NoRoom(f"{what} needs {megabytes[0]} in {place}, and {megabytes[1]} are free there")


def sync_directory(path: Path) -> None:
    """Make renames and new names in the directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to be read, and close it at the end.

    It is opened without blocking and checked afterwards, so neither a FIFO nor `/dev/zero` in its place can
    hold the reader up.

    Raises:
        Unreadable: missing, not permitted, not a regular file, or an error while it was read.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError as error:
        raise Unreadable(f"there is no file {path}") from error
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable(f"{path} is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


class HashingWriter:
    """Writes through to a file, and counts and hashes what passes.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        """Write all of `data` and return its length."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand on what the file holds back."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of what was written so far."""
        return self._digest.hexdigest()


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file of at most `max_bytes` bytes.

    Raises:
        Unreadable: missing, not permitted, or not a regular file.
        Malformed: larger than the limit.
    """
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise Malformed(f"{path} is larger than {max_bytes} bytes")
    return data


def is_shared(path: Path) -> bool:
    """Whether a directory is the system's or everybody's: `/`, `/etc`, `/var/lib`, a home."""
    real = Path(os.path.abspath(path))  # noqa: PTH100 (a link may lead to what cannot be looked at)
    if len(real.parts) <= 2 or str(real) in _SHARED_BELOW or str(real.parent) in _SHARED_BELOW:
        return True
    if real.parts[1] in SYSTEM and real.parts[1:3] != ("usr", "local"):
        return True
    # Homes below /home are people's; that of a service's user is a directory of its own.
    return str(real.parent) == "/home"


def let_in(path: Path, us: str) -> str:
    """Return the command that gives a path to a user, or why there is none."""
    return f"; {OWN_DIRECTORY}" if is_shared(path) else f": sudo chown {us} {quoted(path)}"


def is_open_to_others(path: Path) -> bool:
    """Whether a private key can be read by other users, or changed by its group.

    Kubernetes gives each file of a volume to the group of the pod (`fsGroup`), which may then write it, and
    marks the directory with the set-group-ID bit. Such a file is its owner's still: the group has no other
    member.
    """
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o027:
        return False
    of_pod = bool(path.parent.stat().st_mode & stat.S_ISGID) and status.st_gid in os.getgroups()
    return bool(mode & 0o007) or not of_pod or status.st_uid != os.geteuid()


def quoted(path: Path) -> str:
    """A path as it is typed into a shell."""
    return shlex.quote(str(path))


class AccessHint(Protocol):
    """Says what lets this process use a path, as `access_hint` does."""

    def __call__(self, path: Path, *, directory: bool) -> str:
        """Return the hint."""


def access_hint(path: Path, *, directory: bool, let_in: Callable[[Path, str], str] = let_in) -> str:
    """Say who may use a path, who asks, and the command that lets that user in.

    A hint is typed as it stands, often by root. So it names no path but this one, changes nothing below a
    directory, and touches no directory that the system or other people share.

    Args:
        path: What the user gave, or a file below it.
        directory: Whether it is to be a directory.
        let_in: Returns the command that gives a path to a user and group.
    """
    us = f"{os.geteuid()}:{os.getegid()}"
    try:
        status = path.stat()
    except FileNotFoundError:
        if directory and not is_shared(path):
            return f"make it: sudo install -d -m 0750 -o {os.geteuid()} -g {os.getegid()} {quoted(path)}"
        return f"there is no {path}; check the path"
    except OSError as error:
        return (
            f"user {us} cannot look at {path} ({error.strerror}); see which part of the path keeps it out: "
            f"sudo namei -l {quoted(path)}"
        )
    if directory and not stat.S_ISDIR(status.st_mode):
        return f"{path} is not a directory: name the directory that is meant"
    owner, mode = f"{status.st_uid}:{status.st_gid}", f"{status.st_mode & 0o7777:04o}"
    said = f"{path} belongs to {owner} with mode {mode}, this process is {us}"
    return f"{said}{let_in(path, us)}"
