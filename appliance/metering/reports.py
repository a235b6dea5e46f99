"""What a report says: a run of entries of one log, read from its database and summed up by day and meter.

Read-only, through connections of its own, from the columns that SQLite generates from the very texts that
are hashed and signed: there is no second count. Only entries under a signed head are reported.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.ledger.read.entries import first_entry, read_acknowledged
from license.crypto.ed25519 import SigningKey
from license.errors import LicenseError
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.entry import parse_second
from license.evidence.log.merkle import consistency_path, root_at
from license.evidence.log.source import find_databases, open_database
from license.evidence.log.tiles import stored_subtree
from license.metering_protocol import MAX_RECORDS, SignedReport, UsageRecord, UsageReport, sign_report

ENTRIES_AT_ONCE: Final = 20_000

_USES: Final = (
    "SELECT n, json_extract(text,'$.t'), meter, quantity, billed FROM entry "
    "WHERE n >= ? AND n < ? AND kind = 'use' ORDER BY n LIMIT ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One log of a ledger directory.

    Attributes:
        path: Its database.
        origin: Its name.
        size: Number of entries.
        signed: Number of entries under the newest signed head.
        acknowledged: How many entries of which log it says are counted by the endpoint.
    """

    path: Path
    origin: str
    size: int
    signed: int
    acknowledged: dict[str, int]


def find_logs(directory: Path) -> list[Log]:
    """Return the logs of a ledger directory, oldest first; one that cannot be read is left out.

    Its usage is settled by an export: the file is kept, and says what can be said.
    """
    logs = []
    for path in find_databases(directory):
        with contextlib.suppress(sqlite3.Error, LicenseError), _opened(path) as connection:
            origin = first_entry(connection).text("o")
            signed = connection.execute("SELECT max(size) FROM checkpoint").fetchone()[0] or 0
            size = connection.execute("SELECT max(n) + 1 FROM entry").fetchone()[0] or 0
            logs.append(
                Log(
                    path=path,
                    origin=origin,
                    size=int(size),
                    signed=int(signed),
                    acknowledged=read_acknowledged(connection),
                )
            )
    return logs


def acknowledged(logs: list[Log]) -> dict[str, int]:
    """Return how many entries of each log are counted, as all of them together say."""
    positions: dict[str, int] = {}
    for log in logs:
        for origin, position in log.acknowledged.items():
            positions[origin] = max(position, positions.get(origin, 0))
    return positions


def next_report(log: Log, first: int, software: str, key: SigningKey) -> SignedReport | None:
    """Return the signed report on the entries of a log from `first` on; None if there was no usage.

    It ends at the newest signed head, or earlier where a report would become too large.

    Raises:
        LookupError: Hashes of the log are missing.
        sqlite3.Error: The database cannot be read.
    """
    with _opened(log.path) as connection:
        rows = connection.execute(_USES, (first, log.signed, ENTRIES_AT_ONCE)).fetchall()
        report = _add_up(log, first, software, rows)
        if report is None:
            return None
        subtree = stored_subtree(connection)
        root = root_at(report.next, subtree)
        return sign_report(report, root=root, growth=consistency_path(first, report.next, subtree), key=key)


def head_of(log: Log, since: int) -> tuple[Checkpoint, tuple[bytes, ...]]:
    """Return the head of a log up to its newest signed one, and the proof that it grew from `since` entries.

    The proof is empty where there is nothing to prove, or the log is shorter than that.

    Raises:
        LookupError: Hashes of the log are missing.
        sqlite3.Error: The database cannot be read.
    """
    with _opened(log.path) as connection:
        subtree = stored_subtree(connection)
        growth = consistency_path(since, log.signed, subtree) if 0 < since < log.signed else ()
        root = root_at(log.signed, subtree)
        return Checkpoint(origin=log.origin, size=log.signed, root=root), tuple(growth)


def _add_up(
    log: Log, first: int, software: str, rows: list[tuple[int, str, str, int, int]]
) -> UsageReport | None:
    sums: dict[tuple[str, str], list[int]] = {}
    stop = log.signed
    for n, time, meter, quantity, billed in rows:
        key = (time[:10], meter)
        if key not in sums and len(sums) == MAX_RECORDS:
            stop = n
            break
        entries = sums.setdefault(key, [0, 0, 0, 0])
        entries[:] = (
            entries[0] + 1,
            entries[1] + quantity,
            entries[2] + billed,
            max(entries[3], parse_second(time)),
        )
    else:
        if len(rows) == ENTRIES_AT_ONCE:
            stop = rows[-1][0] + 1
    if not sums:
        return None
    records = (
        UsageRecord(meter=meter, entries=n, quantity=quantity, billed=billed, at=at)
        for (_, meter), (n, quantity, billed, at) in sums.items()
    )
    return UsageReport(log=log.origin, first=first, next=stop, software=software, records=tuple(records))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(open_database(path)) as connection:
        yield connection
