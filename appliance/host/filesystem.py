"""Files and file systems: can a directory hold a ledger, how much space is free, who owns a file."""

import contextlib
import errno
import grp
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

from appliance.errors import OutputError
from appliance.host.mounts import mount_of, mountinfo
from license.files import OWN_DIRECTORY, is_shared, quoted

# SQLite's write-ahead log needs memory shared between processes and locks that hold: not given over a
# network.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.ceph",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
    }
)
LOW_SPACE_BYTES = 512 * 1024 * 1024


def check_output(directory: Path, *, mounts: str | None = None) -> None:
    """Check that a ledger can be kept below an existing directory.

    Args:
        directory: The output mount, or what exists of the way to the ledger.
        mounts: Text of `/proc/self/mountinfo`; read from there unless a test has another.

    Raises:
        OutputError: It is missing, no directory, not writable, or on a network file system.
    """
    if not directory.exists():
        raise OutputError(
            f"the output directory {directory} does not exist",
            hint="create it for the service's user: "
            f"sudo install -d -m 0700 -o {_user()} {quoted(directory)}",
        )
    if not directory.is_dir():
        raise OutputError(f"the output path {directory} is not a directory: {describe(directory)}")
    kind = file_system(directory, mounts if mounts is not None else mountinfo())
    if kind in NETWORK_FILE_SYSTEMS:
        raise OutputError(
            f"the output directory {directory} is on a network file system ({kind})",
            hint="a ledger needs a local disk; copy exports to the network instead",
        )
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(
            f"the output directory {directory} is not writable ({error.strerror}): {describe(directory)}; "
            f"this process runs as {_user()}",
            hint=_open_hint(directory, error),
        ) from error


def _open_hint(directory: Path, error: OSError) -> str:
    if is_shared(directory):
        return OWN_DIRECTORY
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"sudo chown {_user()} {quoted(directory)} && sudo chmod u+rwx {quoted(directory)}"
    return f"look at the file system it lies on: findmnt --target {quoted(directory)}"


def describe(path: Path) -> str:
    """Say who owns a path, and its mode."""
    status = path.stat()
    owner, group = str(status.st_uid), str(status.st_gid)
    with contextlib.suppress(KeyError):
        owner = pwd.getpwuid(status.st_uid).pw_name
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(status.st_gid).gr_name
    return f"owner {owner}:{group}, mode {stat.S_IMODE(status.st_mode):04o}"


def file_system(directory: Path, mounts: str) -> str:
    """Return the type of the file system a directory lies on, from the text of `mountinfo` (proc(5))."""
    return mount_of(directory, mounts).kind


def free_bytes(directory: Path) -> int:
    """Return the space this user may still fill."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def give_to_owner(path: Path) -> None:
    """Give a file, written by root, to whoever owns its directory; nothing where we are not root.

    What root puts into a directory of the service's user would otherwise be unreadable for the service.

    Raises:
        OSError: The file is gone, or the file system knows no owners.
    """
    owner = path.parent.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.chown(path, owner.st_uid, owner.st_gid)


def remove_tree(path: Path) -> None:
    """Remove a folder this software made; no error if it is missing."""
    shutil.rmtree(path, ignore_errors=True)


def _user() -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
