"""Which recordings are meant, and where the transcript of each goes.

A file that is named is taken whatever its name. In a directory those are taken whose names end as recordings
do; it is walked to the bottom, links to directories and hidden names left out. A link to a file is one more
name of it, within the directory that was named.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

ENDINGS: Final = frozenset(
    (
        *(".wav", ".wave", ".rf64", ".rifx", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".webm", ".weba", ".mka"),
    )
)
"""Of recordings, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that is to be transcribed.

    Attributes:
        path: Where it lies, as it was typed or found.
        output: Its transcript, relative to the directory of transcripts.
        within: The directory that was named, where it was found in one: it may not lead out of that.
    """

    path: Path
    output: PurePath
    within: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        recordings: Each once, in the order of what was typed, and by name within a directory.
        passed: Files in directories whose endings are not those of recordings: how many of each ending.
    """

    recordings: tuple[Recording, ...]
    passed: Counter[str]


def plan(paths: Sequence[Path], kind: str) -> Plan:
    """Find the recordings below some paths.

    Args:
        paths: Files and directories that exist.
        kind: Ending of the transcripts, without the dot.

    Raises:
        OSError: A directory cannot be read.
    """
    passed: Counter[str] = Counter()
    found: dict[str, Recording] = {}
    for path in paths:
        for file, place in _below(path, passed):
            recording = Recording(
                path=file,
                output=place.with_suffix(f".{kind}"),
                within=None if file == path else path,
            )
            found.setdefault(os.path.realpath(file), recording)
    return Plan(recordings=tuple(found.values()), passed=passed)


def _below(path: Path, passed: Counter[str]) -> Iterator[tuple[Path, PurePath]]:
    """Yield each recording at or below a path, and where it lies from there."""
    if not path.is_dir():
        yield path, PurePath(path.name)
        return
    folders = [path]
    while folders:  # without recursion: directories may lie deeper in one another than calls can
        names, below = _listed(folders.pop())
        folders += reversed(below)
        for file in names:
            if file.suffix.lower() in ENDINGS:
                yield file, file.relative_to(path)
            else:
                passed[file.suffix.lower()] += 1


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and directories of a directory by name, without hidden names and links to directories."""
    with os.scandir(folder) as found:
        entries = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    files, folders = [], []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            folders.append(folder / entry.name)
        elif not _leads_to_a_directory(entry):
            files.append(folder / entry.name)
    return files, folders


def _leads_to_a_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def collision(recordings: Iterable[Recording]) -> tuple[Recording, Recording] | None:
    """Return the first two recordings whose transcripts would be one file, also where case does not count."""
    taken: dict[str, Recording] = {}
    for recording in recordings:
        other = taken.setdefault(str(recording.output).casefold(), recording)
        if other is not recording:
            return other, recording
    return None
