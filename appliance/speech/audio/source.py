"""Where audio files are read from: a file with positions, on disk or in memory."""

import io
from typing import TYPE_CHECKING, BinaryIO

from appliance.speech.audio.errors import AudioError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Source = BinaryIO | io.RawIOBase
"""A file that can be read from any position."""


class Positioned(io.RawIOBase):
    """A file with positions that is made of something else; its content is for `readinto` of who inherits.

    Attributes:
        length: Of the file, in bytes.
    """

    length = 0

    def __init__(self) -> None:
        self._at = 0

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it has positions: yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at


class InMemory(Positioned):
    """Bytes as a file, without a copy of them."""

    def __init__(self, data: bytes | bytearray) -> None:
        super().__init__()
        self._view = memoryview(data)
        self.length = len(data)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer as far as there are bytes; return how many."""
        into = memoryview(buffer).cast("B")
        found = self._view[self._at : self._at + len(into)]
        into[: len(found)] = found
        self._at += len(found)
        return len(found)


def read_at(file: Source, at: int, size: int) -> bytes:
    """Read up to so many bytes from a position.

    Raises:
        AudioError: The disk, say, fails.
    """
    try:
        file.seek(at)
        return file.read(size) or b""
    except OSError as error:
        raise AudioError(f"the file cannot be read: {error.strerror}", hint="look at its disk") from error
