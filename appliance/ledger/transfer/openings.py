"""The vendor asks to see entries of a summary: is it the vendor, and are these the logs it means?"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.ledger.read.inclusion_proof import log_origin
from appliance.ledger.transfer.receipts import OtherHistory
from license.errors import LicenseError
from license.evidence.bundle.openings import Openings, open_openings
from license.evidence.log.merkle import root_at
from license.evidence.log.source import find_databases, open_database, open_log
from license.evidence.log.tiles import stored_subtree
from license.files import read_limited
from license.trust.delegations import DelegationSet
from license.trust.roots import TrustRoots
from license.trust.signed_note import MAX_NOTE_BYTES

_MAX_BESIDE: Final = 100


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
    openings = open_openings(note, DelegationSet(_notes_with(ledger, path), roots=roots))
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


def _notes_with(ledger: Path, path: Path) -> Iterator[bytes]:
    """The notes that lie beside it, then those kept with the newest log."""
    for beside in sorted(path.parent.glob("*.note"))[:_MAX_BESIDE]:
        with contextlib.suppress(LicenseError):
            yield read_limited(beside, MAX_NOTE_BYTES)
    for database in find_databases(ledger)[-1:]:
        with contextlib.suppress(sqlite3.Error), open_log(database) as log:
            yield from log.notes()


def count_opened(ledger: Path, openings: Openings) -> tuple[int, int]:
    """Return how many usage entries are to be shown, and how many of them were pruned, or lost."""
    uses = "SELECT count(*), coalesce(sum(kind = 'use'), 0) FROM entry WHERE n >= ? AND n < ?"
    asked = gone = 0
    databases = {_origin(database): database for database in find_databases(ledger)}
    for log in openings.logs:
        with contextlib.closing(open_database(databases[log.head.origin])) as connection:
            for stretch in log.stretches:
                there, used = connection.execute(uses, (stretch.first, stretch.stop)).fetchone()
                missing = stretch.stop - stretch.first - int(there)
                asked, gone = asked + int(used) + missing, gone + missing
    return asked, gone


def _origin(database: Path) -> str:
    try:
        return log_origin(database)
    except (sqlite3.Error, LicenseError):
        return ""
