"""A file whose room on the disk is taken before its content may be written."""

import contextlib
import os
import tempfile
from pathlib import Path

from license.files import replace_by, require_replaceable


class ReservedFile:
    """Room for a file in its own directory, under a name of no meaning; mode 0600, zeros so far.

    What can fail for want of room, or of rights, fails here. `put` then gives it content and name. Until
    `put`, or if it is never called and `discard` is, nothing of the content is on the disk.

    Args:
        path: What is to be made, or replaced.
        size: Bytes of its content, or more.

    Raises:
        OSError: There is no room, no right to write, or something else than a regular file lies there.
    """

    def __init__(self, path: Path, size: int) -> None:
        require_replaceable(path)
        self._path = path
        self._descriptor = -1
        try:
            # A name of its own length: that of the file may be as long as the file system allows.
            self._descriptor, temporary = tempfile.mkstemp(prefix=".reserved.", dir=path.parent)
            self._temporary = Path(temporary)
            if size:
                os.posix_fallocate(self._descriptor, 0, size)
            os.fsync(self._descriptor)
        except OSError as error:
            self.discard()
            raise OSError(error.errno, error.strerror, str(path)) from error

    def put(self, content: bytes) -> None:
        """Write the content and put the file into its place, durably: at any instant the old or the new one.

        Raises:
            OSError: The disk fails; the old file, if there was one, is untouched.
        """
        try:
            os.ftruncate(self._descriptor, len(content))
            with os.fdopen(os.dup(self._descriptor), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            replace_by(self._path, self._temporary)
        finally:
            self.discard()

    def discard(self) -> None:
        """Give the room back; nothing after `put`. Safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)
