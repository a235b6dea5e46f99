"""The tar inside a model package: written in one spelling, and read by comparing with that spelling.

Plain POSIX tar (ustar), so that `age -d | tar x` works: for each file, in the order of names, one 512-byte
header (mode 0644, owner and time zero), the content, zeros up to the next 512; at the end 1,024 zeros. A
reader knows names and sizes from the signed manifest, so it parses nothing: whatever is not the expected
byte is refused, and with it links, devices, directories, paths and every trick that tar readers have fallen
for.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from license.errors import Malformed, PackageDamaged, Unreadable
from license.models.manifest import PackedFile

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_CHUNK_BYTES: Final = 65_536


def header(name: str, size: int) -> bytes:
    """Return the one header a file of this name and size has."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


class Archive:
    """The files at `paths` as a tar to be read from, a piece at a time.

    Args:
        paths: Regular files in one directory, in the order of their names.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.files: list[PackedFile] = []
        """What has been read so far; complete once `read` has returned nothing."""
        self._pieces = self._produce(paths)
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes of the archive; none at its end.

        Raises:
            Unreadable: a file cannot be read, or changes its length meanwhile.
        """
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken = self._rest[:size] if size >= 0 else self._rest
        self._rest = self._rest[len(taken) :]
        return bytes(taken)

    def _produce(self, paths: Sequence[Path]) -> Iterator[bytes]:
        for path in paths:
            try:
                with path.open("rb") as file:
                    yield from self._produce_file(path, file)
            except OSError as error:
                raise Unreadable(f"cannot read {path}: {error.strerror}") from error
        yield _END

    def _produce_file(self, path: Path, file: BinaryIO) -> Iterator[bytes]:
        size, seen, digest = path.stat().st_size, 0, hashlib.sha256()
        yield header(path.name, size)
        while chunk := file.read(_CHUNK_BYTES):
            seen += len(chunk)
            digest.update(chunk)
            if seen > size:
                break
            yield chunk
        if seen != size:
            raise Unreadable(
                f"{path} changed its length while it was read", hint="pack again when nothing writes there"
            )
        yield bytes(_padding(size))
        self.files.append(PackedFile(name=path.name, bytes=size, sha256=digest.hexdigest()))


class Unpacker:
    """Takes an archive piece by piece and keeps the content of its files in memory, each once.

    Args:
        files: What the manifest says is in it.
    """

    def __init__(self, files: Sequence[PackedFile]) -> None:
        self._contents: dict[str, bytes] = {}
        self._consumer = self._consume(files)
        self._wanted = next(self._consumer)

    def write(self, data: bytes, /) -> int:
        """Take the next piece.

        Raises:
            PackageDamaged: it is not what the manifest says.
        """
        rest = memoryview(data)
        while rest:
            if self._wanted == 0:
                raise PackageDamaged("the package holds more than its manifest names")
            piece = rest[: self._wanted]
            rest = rest[len(piece) :]
            self._wanted = self._consumer.send(piece)
        return len(data)

    def flush(self) -> None:
        """Do nothing; `close` is where the end is checked."""

    def close(self) -> dict[str, bytes]:
        """Return the content of each file by name.

        Raises:
            PackageDamaged: the archive ended early.
        """
        if self._wanted:
            raise PackageDamaged("the package ends before the last of its files does")
        return self._contents

    def _consume(self, files: Sequence[PackedFile]) -> Generator[int, memoryview, None]:
        """Ask for at most so many bytes, get some of them, and so on; 0 asks for nothing more."""
        for file in files:
            yield from self._expect(header(file.name, file.bytes), f"the entry of {file.name}")
            # CPython writes into the one block it was given and hands it out again without a copy.
            content, digest, left = io.BytesIO(bytes(file.bytes)), hashlib.sha256(), file.bytes
            while left:
                piece = yield left
                digest.update(piece)
                content.write(piece)
                left -= len(piece)
            if digest.hexdigest() != file.sha256:
                raise PackageDamaged(f"{file.name} in the package is not the file its manifest names")
            self._contents[file.name] = content.getvalue()
            yield from self._expect(bytes(_padding(file.bytes)), f"the padding of {file.name}")
        yield from self._expect(_END, "the end")
        yield 0

    @staticmethod
    def _expect(expected: bytes, what: str) -> Generator[int, memoryview, None]:
        done = 0
        while done < len(expected):
            piece = yield len(expected) - done
            if piece != expected[done : done + len(piece)]:
                raise PackageDamaged(f"{what} in the package is not as its manifest says")
            done += len(piece)


def regular_files(directory: Path) -> list[Path]:
    """Return the files of a model folder, by name, once they are such as may be packed.

    Raises:
        Unreadable: there is no such directory.
        Malformed: it holds something else than plain files, too many of them, or a name that may not travel.
    """
    try:
        paths = sorted(directory.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise Unreadable(f"cannot read the model folder {directory}: {error.strerror}") from error
    for path in paths:
        if path.is_symlink() or not path.is_file():
            raise Malformed(
                f"{path} is not a plain file",
                hint="a model folder holds plain files only; move everything else out of it",
            )
    if not paths:
        raise Malformed(f"the model folder {directory} is empty", hint="name the folder that holds the model")
    return paths


def _padding(size: int) -> int:
    return -size % _BLOCK
