"""Where the files of a model folder are: on a disk, or in memory because they came out of a package."""

import hashlib
import mmap
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from appliance.errors import ModelError

LOOK: Final = "compare the folder with the description in docs/models.md"
Buffer = bytes | mmap.mmap
Appearance = tuple[tuple[str, int, int], ...]
"""What a folder looks like from outside: name, size in bytes and time of change in ns of each file."""


class Files(Protocol):
    """Where the files of a folder are: on a disk, or in memory."""

    path: Path

    def __contains__(self, name: str) -> bool: ...

    def names(self) -> list[str]:
        """Names of its files, sorted; those one folder below with it, as `onnx/model.onnx`."""
        ...

    def check(self, name: str, limit: int) -> None:
        """Refuse a file that is missing, empty, too large or no plain file."""
        ...

    def digest(self, name: str) -> str:
        """SHA-256, hexadecimal."""
        ...

    def text(self, name: str) -> str:
        """Its text; raises `OSError` or `ValueError`."""
        ...

    def mapped(self, name: str) -> AbstractContextManager[Buffer]:
        """Its bytes, without copying them."""
        ...


class OnDisk:
    """The files of a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __contains__(self, name: str) -> bool:
        return (self.path / name).exists()

    def names(self) -> list[str]:
        """See `Files.names`."""
        paths = [*self.path.glob("*"), *self.path.glob("*/*")]
        return sorted(path.relative_to(self.path).as_posix() for path in paths if path.is_file())

    def check(self, name: str, limit: int) -> None:
        """See `Files.check`."""
        try:
            facts = (self.path / name).stat()
        except OSError as error:
            raise ModelError(f"{name} is missing from {self.path} ({error.strerror})", hint=LOOK) from error
        if not stat.S_ISREG(facts.st_mode):
            raise ModelError(f"{name} in {self.path} is not a plain file")
        _check_size(self.path, name, facts.st_size, limit)

    def digest(self, name: str) -> str:
        """See `Files.digest`."""
        try:
            with (self.path / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{name} cannot be read: {error.strerror}") from error

    def text(self, name: str) -> str:
        """See `Files.text`."""
        return (self.path / name).read_text("utf-8")

    @contextmanager
    def mapped(self, name: str) -> Iterator[Buffer]:
        """See `Files.mapped`."""
        with (
            (self.path / name).open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            yield data


class ReadOnce(OnDisk):
    """The files of a directory whose model is loaded right away: each is read once and kept until then."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._content: dict[str, bytes] = {}

    def content(self, name: str) -> bytes:
        """Its bytes; raises `ModelError`."""
        if name not in self._content:
            try:
                self._content[name] = (self.path / name).read_bytes()
            except OSError as error:
                raise ModelError(f"{name} cannot be read: {error.strerror}") from error
        return self._content[name]

    def digest(self, name: str) -> str:
        """See `Files.digest`."""
        return hashlib.sha256(self.content(name)).hexdigest()

    def text(self, name: str) -> str:
        """See `Files.text`."""
        return self.content(name).decode("utf-8")

    @contextmanager
    def mapped(self, name: str) -> Iterator[Buffer]:
        """See `Files.mapped`."""
        yield self.content(name)


class InMemory:
    """The files of a package; `path` is the package, for messages."""

    def __init__(self, path: Path, files: Mapping[str, bytes]) -> None:
        self.path = path
        self._files = files

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def names(self) -> list[str]:
        """See `Files.names`."""
        return sorted(self._files)

    def check(self, name: str, limit: int) -> None:
        """See `Files.check`."""
        if name not in self._files:
            raise ModelError(f"{name} is missing from {self.path}", hint=LOOK)
        _check_size(self.path, name, len(self._files[name]), limit)

    def digest(self, name: str) -> str:
        """See `Files.digest`."""
        return hashlib.sha256(self._files[name]).hexdigest()

    def text(self, name: str) -> str:
        """See `Files.text`."""
        return self._files[name].decode("utf-8")

    @contextmanager
    def mapped(self, name: str) -> Iterator[Buffer]:
        """See `Files.mapped`."""
        yield self._files[name]


def _check_size(path: Path, name: str, size: int, limit: int) -> None:
    if size > limit:
        raise ModelError(f"{name} in {path} is larger than {limit} bytes")
    if size == 0:
        raise ModelError(f"{name} in {path} is empty")


def appearance(path: Path) -> Appearance:
    """Return what a folder, or a file alone, looks like from outside; of what cannot be read, nothing."""
    try:
        files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
        return tuple((entry.name, (found := entry.stat()).st_size, found.st_mtime_ns) for entry in files)
    except OSError:
        return ()
