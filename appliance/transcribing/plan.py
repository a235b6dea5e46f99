"""Which recordings are meant, and where the transcript of each goes.

A file that is named is taken whatever its name. In a directory those are taken whose names end as recordings
do; it is walked to the bottom, links to directories and hidden names left out.
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
    """

    path: Path
    output: PurePath


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
            recording = Recording(path=file, output=place.with_suffix(f".{kind}"))
            found.setdefault(os.path.realpath(file), recording)
    return Plan(recordings=tuple(found.values()), passed=passed)


def _below(path: Path, passed: Counter[str]) -> Iterator[tuple[Path, PurePath]]:
    """Yield each recording at or below a path, and where it lies from there."""
    if not path.is_dir():
        yield path, PurePath(path.name)
        return
    for folder, folders, names in os.walk(path, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in ENDINGS and not name.startswith("."):
                yield file, file.relative_to(path)
            elif not name.startswith("."):
                passed[file.suffix.lower()] += 1


def _refuse(error: OSError) -> None:
    raise error


def collision(recordings: Iterable[Recording]) -> tuple[Recording, Recording] | None:
    """Return the first two recordings whose transcripts would be one file, also where case does not count."""
    taken: dict[str, Recording] = {}
    for recording in recordings:
        other = taken.setdefault(str(recording.output).casefold(), recording)
        if other is not recording:
            return other, recording
    return None
