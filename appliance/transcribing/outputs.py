"""Where transcripts are put: a directory, with what is known of them beside, or standard output."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final, Protocol

from appliance.errors import LedgerLocked
from appliance.host.reserved_file import ReservedFile
from appliance.ledger.log.directory_lock import LOCK_FILE, Lock
from appliance.transcribing.errors import NotTranscribed
from appliance.transcribing.made import Made, Source, State, from_json, state
from license.errors import LicenseError
from license.files import open_regular, read_limited

FOLDER: Final = ".transcribe"
_MAX_MADE_BYTES: Final = 1 << 20
_RECORD_CHARACTERS: Final = 400  # more than the name of any usage record
_PIECE_BYTES: Final = 1 << 20
_LEAST_ROOM: Final = 1 << 16


class Prepared(Protocol):
    """A transcript whose room is taken and whose content is not out yet."""

    def put(self, *, seconds: int, record: str) -> None:
        """Release it; raises `OSError`."""
        ...

    def discard(self) -> None:
        """Give the room back."""
        ...


class Outputs(Protocol):
    """Where transcripts go."""

    def look(self, output: PurePath, source: Source) -> State:
        """Say what there is of a transcript; raises `OSError` or `LicenseError` where it cannot be read."""
        ...

    def try_room(self, output: PurePath) -> None:
        """Find out before the work what would fail after it; raises `OSError`."""
        ...

    def prepare(self, output: PurePath, content: bytes, source: Source) -> Prepared:
        """Take the room for a transcript; raises `OSError`."""
        ...


@dataclass(slots=True, kw_only=True)
class _PreparedFile:
    """A transcript and its note, both with room."""

    transcript: ReservedFile
    note: ReservedFile
    content: bytes
    made: Made

    def put(self, *, seconds: int, record: str) -> None:
        self.note.put(replace(self.made, seconds=seconds, record=record).to_json())
        self.transcript.put(self.content)

    def discard(self) -> None:
        self.transcript.discard()
        self.note.discard()


class OutputFolder:
    """A directory of transcripts, for one process at a time; close it.

    Args:
        path: The directory; made with mode 0700 if it is missing.

    Raises:
        OSError: It cannot be made or used.
        LedgerLocked: Another process transcribes into it.
        NotTranscribed: What is known of its transcripts lies elsewhere, behind a link.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes = path / FOLDER
        _make(self._notes)
        self._require_inside(PurePath("any"))
        try:
            self._lock = Lock(self._notes / LOCK_FILE)
        except LedgerLocked:
            raise LedgerLocked(
                f"another process transcribes into {path}", hint="wait for it, or name another --out"
            ) from None

    def close(self) -> None:
        """Let other processes in."""
        self._lock.release()

    def look(self, output: PurePath, source: Source) -> State:
        """As of `Outputs`; raises `NotTranscribed` where a link leads out of the directory."""
        self._require_inside(output)
        return state(self._made(output), present=self._present(output), source=source)

    def try_room(self, output: PurePath) -> None:
        """As of `Outputs`."""
        for path in (self._path / output, self._note(output)):
            _make(path.parent)
            self._require_inside(output)
            ReservedFile(path, _LEAST_ROOM).discard()

    def prepare(self, output: PurePath, content: bytes, source: Source) -> Prepared:
        """As of `Outputs`."""
        made = Made(
            source=source,
            sha256=hashlib.sha256(content).hexdigest(),
            replaces=self._present(output),
            seconds=0,
            record="",
        )
        self._require_inside(output)
        transcript = ReservedFile(self._path / output, len(content))
        try:
            note = ReservedFile(self._note(output), len(made.to_json()) + _RECORD_CHARACTERS)
        except BaseException:
            transcript.discard()
            raise
        return _PreparedFile(transcript=transcript, note=note, content=content, made=made)

    def _require_inside(self, output: PurePath) -> None:
        """Refuse to read or write through a directory that is a link to elsewhere."""
        root = os.path.realpath(self._path)
        for path in (self._path / output, self._note(output)):
            if not Path(os.path.realpath(path.parent)).is_relative_to(root):
                raise NotTranscribed(
                    f"{path.parent} is a link that leads out of {self._path}", hint="name another --out"
                )

    def _note(self, output: PurePath) -> Path:
        return self._notes / output.parent / f"{output.name}.json"

    def _made(self, output: PurePath) -> Made | None:
        path = self._note(output)
        try:
            return from_json(read_limited(path, _MAX_MADE_BYTES)) if path.exists() else None
        except LicenseError:
            return None

    def _present(self, output: PurePath) -> str:
        """Digest of what lies in a transcript's place; empty if nothing does."""
        path = self._path / output
        return file_sha256(path) if path.exists() else ""


class StandardOutput:
    """The one transcript, printed."""

    def close(self) -> None:
        """Nothing is held."""

    def look(self, output: PurePath, source: Source) -> State:  # noqa: ARG002 (as of `Outputs`)
        """Nothing is there before."""
        return State.MISSING

    def try_room(self, output: PurePath) -> None:
        """Nothing can be known."""

    def prepare(self, output: PurePath, content: bytes, source: Source) -> Prepared:  # noqa: ARG002
        """As of `Outputs`."""
        return _Printed(content)


@dataclass(slots=True)
class _Printed:
    content: bytes

    def put(self, *, seconds: int, record: str) -> None:  # noqa: ARG002 (nothing is kept)
        sys.stdout.buffer.write(self.content)
        sys.stdout.buffer.flush()

    def discard(self) -> None:
        pass


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of what follows in a file, in hex."""
    digest = hashlib.sha256()
    while data := file.read(_PIECE_BYTES):
        digest.update(data)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file, in hex; raises `Unreadable`."""
    with open_regular(path) as file:
        return sha256_of(file)


def folder_sha256(folder: Path) -> str:
    """Return one SHA-256 for a directory's names and contents; raises `OSError`, `Unreadable`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed: list[Any] = [(str(path.relative_to(folder)), file_sha256(path)) for path in files]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _make(folder: Path) -> None:
    """Make a directory and those above it, each with mode 0700."""
    for missing in (*reversed(folder.parents), folder):
        if not missing.exists():
            missing.mkdir(mode=0o700, exist_ok=True)


def model_facts(*, name: str, release: str, folder: Path) -> Mapping[str, Any]:
    """Return what of a model stands in `Source.model`; raises as `folder_sha256`."""
    return {"name": name, "release": release, "sha256": folder_sha256(folder)}
