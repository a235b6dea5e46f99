"""Zip archives of unknown origin: bounded before anything is unpacked, and one refusal for all faults.

Python's reader raises a dozen kinds of exception over a damaged archive, takes a list of files of any length
into memory, and unpacks a thousandfold.

Here an archive has a known number of files, unpacks to a known multiple of its
own length, uses the one method every zip has, and fails with `UnreadableArchive`.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from license.errors import UnreadableArchive
from license.files import open_regular

MAX_RATIO: Final = 100
"""How many times its own length an archive may unpack to; usage logs reach 20, model files 5."""
FREE_BYTES: Final = 16 * 2**20
"""What an archive of any length may unpack to."""

_MAX_LIST_BYTES: Final = 2**20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
_WRONG: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class ZipReader:
    """An archive whose list of files was read and is within bounds. Use `open_zip`.

    Attributes:
        entries: Its files and folders, in the order of the list.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self._name = name
        self.entries = archive.infolist()

    def names(self) -> list[str]:
        """Return the names in the list; one may stand there twice."""
        return [entry.filename for entry in self.entries]

    def size(self, name: str) -> int | None:
        """Return how many bytes a file unpacks to, as the list says; None if there is no such file."""
        return next((entry.file_size for entry in self.entries if entry.filename == name), None)

    def open(self, entry: str | zipfile.ZipInfo) -> IO[bytes]:
        """Return a file to read from.

        It ends after the length that the list names; reading it raises `UnreadableArchive` where the archive
        is damaged.

        Raises:
            UnreadableArchive: There is not such a file, or it cannot be unpacked.
        """
        try:
            return io.BufferedReader(_Member(self._archive.open(entry), self._name))
        except _WRONG as error:
            raise _refusal(self._name, error) from error


@contextlib.contextmanager
def open_zip(path: Path, *, max_files: int, free_bytes: int = FREE_BYTES) -> Iterator[ZipReader]:
    """Open an archive that a stranger made.

    Args:
        path: A plain file.
        max_files: The most files and folders it may list.
        free_bytes: What it may unpack to however short it is.

    Raises:
        UnreadableArchive: It is not a zip, is damaged, or is larger inside than its length allows.
        Unreadable: It cannot be opened, or is not a plain file.
    """
    with _open(path) as file:
        length = os.fstat(file.fileno()).st_size
        try:
            archive = zipfile.ZipFile(_ListReader(file))
        except _WRONG as error:
            raise _refusal(path.name, error) from error
        with archive:
            _check(archive, path.name, max_files, free_bytes + MAX_RATIO * length)
            yield ZipReader(archive, path.name)


def _open(path: Path) -> BinaryIO:
    """Open a plain file; whatever its user's own work raises later is not taken for an error of this file."""
    with open_regular(path) as file:
        return os.fdopen(os.dup(file.fileno()), "rb")


def _check(archive: zipfile.ZipFile, name: str, max_files: int, max_bytes: int) -> None:
    entries = archive.infolist()
    if len(entries) > max_files:
        raise UnreadableArchive(f"{name} lists {len(entries)} files; at most {max_files} are read")
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise UnreadableArchive(
            f"{name} would unpack to {total} bytes; an archive of its length unpacks to at most {max_bytes}"
        )
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED:
            raise UnreadableArchive(f"{name} is protected by a password", hint="unpack it and pack it again")
        if entry.compress_type not in _METHODS:
            raise UnreadableArchive(f"{name} is packed by a method other than deflate")
    if len({entry.header_offset for entry in entries}) < len(entries):
        # Newer releases of Python only print a warning here, and older ones nothing.
        raise UnreadableArchive(f"{name} lists one file under two names")


class _ListReader:
    """The file as `zipfile` sees it: it reads the whole list of files at once, whatever its length."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(min(size, _MAX_LIST_BYTES + 1) if size >= 0 else _MAX_LIST_BYTES + 1)
        if len(data) > _MAX_LIST_BYTES:
            raise zipfile.BadZipFile("its list of files is too long")
        return data

    def close(self) -> None:
        """Left to the one who opened the file."""


class _Member(io.RawIOBase):
    """A file in an archive as a raw stream."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except _WRONG as error:
            raise _refusal(self._name, error) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _refusal(name: str, error: Exception) -> UnreadableArchive:
    if isinstance(error, NotImplementedError):
        return UnreadableArchive(f"{name} uses a kind of zip that is not read here: {error}")
    return UnreadableArchive(
        f"{name} is not a zip archive, or a damaged one: {str(error) or 'it breaks off'}"
    )
