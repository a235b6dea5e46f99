"""Recordings with transcripts as people name them: a list, a folder or archive with one, and the audio."""

import contextlib
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.datasets.label_errors import DatasetError
from appliance.speech.dataset.transcripts import Recording, parse_transcripts, refuse_lines
from license.encoding.zip_reader import ZipReader, open_zip
from license.errors import LicenseError
from license.files import open_regular, read_limited

TRANSCRIPTS: Final = "trans.txt"
"""The list that the cloud takes beside the audio."""
MAX_LIST_BYTES: Final = 64 * 2**20
MAX_AUDIO_BYTES: Final = 512 * 2**20
"""Of one recording."""
_LISTS: Final = (".jsonl", ".csv", ".tsv")
_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".opus", ".webm", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64")
_ZIP: Final = b"PK\x03\x04"
_MAX_FILES: Final = 100_000
_FREE_BYTES: Final = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSet:
    """A list whose recordings are all there.

    Attributes:
        name: Name of the list, for messages.
        recordings: What it names, in order; each `path` is that of the file.
        read: Returns the bytes of one of them; raises `DatasetError` where it cannot be read.
    """

    name: str
    recordings: Sequence[Recording]
    read: Callable[[Recording], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A folder or an archive: which files it has, and their bytes."""

    name: str
    has: Callable[[str], bool]
    files: Callable[[], list[str]]
    read: Callable[[str, int], bytes]


@contextlib.contextmanager
def open_recordings(source: Path, audio: Path | None = None) -> Iterator[RecordingSet]:
    """Open recordings with transcripts until the end of the block; archives are not unpacked.

    Args:
        source: A list as `transcripts` reads it; or a folder or ZIP archive that holds one: `trans.txt`, or
            the only file that ends in `.jsonl`, `.csv` or `.tsv`.
        audio: Folder or ZIP archive that the paths of the list begin in; None where the list is.

    Raises:
        DatasetError: The list is wrong, or names recordings that are not there.
    """
    with contextlib.ExitStack() as stack:
        try:
            place, listed = _list(source, stack)
            data = place.read(listed, MAX_LIST_BYTES)
            below = posixpath.dirname(listed)
            if audio is not None:
                place, below = _place(audio, stack), ""
        except LicenseError as error:
            raise DatasetError(error.message, hint=error.hint) from error
        name = source.name if source.name == listed else f"{source.name}/{listed}"
        found = _found(parse_transcripts(data, name), place, below, name)
        yield RecordingSet(name=name, recordings=found, read=lambda one: _bytes(place, one, name))


def _list(source: Path, stack: contextlib.ExitStack) -> tuple[_Place, str]:
    """Where the list is, and what it is called there."""
    if not source.is_dir() and not _is_zip(source):
        return _folder(source.parent), source.name
    place = _place(source, stack)
    files = place.files()
    for lists in (
        [file for file in files if posixpath.basename(file).casefold() == TRANSCRIPTS],
        [file for file in files if file.casefold().endswith(_LISTS)],
    ):
        if len(lists) == 1:
            return place, lists[0]
        if lists:
            raise DatasetError(
                f"{source} holds {len(lists)} lists of recordings, such as {lists[0]} and {lists[1]}",
                hint="name one of them instead",
            )
    raise DatasetError(
        f"{source} holds no list of recordings",
        hint=f"put {TRANSCRIPTS} there, or a file that ends in {', '.join(_LISTS)}",
    )


def _is_zip(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(len(_ZIP)) == _ZIP


def _place(path: Path, stack: contextlib.ExitStack) -> _Place:
    if path.is_dir():
        return _folder(path)
    return _archive(path, stack.enter_context(open_zip(path, max_files=_MAX_FILES, free_bytes=_FREE_BYTES)))


def _folder(root: Path) -> _Place:
    def inside(file: str) -> bool:
        path = root / file
        return path.is_file() and path.resolve().is_relative_to(root.resolve())

    def files() -> list[str]:
        found = sorted(path for path in root.iterdir() if not path.name.startswith("."))
        return [path.name for path in found if path.is_file()]

    return _Place(
        name=str(root), has=inside, files=files, read=lambda file, limit: read_limited(root / file, limit)
    )


def _archive(path: Path, archive: ZipReader) -> _Place:
    entries = {
        entry.filename: entry
        for entry in archive.entries
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    }

    def read(file: str, limit: int) -> bytes:
        if entries[file].file_size > limit:
            raise DatasetError(f"{file} in {path.name} is larger than {limit} bytes")
        with archive.open(entries[file]) as stream:
            return stream.read(limit)

    return _Place(name=path.name, has=entries.__contains__, files=lambda: list(entries), read=read)


def _found(named: Sequence[Recording], place: _Place, below: str, name: str) -> list[Recording]:
    """Recordings with the paths of their files; lists of the cloud may leave the ending out."""
    found: list[Recording] = []
    missing: list[str] = []
    for one in named:
        wanted = posixpath.join(below, one.path)
        candidates = (
            [wanted] if posixpath.splitext(wanted)[1] else [wanted, *(wanted + end for end in _SUFFIXES)]
        )
        path = next((candidate for candidate in candidates if place.has(candidate)), None)
        if path is None:
            missing.append(f"line {one.line}: {one.path} is not in {place.name}")
        else:
            found.append(Recording(path=path, text=one.text, speaker=one.speaker, line=one.line))
    refuse_lines(
        missing, name, "put the recordings there, or name the folder that the paths begin in: --audio FOLDER"
    )
    return found


def _bytes(place: _Place, one: Recording, name: str) -> bytes:
    try:
        return place.read(one.path, MAX_AUDIO_BYTES)
    except LicenseError as error:
        raise DatasetError(f"{name}, line {one.line}: {error.message}", hint=error.hint) from error
