"""Usage that other logs recorded, hashed up to their last signed head before it counts for anything.

Other logs are those of this installation that were set aside or taken over from, and those of other
installations in the same output directory: of a bearer licence, say, whose state directory is new. They are
read as they lie there, and never written.
"""

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from appliance.ledger.log.rehash import check_summed
from appliance.ledger.log.sqlite_store import Damaged
from appliance.ledger.read.day_sums import DaySums, read_day_sums
from appliance.ledger.read.entries import first_entry, read_carried, read_events
from appliance.ledger.read.text_tree import last_tile_fits, text_subtree
from appliance.ledger.read.totals import Days, RunningTotals, greater
from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from license.evidence.log.entry import Entry, Sums
from license.evidence.log.merkle import Frontier, root_at
from license.evidence.log.source import find_databases, open_database, published_heads
from license.licenses.license import LICENSE_KIND
from license.trust.signed_note import read_unverified
from license.trust.statement import parse_statement

_log = logging.getLogger("appliance.usage")

UNREADABLE: Final = (sqlite3.Error, LicenseError, LookupError, ValueError, TypeError, OSError)
"""What reading a log may raise, whatever somebody put into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedUsage:
    """What one log says.

    Attributes:
        origin: Its name.
        days: Usage that it recorded.
        carried: Usage of others that it counted, by its `carry` entries.
        subscriptions: Of the licences that were in force.
        proven: Whether all this is what was hashed and signed.
    """

    origin: str
    days: Days
    carried: Days
    subscriptions: frozenset[str]
    proven: bool


def read_logs(directory: Path, *, but: str = "") -> Iterator[LoggedUsage]:
    """Read every log of a ledger directory but one; of one that is not proven, what its entries say.

    A log that cannot be read at all is left out. Each that is not proven is named in the service's log.
    """
    heads = read_heads(directory)
    for path in find_databases(directory):
        try:
            with contextlib.closing(open_database(path)) as connection:
                first = first_entry(connection)
                if first.text("o") != but:
                    yield _read(path, connection, first, heads)
        except UNREADABLE as error:
            _log.error("the usage log %s cannot be read and does not count: %s", path, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What the logs of other installations say.

    Attributes:
        used: What they recorded, added up.
        known: What one of them knew of, its own and others' usage together; the greatest of each day.
    """

    used: Days
    known: Days


def merge_copies(logs: Iterable[LoggedUsage]) -> list[LoggedUsage]:
    """Return each log once: a copy, such as a backup that lies beside it, tells of the same usage."""
    found: dict[tuple[str, bool], LoggedUsage] = {}
    for log in logs:
        other = found.get((log.origin, log.proven), log)
        found[log.origin, log.proven] = replace(
            log,
            days=greater(log.days, other.days),
            carried=greater(log.carried, other.carried),
            subscriptions=log.subscriptions | other.subscriptions,
        )
    return list(found.values())


def read_installations(service: Path, *, but: Path, prefix: str, subscription: str) -> Others:
    """Return what other installations used under a subscription, by their logs in the same output directory.

    A directory that holds a copy of logs of one's own is no other installation: it adds nothing to what was
    used, but may know of more.

    Args:
        service: The directory that holds the ledger directories.
        but: The own one.
        prefix: Origin of the own logs without the number.
        subscription: The resource that pays.
    """
    everything: list[LoggedUsage] = []
    greatest = dict[int, Sums]()
    for directory in sorted(path for path in service.iterdir() if path.is_dir() and path != but):
        own, carried = RunningTotals(), dict[int, Sums]()
        logs = [log for log in read_logs(directory) if log.proven and subscription in log.subscriptions]
        for log in merge_copies(logs):
            own.add_days(log.days)
            carried = greater(carried, log.carried)
        own.add_days(carried)
        greatest = greater(greatest, own.days())
        everything += logs
    used = RunningTotals()
    for log in merge_copies(everything):
        if log.origin.rpartition("/")[0] != prefix:
            used.add_days(log.days)
    return Others(used=used.days(), known=greatest)


def _read(
    path: Path, connection: sqlite3.Connection, first: Entry, heads: Sequence[Checkpoint]
) -> LoggedUsage:
    days = read_day_sums(connection, first)
    proven = True
    try:
        _prove(connection, first, days, heads)
    except (*UNREADABLE, Damaged) as error:
        proven = False
        _log.error("the usage log %s is not what was signed: %s", path, error)
    totals = RunningTotals()
    for day, sums in days.all():
        totals.add_past(day, sums)
    return LoggedUsage(
        origin=first.text("o"),
        days=totals.days(),
        carried=read_carried(connection),
        subscriptions=_subscriptions(connection),
        proven=proven,
    )


def prove_log(connection: sqlite3.Connection, heads: Sequence[Checkpoint]) -> int:
    """Check a log as a start does, and return the number of its entries; errors as those of `_prove`."""
    first = first_entry(connection)
    return _prove(connection, first, read_day_sums(connection, first), heads)


def _prove(connection: sqlite3.Connection, first: Entry, days: DaySums, heads: Sequence[Checkpoint]) -> int:
    """Check a log as a start does, from its texts to its last head and to those that lie beside it.

    Raises:
        Damaged: It is not what was signed.
        LicenseError, LookupError, ValueError, TypeError, sqlite3.Error: It cannot be read.
    """
    instance = VerifyingKey.from_vkey(first.text("i"))
    if first.text("o").split("/")[2:3] != [instance.fingerprint]:
        raise Damaged("origin", "its name is not that of the key that opened it")
    size, stored = connection.execute("SELECT size, frontier FROM tree").fetchone() or (0, b"")
    if connection.execute("SELECT max(n) + 1 FROM entry").fetchone()[0] != size:
        raise Damaged("tree", "entries are missing, or were added")
    subtree = text_subtree(connection)
    if not last_tile_fits(size, subtree) or Frontier.at(size, subtree).to_bytes() != bytes(stored):
        raise Damaged("tree", f"the {size} entries are not those that were hashed")
    keys = [instance, *(VerifyingKey.from_vkey(entry.text("vk")) for entry in (first, *_turns(connection)))]
    (note,) = connection.execute("SELECT note FROM checkpoint ORDER BY id DESC LIMIT 1").fetchone() or ("",)
    last = open_checkpoint(str(note).encode("utf-8"), keys).checkpoint
    for head in (last, *(head for head in heads if head.origin == first.text("o"))):
        if head.size > size or root_at(head.size, subtree) != head.root:
            raise Damaged("tree", f"the first {head.size} entries are not those that were signed")
    check_summed(connection, size, days)
    return int(size)


def _turns(connection: sqlite3.Connection) -> list[Entry]:
    """The last head is by the key of its day, or by the one that certified it."""
    return read_events(connection, "key")[-2:]


def read_heads(directory: Path) -> list[Checkpoint]:
    """Return the signed heads that lie beside the logs of a directory."""
    heads = []
    for kept in published_heads(directory):
        with contextlib.suppress(LicenseError):
            heads.append(read_checkpoint(kept.note))
    return heads


def _subscriptions(connection: sqlite3.Connection) -> frozenset[str]:
    """The resources that paid, by the licences whose hashes the log holds."""
    found = set()
    for entry in read_events(connection, "lic"):
        row = connection.execute("SELECT note FROM note WHERE sha256 = ?", (entry.text("h"),)).fetchone()
        note = bytes(row[0]) if row is not None and isinstance(row[0], bytes) else b""
        if hashlib.sha256(note).hexdigest() == entry.text("h"):
            # It was verified when it came into force; here it only says whose log this is.
            claims = parse_statement(read_unverified(note), LICENSE_KIND, understood=("connected",))
            found.add(str(claims.get("subscription", "")))
    return frozenset(found)
