"""Signed heads that somebody kept, from wherever: a journal, a checkpoint, a proof, another export, a log."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from license.encoding.strict import clean_text
from license.errors import LicenseError, Malformed
from license.evidence.bundle.archive import open_bundle
from license.evidence.bundle.lines import MAX_LINES_BYTES, parse_journal
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.entry import parse
from license.evidence.log.source import (
    DatabaseLog,
    KeptHead,
    find_databases,
    find_ledgers,
    open_log,
    published_heads,
)
from license.trust.signed_note import read_unverified

_ZIP = b"PK\x03\x04"


def read_heads(path: Path) -> list[KeptHead]:
    """Return the signed heads in a file or directory that somebody kept.

    Args:
        path: Journal lines, a checkpoint, a proof, an export, or an output directory.

    Raises:
        Malformed: There is none in it.
        LicenseError: It is an export that cannot be read.
        OSError: It cannot be read.
    """
    if path.is_dir():
        heads = list(_of_logs(path))
        if not heads:
            raise Malformed(f"there is no signed head of a usage log in {path}")
        return heads
    if path.exists() and not path.is_file():  # a FIFO would be waited for
        raise Malformed(f"{path} is not a regular file")
    with path.open("rb") as file:
        data = file.read(MAX_LINES_BYTES)
    if data.startswith(_ZIP):
        return list(_of_export(path))
    lines = parse_journal(data)
    if lines:
        return [KeptHead(path.name, note, at) for note, at in lines.items()]
    text = clean_text(data, max_bytes=MAX_LINES_BYTES)
    if text.startswith(("c2sp.org/tlog-proof@v1\n", "old ")):
        text = text.partition("\n\n")[2]
    read_unverified(text.encode("utf-8"))
    return [KeptHead(path.name, text.encode("utf-8"))]


def _of_export(path: Path) -> Iterator[KeptHead]:
    """The heads of an export; it says of the last one when the log had got there."""
    with open_bundle(path) as bundle:
        last = max(bundle.manifest.logs, key=lambda claim: claim.number, default=None)
        for source in bundle.logs():
            for note in source.checkpoints():
                ends = source.claim == last and read_checkpoint(note).size == source.size
                yield KeptHead(path.name, note, bundle.manifest.through if ends else None)


def _of_logs(directory: Path) -> Iterator[KeptHead]:
    """The heads of every log at or below a directory, as old as the last entry that each covers."""
    for ledger in find_ledgers(directory):
        yield from published_heads(ledger)
        for path in find_databases(ledger):
            try:
                with open_log(path) as source:
                    for note in source.checkpoints():
                        yield KeptHead(path.name, note, _time_of(source, note))
            except sqlite3.Error as error:
                raise Malformed(f"the log {path} cannot be read: {error}") from error


def _time_of(source: DatabaseLog, note: bytes) -> int | None:
    with contextlib.suppress(LicenseError):
        size = read_checkpoint(note).size
        row = source.connection.execute("SELECT text FROM entry WHERE n = ?", (size - 1,)).fetchone()
        return None if row is None else parse(str(row[0])).at
    return None
