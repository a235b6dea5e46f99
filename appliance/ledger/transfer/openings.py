"""The vendor asks to see entries of a summary: is it the vendor, and are these the logs it means?"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from appliance.ledger.read.inclusion_proof import log_origin
from appliance.ledger.transfer.receipts import OtherHistory
from license.errors import LicenseError
from license.evidence.bundle.openings import Openings, open_openings
from license.evidence.log.merkle import root_at
from license.evidence.log.source import find_databases, open_database, open_log
from license.evidence.log.tiles import stored_subtree
from license.files import read_limited
from license.trust.delegation import DELEGATION_KIND
from license.trust.roots import TrustRoots
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import kind_of


def load_openings(ledger: Path, path: Path, roots: TrustRoots) -> Openings:
    """Return what the vendor asks for, once it is known to be the vendor's.

    Args:
        ledger: The ledger directory.
        path: The note; the `issuer.note` that came with it lies beside it.
        roots: Keys that may vouch for its issuer.

    Raises:
        OtherHistory: A log here is not the one that was asked about.
        LicenseError: It is not an authentic note of that kind, or about a log that is not here.
        OSError: It cannot be read.
    """
    note = read_limited(path, MAX_NOTE_BYTES)
    openings = open_openings(note, _issuer_notes(ledger, path.parent), roots=roots)
    databases = {_origin(database): database for database in find_databases(ledger)}
    for log in openings.logs:
        if log.head.origin not in databases:
            raise LicenseError(
                f"{path.name} is about {log.head.origin}, which is not here",
                hint="name the output mount that was exported, and the state directory beside it",
            )
        with contextlib.closing(open_database(databases[log.head.origin])) as connection:
            try:
                root = root_at(log.head.size, stored_subtree(connection))
            except LookupError:
                root = b""
        if root != log.head.root:
            raise OtherHistory(f"{path.name} is about another history of {log.head.origin}")
    return openings


def _issuer_notes(ledger: Path, beside: Path) -> Iterator[bytes]:
    """Delegations that lie beside the note, then those kept with the logs."""
    for path in sorted(beside.glob("*.note")):
        with contextlib.suppress(LicenseError):
            note = read_limited(path, MAX_NOTE_BYTES)
            if kind_of(read_unverified(note)) == DELEGATION_KIND:
                yield note
    for database in find_databases(ledger)[-1:]:
        with contextlib.suppress(sqlite3.Error, LicenseError), open_log(database) as log:
            yield from log.notes()


def missing_entries(ledger: Path, openings: Openings) -> int:
    """Return how many of the entries to be shown are not here any more: pruned, or lost."""
    count, gone = "SELECT count(*) FROM entry WHERE n >= ? AND n < ?", 0
    databases = {_origin(database): database for database in find_databases(ledger)}
    for log in openings.logs:
        with contextlib.closing(open_database(databases[log.head.origin])) as connection:
            for stretch in log.stretches:
                there = connection.execute(count, (stretch.first, stretch.stop)).fetchone()[0]
                gone += stretch.stop - stretch.first - int(there)
    return gone


def _origin(database: Path) -> str:
    try:
        return log_origin(database)
    except (sqlite3.Error, LicenseError):
        return ""
