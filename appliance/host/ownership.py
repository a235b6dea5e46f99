"""What root puts into a directory of the service's user belongs to that user, or it could not read it."""

import os
from pathlib import Path


def give_to_owner(path: Path) -> None:
    """Give a file, written by root, to whoever owns its directory; nothing where we are not root.

    Raises:
        OSError: The file is gone, or the file system knows no owners.
    """
    owner = path.parent.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.chown(path, owner.st_uid, owner.st_gid)
