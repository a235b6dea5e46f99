"""Retention: the usage entries of closed months may go once the vendor's receipt covers them.

What goes are the `use` entries alone. Their hashes stay, and so do every other entry, the signed sums of
each day and month, and every signed head: proofs about the rest hold as before, and the totals can still be
checked against what was signed. Nothing is pruned of a log in which anything is broken.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import LedgerLocked
from appliance.ledger.log.directory_lock import LOCK_FILE, Lock
from appliance.ledger.read.entries import read_events
from license.errors import LicenseError
from license.evidence.log.merkle import TILE_WIDTH
from license.evidence.log.source import find_databases, find_ledgers, open_log
from license.evidence.verify.result import LogReport, Severity
from license.evidence.verify.verify import verify_log
from license.evidence.verify.witness import witnessed_heads
from license.trust.roots import TrustRoots

_BATCH: Final = 100_000
_BUSY_SECONDS: Final = 5
_COUNT: Final = "SELECT count(*) FROM entry WHERE kind = 'use' AND n < ?"
_KEEP_HASHES: Final = (
    "INSERT INTO tile (level, idx, root) SELECT 0, n, leaf FROM entry WHERE kind = 'use' AND n >= ? AND n < ?"
)
_DELETE: Final = "DELETE FROM entry WHERE kind = 'use' AND n >= ? AND n < ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What may be pruned of one log, or why nothing may.

    Attributes:
        path: Its database.
        origin: Its name.
        entries: Number of `use` entries that go.
        stop: The index before which they lie.
        through: The last month that is pruned, `YYYY-MM`; empty if nothing is.
        reason: Why nothing is pruned; empty if something is.
    """

    path: Path
    origin: str
    entries: int
    stop: int
    through: str
    reason: str


def plan_pruning(output: Path, roots: TrustRoots, *, before: str | None = None) -> list[Pruning]:
    """Return what may be pruned of every log at or below a directory; verifies each of them first.

    Args:
        output: The output mount.
        roots: Keys that may vouch for receipts.
        before: Prune only months before this one, `YYYY-MM`.
    """
    return [_plan(path, roots, before) for ledger in find_ledgers(output) for path in find_databases(ledger)]


def _plan(path: Path, roots: TrustRoots, before: str | None) -> Pruning:
    try:
        with open_log(path) as source:
            report = verify_log(source, roots)
            covered = max(
                (
                    witnessed.head.size
                    for witnessed in witnessed_heads(source.notes(), roots)
                    if witnessed.receipt and not witnessed.fault and witnessed.head.origin == report.log
                ),
                default=0,
            )
            closes = read_events(source.connection, "close")
            closed = [
                (entry.number("hi") + 1, entry.text("mo"))
                for entry in closes
                if entry.n < covered and (before is None or entry.text("mo") < before)
            ]
            # A start hashes the last complete tile and what follows it anew: they stay as they are.
            limit = max(0, (source.size // TILE_WIDTH - 1) * TILE_WIDTH)
            stop, through = max(closed, default=(0, ""))
            stop = min(stop, limit)
            entries = int(source.connection.execute(_COUNT, (stop,)).fetchone()[0])
    except (sqlite3.Error, LicenseError) as error:
        return Pruning(
            path=path, origin=path.name, entries=0, stop=0, through="", reason=f"it cannot be read: {error}"
        )
    reason = _reason(report, covered=covered, through=through, entries=entries)
    if reason:
        return Pruning(path=path, origin=report.log, entries=0, stop=0, through="", reason=reason)
    return Pruning(path=path, origin=report.log, entries=entries, stop=stop, through=through, reason="")


def _reason(report: LogReport, *, covered: int, through: str, entries: int) -> str:
    broken = next((f for f in report.findings if f.severity is Severity.BROKEN), None)
    if broken is not None:
        return f"the log is broken ({broken.code}: {broken.message}): nothing is removed from a broken log"
    if report.replicas:
        return "it is the log of a site's desk, whose entries say how far the logs of replicas are counted"
    if not covered:
        return "no receipt covers it"
    if not through:
        return "no receipt covers a closed month"
    return "" if entries else "nothing is left to prune"


def prune(pruning: Pruning) -> None:
    """Carry out what was planned; the service must not run.

    Batch by batch, each one transaction: cut off at any point, the log is whole and the rest can follow.

    Raises:
        LedgerLocked: The service runs.
        OutputError: The lock file cannot be opened.
        sqlite3.Error: The disk does not allow it; what was done stays done.
    """
    with _locked(pruning.path.parent):
        connection = sqlite3.connect(pruning.path, isolation_level=None, timeout=_BUSY_SECONDS)
        with contextlib.closing(connection):
            connection.execute("PRAGMA synchronous=FULL")
            for start in range(0, pruning.stop, _BATCH):
                some = (start, min(start + _BATCH, pruning.stop))
                connection.execute("BEGIN IMMEDIATE")
                try:
                    connection.execute(_KEEP_HASHES, some)
                    connection.execute(_DELETE, some)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextlib.contextmanager
def _locked(ledger: Path) -> Iterator[None]:
    try:
        lock = Lock(ledger / LOCK_FILE)
    except LedgerLocked as error:
        raise LedgerLocked(
            f"the service writes the ledger in {ledger}", hint="stop it first, prune, then start it again"
        ) from error
    try:
        yield
    finally:
        lock.release()
