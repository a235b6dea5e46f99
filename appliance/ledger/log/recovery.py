"""Opening the ledger of an installation: the log that is there, its successor, or the first one.

A log that is not what was written is never repaired. It is set aside under the name `damaged-<k>.db`, and log
k+1 begins with a `recover` entry that names the last head that was signed, and the reason. That head is kept
in `damaged-<k>.checkpoint`, so that whoever has the directory can see whether anything below it is gone.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.ledger.log.anchors import read_all
from appliance.ledger.log.appender import JournalContext
from appliance.ledger.log.journal import Journal, Predecessor
from appliance.ledger.log.sqlite_store import Damaged, Store
from appliance.ledger.log.state import check_head, load_state
from appliance.ledger.read.high_water import recorded_high_water
from license.errors import LicenseError
from license.evidence.log.checkpoint import Checkpoint, read_checkpoint
from license.evidence.log.merkle import EMPTY_ROOT
from license.evidence.log.source import find_databases, last_words_file, log_number
from license.evidence.verify.witness import proven_heads
from license.files import read_limited, sync_directory, write_atomic
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.usage")

_MAX_CHECKPOINT_BYTES = 65_536
_SUFFIXES = ("", "-wal", "-shm")

# A head that somebody kept, and its note where there is one.
_Kept = tuple[Checkpoint, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the logs of an installation are kept.

    Attributes:
        directory: The ledger directory, locked by whoever opens a log in it.
        context: The installation; its copies of the last checkpoint say what must be there, and so do the
            heads that the licence carries.
        prefix: Origin of its logs without the number.
        known: The log that was written last, as the state directory says; empty where it says nothing.
    """

    directory: Path
    context: JournalContext
    prefix: str
    known: str = ""


def open_journal(place: Place, license: AuthenticLicense) -> Journal:
    """Open the newest log of a place, or begin one.

    Raises:
        OSError, sqlite3.Error: The disk does not allow it.
    """
    directory, context, prefix = place.directory, place.context, place.prefix
    copies = [_head(path) for path in context.copies]
    copies += read_all(context.anchors, lambda anchor: _head(anchor.path, anchor.read))
    kept = [head for head in copies if head is not None]
    # What the vendor accepted must be there as well: a disk put back to an older state is not gone on with.
    accepted = proven_heads(license)
    kept += [(Checkpoint(origin=head.origin, size=head.size, root=head.root), b"") for head in accepted]
    numbers = [log_number(path) for path in find_databases(directory)]
    numbers += [k for head, _ in kept if (k := _number(head.origin, prefix))]
    numbers += [k for k in [_number(place.known, prefix)] if k]
    if not numbers:
        return _begin_first(place, license)
    number = max(numbers)
    origin = f"{prefix}/{number}"
    signed = [(head, note) for head, note in kept if head.origin == origin]
    try:
        return _load(directory / _name(number), context, origin=origin, heads=[head for head, _ in signed])
    except Damaged as damage:
        if damage.reason == "empty" and not signed:
            # Cut off while it was made: nothing in it was ever signed, so it is made again.
            _move(directory, number, to=None)
            earlier = f"{prefix}/{number - 1}"
            last = [(head, note) for head, note in kept if head.origin == earlier]
            before = _predecessor(last, earlier, "interrupted") if number > 1 else None
            return _begin(place, number, license, before=before)
        return _set_aside(place, number, license, damage, before=_predecessor(signed, origin, damage.reason))


def _begin_first(place: Place, license: AuthenticLicense) -> Journal:
    """Begin the first log; or, where a day key is left of one before, its successor: that one is missing."""
    kept = {k: origin for origin in place.context.keys.origins() if (k := _number(origin, place.prefix))}
    if not kept:
        return _begin(place, 1, license)
    number = max(kept)
    _log.error("the usage log %s is missing: only the key of its day is left", kept[number])
    return _begin(place, number + 1, license, before=_predecessor([], kept[number], "missing"))


def succeed(place: Place, journal: Journal, damage: Damaged) -> Journal:
    """Set a log aside that turned out damaged while it was in use, and open its successor, ready for use.

    May be tried again with the same journal after a failure.

    Raises:
        OSError, sqlite3.Error: The disk does not allow it yet.
    """
    license = journal.license
    if license is None:
        raise RuntimeError("a log is written under a licence")
    origin = journal.state.origin
    note = journal.sign_last_head()
    with contextlib.suppress(sqlite3.Error):
        journal.close()
    number = _number(origin, place.prefix)
    if max((log_number(path) for path in find_databases(place.directory)), default=0) > number:
        successor = open_journal(place, license)  # an attempt before came that far
    else:
        before = Predecessor(reason=damage.reason, head=read_checkpoint(note), note=note)
        successor = _set_aside(place, number, license, damage, before=before)
    successor.boot(license)
    return successor


def _set_aside(
    place: Place, number: int, license: AuthenticLicense, damage: Damaged, *, before: Predecessor
) -> Journal:
    _log.error("the usage log %s/%d is set aside: %s", place.prefix, number, damage)
    if before.note:
        write_atomic(place.directory / last_words_file(number), before.note)
    _move(place.directory, number, to="damaged")
    return _begin(place, number + 1, license, before=before)


def _load(path: Path, context: JournalContext, *, origin: str, heads: list[Checkpoint]) -> Journal:
    store = Store(path)
    try:
        store.check()
        identity = context.identity.verifying
        state = load_state(store, origin=origin, identity=identity, keys=context.keys)
        for head in heads:
            check_head(store, state, head)
        context.clock.raise_floor(state.effective)
        return Journal(store, context, state)
    except BaseException:
        store.close()
        raise


def _begin(
    place: Place, number: int, license: AuthenticLicense, *, before: Predecessor | None = None
) -> Journal:
    high_water = recorded_high_water(place.directory)
    store = Store(place.directory / _name(number), new=True)
    try:
        return Journal.begin(
            store,
            place.context,
            origin=f"{place.prefix}/{number}",
            license=license,
            high_water=high_water,
            predecessor=before,
        )
    except BaseException:
        store.close()
        raise


def _predecessor(kept: list[_Kept], origin: str, reason: str) -> Predecessor:
    nothing = (Checkpoint(origin=origin, size=0, root=EMPTY_ROOT), b"")
    head, note = max(kept, key=lambda kept_head: (kept_head[0].size, kept_head[1]), default=nothing)
    return Predecessor(reason=reason, head=head, note=note)


def _move(directory: Path, number: int, *, to: str | None) -> None:
    """Rename a log's files, or remove them."""
    for suffix in _SUFFIXES:
        path = directory / (_name(number) + suffix)
        if to is None:
            path.unlink(missing_ok=True)
        elif path.exists():
            path.rename(directory / f"{to}-{number}.db{suffix}")
    sync_directory(directory)


def _name(number: int) -> str:
    return f"ledger-{number}.db"


def _head(path: Path, read: Callable[[Path, int], bytes] = read_limited) -> _Kept | None:
    """Read a copy of the last checkpoint; one that cannot be read proves nothing."""
    try:
        note = read(path, _MAX_CHECKPOINT_BYTES)
        return read_checkpoint(note), note
    except LicenseError as error:
        if path.exists():
            _log.warning("the copy of the last checkpoint in %s cannot be read: %s", path, error)
        return None


def _number(origin: str, prefix: str) -> int:
    start, _, number = origin.rpartition("/")
    return int(number) if start == prefix and number.isdecimal() and number.isascii() else 0
