"""The export command: a file that appears only when it is complete, and an entry in the journal."""

import contextlib
import hashlib
import io
import json
import logging
import os
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from appliance.config.directories import ledger_directory
from appliance.config.identity import load_identity
from appliance.config.products import SERVICES
from appliance.ledger.transfer.export import JOURNAL_FILE, write_bundle
from appliance.ledger.transfer.openings import count_opened
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import format_time
from license.errors import LicenseError, Unwritable
from license.evidence.bundle.manifest import BundleManifest
from license.evidence.bundle.openings import Openings
from license.evidence.log.source import find_databases, open_log
from license.files import replace_by, require_room

_RANDOM_BYTES: Final = 9
"""Of the 74 random bits of a UUID version 7, which every usage entry has."""
_USES: Final = "SELECT count(*) FROM entry WHERE kind = 'use'"
_log = logging.getLogger("appliance.usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An export that was made.

    Attributes:
        path: Where it lies.
        size: Its size in bytes.
        sha256: Its SHA-256 in hex.
        opened: Usage entries that the vendor asked to see.
        missing: How many of them are not here any more.
        unsigned: Newer entries that are not in it, since no signed head covers them yet.
    """

    path: Path
    size: int
    sha256: str
    opened: int = 0
    missing: int = 0
    unsigned: int = 0


@contextlib.contextmanager
def export_usage(
    output: Path,
    state: Path,
    *,
    out: Path | None,
    full: bool,
    note: str | None,
    openings: Callable[[Path], Openings] | None = None,
) -> Iterator[Made]:
    """Export the usage of the installation whose keys lie in a state directory.

    Args:
        output: The output mount.
        state: The state directory.
        out: Where the file goes; None for a temporary one that is gone afterwards.
        full: Whether every entry goes out, or a summary.
        note: For the local journal `exports.jsonl` beside the logs; it does not leave.
        openings: Returns what the vendor asks to see of a summary, given the ledger directory.

    Raises:
        IdentityError: There are no keys.
        LicenseError: There is nothing to export, or the file cannot be written; `NoRoom`: it would not fit.
    """
    identity = load_identity(state, create=False)
    directories = [ledger_directory(output, product, identity.instance) for product in SERVICES.values()]
    ledger = next((directory for directory in directories if directory.is_dir()), directories[0])
    asked = None if openings is None else openings(ledger)
    with _work_directory(out) as work:
        path = Path(work) / "export.zip"
        if full:
            require_room(path.parent, _least_bytes(ledger), "the full export")
        try:
            with path.open("xb") as file:
                manifest = write_bundle(ledger, file, identity=identity.signing, full=full, openings=asked)
                file.flush()
                os.fsync(file.fileno())
            opened, missing = (0, 0) if asked is None else count_opened(ledger, asked)
            made = Made(
                path=path,
                size=path.stat().st_size,
                sha256=_sha256(path),
                opened=opened,
                missing=missing,
                unsigned=0 if asked else _unsigned(ledger, manifest),
            )
            if out is not None:
                replace_by(out, path)
                made = replace(made, path=out)
                _remember(ledger, made, manifest, note)
        except OSError as error:
            raise Unwritable(f"the export cannot be written: {error.strerror}") from error
        yield made


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingFile:
    """An export in memory.

    Attributes:
        data: Its bytes.
        sha256: Their SHA-256 in hex.
        manifest: What it says of itself.
    """

    data: bytes
    sha256: str
    manifest: BundleManifest


def summary_of(ledger: Path, identity: SigningKey) -> LeavingFile:
    """Return a summary without writing anywhere, so that a full disk is no obstacle.

    Args:
        ledger: The ledger directory.
        identity: Key of the installation.

    Raises:
        LicenseError: There is no log to export.
        OSError: The ledger cannot be read.
    """
    target = io.BytesIO()
    manifest = write_bundle(ledger, target, identity=identity, full=False, openings=None)
    data = target.getvalue()
    return LeavingFile(data=data, sha256=hashlib.sha256(data).hexdigest(), manifest=manifest)


def note_export(ledger: Path, leaving: LeavingFile, name: str, note: str) -> None:
    """Write down that an export in memory left.

    Args:
        ledger: The ledger directory; the journal lies in it.
        leaving: What left.
        name: The file name it was given.
        note: Why, or by whom; it stays here.
    """
    made = Made(path=Path(name), size=len(leaving.data), sha256=leaving.sha256)
    _remember(ledger, made, leaving.manifest, note)


def _unsigned(ledger: Path, manifest: BundleManifest) -> int:
    """How many entries the logs have beyond the heads at which the export ends."""
    entries = 0
    for database in find_databases(ledger):
        with contextlib.suppress(LicenseError, sqlite3.Error), open_log(database) as source:
            entries += source.size
    return max(0, entries - sum(log.size for log in manifest.logs))


def _least_bytes(ledger: Path) -> int:
    """What the entries of a full export take at least: nothing makes the random part of their ids smaller."""
    uses = 0
    for database in find_databases(ledger):
        with contextlib.suppress(LicenseError, sqlite3.Error), open_log(database) as source:
            (count,) = source.connection.execute(_USES).fetchone()
            uses += count
    return uses * _RANDOM_BYTES


def _work_directory(out: Path | None) -> "tempfile.TemporaryDirectory[str]":
    """Make a directory where the file is to appear, so that it can be moved there whole."""
    place = None if out is None else out.parent
    try:
        return tempfile.TemporaryDirectory(dir=place, prefix=".export-")
    except OSError as error:
        where = place or Path(tempfile.gettempdir())
        raise Unwritable(f"the export cannot be written in {where}: {error.strerror}") from error


def member_text(file: IO[bytes]) -> str:
    """Return what `print_members` would print of an export."""
    lines: list[str] = []
    print_members(file, lines.append)
    return "\n".join(lines)


def print_members(path: Path | IO[bytes], echo: Callable[[str], object]) -> None:
    """Print every file of an export, in clear."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            echo(f"==> {info.filename}  {info.file_size:,} bytes")
            with archive.open(info) as file:
                lines = _unpacked(file) if info.filename.endswith(".gz") else file
                for line in lines:
                    echo(line.decode("utf-8", "replace").rstrip("\r\n"))
            echo("")


def _unpacked(file: object) -> Iterator[bytes]:
    import gzip  # noqa: PLC0415 (only for a dry run in full)

    with gzip.open(file) as unpacked:  # type: ignore[call-overload]
        yield from unpacked


def _remember(ledger: Path, made: Made, manifest: BundleManifest, note: str | None) -> None:
    """Write down what left, when and why; a journal that cannot be written stops no export."""
    line = {
        "time": format_time(int(time.time())),
        "file": made.path.name,
        "sha256": made.sha256,
        "form": manifest.form,
        "heads": {log.origin: log.size for log in manifest.logs},
        "note": note,
    }
    text = json.dumps(line, ensure_ascii=False)
    _log.info("usage exported: %s", text)
    try:
        with (ledger / JOURNAL_FILE).open("a", encoding="utf-8") as journal:
            journal.write(text + "\n")
    except OSError as error:
        _log.warning("the export could not be noted in %s: %s", ledger / JOURNAL_FILE, error.strerror)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
