"""The proof that one usage record stands in the log, for the caller who was given its `Usage-Record`."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from appliance.ledger.read.entries import entry_text
from license.errors import LicenseError
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.entry import parse
from license.evidence.log.merkle import inclusion_path
from license.evidence.log.proof import InclusionProof
from license.evidence.log.source import find_databases, find_ledgers, log_number, open_database
from license.evidence.log.tiles import stored_subtree

_HEAD: Final = "SELECT size, note FROM checkpoint ORDER BY id DESC LIMIT 1"


class NoProof(Exception):
    """There is no such entry, or it cannot be proved; says why in a sentence."""


def prove_entry(output: Path, origin: str, n: int) -> bytes:
    """Return the C2SP tlog-proof of one entry under the newest signed head of its log.

    Its text travels as the proof's `extra` data, so that the proof alone is enough to check it. Read-only.

    Args:
        output: The output mount.
        origin: Name of the log.
        n: Index of the entry.

    Raises:
        NoProof: The log, the entry or a head over it is not there.
    """
    path = _find(output, origin)
    try:
        with contextlib.closing(open_database(path)) as connection:
            return _prove(connection, n)
    except (sqlite3.Error, LookupError, LicenseError) as error:
        raise NoProof(f"the log cannot prove it: {error}") from error


def _prove(connection: sqlite3.Connection, n: int) -> bytes:
    head = connection.execute(_HEAD).fetchone()
    text = entry_text(connection, n)
    if text is None:
        raise NoProof(f"there is no entry {n}: it was never written, or its month was closed and pruned")
    if head is None or head[0] <= n:
        raise NoProof(f"no signed head covers entry {n} yet: ask again in a minute")
    note = str(head[1]).encode("utf-8")
    size = read_checkpoint(note).size
    path = inclusion_path(n, size, stored_subtree(connection))
    extra = text.encode("utf-8")
    return InclusionProof(index=n, path=tuple(path), checkpoint=note, extra=extra).to_bytes()


def _find(output: Path, origin: str) -> Path:
    for ledger in find_ledgers(output):
        for path in find_databases(ledger):
            with contextlib.suppress(sqlite3.Error, LicenseError):
                if origin.endswith(f"/{log_number(path)}") and log_origin(path) == origin:
                    return path
    raise NoProof(f"there is no log {origin} here")


def log_origin(path: Path) -> str:
    """Return the name of the log in a database; raises `LicenseError` or `sqlite3.Error` if it has none."""
    with contextlib.closing(open_database(path)) as connection:
        text = entry_text(connection, 0)
    if text is None:
        raise LicenseError(f"{path.name} has no entries")
    return parse(text).text("o")
