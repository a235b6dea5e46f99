"""One usage log in one SQLite file: transactions in, rows out. Knows nothing of what entries mean.

Used by one thread at a time. Write-ahead log with `synchronous=FULL`: what `append` returned from survives a
power cut. A failed `append` leaves nothing in this connection's sight; whether its bytes may still turn up
after a crash only `reopen` can say.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from appliance.ledger.log.schema import INDEX, TABLES
from appliance.ledger.read.day_sums import DaySums, read_day_sums
from appliance.ledger.read.entries import read_acknowledged, read_carried
from appliance.ledger.read.text_tree import last_tile_fits, text_subtree
from license.evidence.log.entry import Entry, Sums, parse
from license.evidence.log.merkle import TILE_WIDTH, Frontier

_INSERT_ENTRY = "INSERT INTO entry (n, text, leaf) VALUES (?, ?, ?)"
_INSERT_TILE = "INSERT INTO tile (level, idx, root) VALUES (?, ?, ?)"
_INSERT_TREE = (
    "INSERT INTO tree (id, origin, size, frontier, effective, uptime, boot) VALUES (1, ?, 0, x'', 0, 0.0, '')"
)
_UPDATE_TREE = "UPDATE tree SET size = ?, frontier = ?, effective = ?, uptime = ?, boot = ? WHERE id = 1"
_EVENTS = "SELECT text FROM entry WHERE kind = ? AND kind <> 'use'"  # as the index `entry_events` is made
_LAST_CHECKPOINT = "SELECT at, CAST(note AS BLOB) FROM checkpoint ORDER BY id DESC LIMIT 1"
_BUSY_SECONDS = 5
# SQLite looks through the whole file; beyond this size that is left to `appliance.ledger.log.scrubber`.
CHECKED_BYTES = 64 * 1024 * 1024
_File = tuple[int, int]
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Damaged(Exception):
    """The log on disk is not what was written: it must be set aside, never repaired.

    Args:
        reason: One word for the `recover` entry.
        detail: One sentence for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Displaced(Exception):
    """The file that was written to is no longer the one that lies in the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed head to be stored with the entries it covers."""

    size: int
    at: int
    why: str
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Everything that one transaction writes.

    Attributes:
        entries: `(n, text, leaf hash)` in order.
        tiles: `(level, index, root)` of the subtrees that became complete.
        frontier: The tree afterwards.
        mark: Effective time, uptime and boot, for the clock to go on from.
        signed: The checkpoint over it all, if one is due.
        notes: `(sha256, note)` that the entries name.
        pruned: Checkpoints signed on this occasion before the batch are dropped: a later one covers them.
    """

    entries: Sequence[tuple[int, str, bytes]]
    tiles: Sequence[tuple[int, int, bytes]]
    frontier: Frontier
    mark: tuple[int, float, str]
    signed: Signed | None = None
    notes: Sequence[tuple[str, bytes]] = ()
    pruned: str = ""


class TreeRow(NamedTuple):
    """The tree as it is on disk: name and size of the log, its edge, and effective time."""

    origin: str
    size: int
    frontier: bytes
    effective: int


class CheckpointRow(NamedTuple):
    """A signed head, and when it was signed."""

    at: int
    note: bytes


@contextlib.contextmanager
def corruption_is_damage() -> Iterator[None]:
    """Turn SQLite's word for corruption into `Damaged`; a lock or a failing disk is none and passes."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_corruption(error):
            raise
        raise Damaged("corrupt", f"SQLite cannot read it: {error}") from error


def is_corruption(error: BaseException) -> bool:
    """Say whether SQLite means that the file itself is wrong, not the disk or a lock."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES


class Store:
    """The SQLite file of one log.

    Args:
        path: The database.
        new: Make it if it is missing; otherwise a missing one is damage.

    Raises:
        Damaged: It is missing, not a database, or not one of ours.
        OSError, sqlite3.Error: It cannot be opened or written.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self._main, self._wal = str(path), f"{path}-wal"
        if new:
            path.touch(mode=0o600)
        self._connect()

    def _connect(self) -> None:
        try:
            self._files: tuple[_File, _File | None] = (_identity(self._main), None)
            self._wal_bytes = 0
        except Displaced as error:
            # Without its directory, a whole mount may be gone: that is not damage, it may come back.
            self.path.parent.stat()
            raise Damaged("missing", f"{self.path.name} is missing") from error
        self._connection = sqlite3.connect(
            # Never made here: what is missing was there.
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            # Transactions are ours: the driver begins none by itself. One thread at a time is the caller's
            # word.
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )
        try:
            with corruption_is_damage():
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            self._connection.close()
            raise

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for reading."""
        return self._connection

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._connection.close()

    def reopen(self) -> None:
        """Begin anew after a failure: only what is on disk counts.

        What was written to a write-ahead log that somebody removed meanwhile is still held by this
        connection: it goes into the main file first.

        Raises:
            Damaged: The file is missing or is no longer a database.
            OSError, sqlite3.Error: The disk does not allow it yet.
        """
        with contextlib.suppress(sqlite3.Error):
            self.settle()
        self.close()
        self._connect()

    def settle(self) -> None:
        """Move everything from the write-ahead log into the main file, durably, and empty the former.

        After a failed write this is what makes the rest trustworthy: the system may show pages of the
        write-ahead log that never reached the disk, and will not write them again by itself.

        Raises:
            sqlite3.Error: The disk does not allow it, or a reader is in the way.
        """
        self._wal_bytes = 0
        with corruption_is_damage():
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("a reader keeps the write-ahead log from being folded")

    def _check_wal(self) -> None:
        """Check that nobody cut the write-ahead log short: SQLite would write on behind the hole."""
        if self._wal_bytes and _status(self._wal).st_size < self._wal_bytes:
            raise Displaced(f"{self.path.name}-wal was cut short while it was in use")

    def _check_files(self) -> None:
        """Check that what was written lies where the next start will look for it."""
        status = _status(self._wal)
        main, wal = _identity(self._main), (status.st_dev, status.st_ino)
        before_main, before_wal = self._files
        if main != before_main or before_wal not in (None, wal):
            raise Displaced(f"{self.path.name} was replaced while it was in use")
        self._files, self._wal_bytes = (main, wal), status.st_size

    def create(self, origin: str) -> None:
        """Make the tables of an empty log."""
        execute = self._connection.execute
        for statement in (*TABLES.values(), INDEX):
            execute(statement)
        execute(_INSERT_TREE, (origin,))

    def check(self) -> None:
        """Look for damage that SQLite can see, in a file of moderate size, and for tables that are not ours.

        Raises:
            Damaged: There is some.
        """
        with corruption_is_damage():
            result = "ok"
            if self.path.stat().st_size <= CHECKED_BYTES:
                result = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            schema = dict(self._connection.execute("SELECT name, sql FROM sqlite_schema WHERE type='table'"))
            others = self._connection.execute(
                "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')"
            ).fetchone()[0]
        if result != "ok":
            raise Damaged("corrupt", f"SQLite finds it damaged: {result}")
        expected = {name: sql.split() for name, sql in TABLES.items()}
        if others or {name: sql.split() for name, sql in schema.items()} != expected:
            raise Damaged("schema", "its tables are not those this software makes")

    def append(self, batch: Batch) -> None:
        """Write a batch durably, all or nothing.

        Raises:
            sqlite3.Error: Nothing was written; `reopen` before going on.
            Displaced, OSError: The files are no longer those that were written to. Nothing was written.
        """
        self._check_wal()
        connection = self._connection
        execute = connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_INSERT_ENTRY, batch.entries)
            if batch.tiles:
                connection.executemany(_INSERT_TILE, batch.tiles)
            frontier = batch.frontier
            execute(_UPDATE_TREE, (frontier.size, frontier.to_bytes(), *batch.mark))
            if batch.signed is not None or batch.notes:
                self._append_signed(batch)
            execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                execute("ROLLBACK")
            raise
        self._check_files()

    def _append_signed(self, batch: Batch) -> None:
        for sha256, note in batch.notes:
            self._connection.execute(
                "INSERT OR IGNORE INTO note (sha256, note) VALUES (?, ?)", (sha256, note)
            )
        if batch.pruned:
            self._connection.execute("DELETE FROM checkpoint WHERE why = ?", (batch.pruned,))
        if batch.signed is not None:
            s = batch.signed
            self._connection.execute(
                "INSERT INTO checkpoint (size, at, why, note) VALUES (?, ?, ?, ?)",
                (s.size, s.at, s.why, s.note.decode("utf-8")),
            )

    def tree(self) -> TreeRow | None:
        """Return the row of the tree as it is on disk; None in a file without a complete log."""
        if not self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name='tree'").fetchone():
            return None
        row = self._connection.execute(
            "SELECT origin, size, frontier, effective FROM tree WHERE id = 1"
        ).fetchone()
        return TreeRow(*row) if row is not None and row[1] else None

    def last_checkpoint(self) -> CheckpointRow | None:
        """Return the newest checkpoint."""
        row = self._connection.execute(_LAST_CHECKPOINT).fetchone()
        return None if row is None else CheckpointRow(*row)

    def entry(self, n: int) -> Entry:
        """Return one entry; raises `IndexError` where there is none."""
        row = self._connection.execute("SELECT text FROM entry WHERE n = ?", (n,)).fetchone()
        if row is None:
            raise IndexError(n)
        return parse(row[0])

    def size(self) -> int:
        """Return the number of entries that are there, whatever the tree says."""
        last = self._connection.execute("SELECT max(n) FROM entry").fetchone()[0]
        return 0 if last is None else int(last) + 1

    def events(self, kind: str) -> list[Entry]:
        """Return the entries of this kind in order; for kinds other than `use`."""
        return [parse(text) for (text,) in self._connection.execute(f"{_EVENTS} ORDER BY n", (kind,))]

    def last_event(self, kind: str) -> Entry | None:
        """Return the newest entry of this kind; for kinds other than `use`."""
        row = self._connection.execute(f"{_EVENTS} ORDER BY n DESC LIMIT 1", (kind,)).fetchone()
        return None if row is None else parse(row[0])

    def acknowledged(self) -> dict[str, int]:
        """Return how many entries of each log were metered, as the newest `ack` entries say."""
        return read_acknowledged(self._connection)

    def carried(self) -> dict[int, Sums]:
        """Return by day the usage that `carry` entries name."""
        return read_carried(self._connection)

    def day_sums(self, first: Entry) -> DaySums:
        """Return the usage by day; `first` is the first entry."""
        return read_day_sums(self._connection, first)

    def subtree(self, height: int, index: int) -> bytes:
        """Return the root of the complete subtree over leaves `[index << height, (index + 1) << height)`.

        Leaves are hashed from the texts, and taken from where pruning left them; from height 8 up, stored
        tiles are used.

        Raises:
            Damaged: Entries or tiles are missing.
        """
        try:
            return text_subtree(self._connection)(height, index)
        except LookupError as error:
            raise Damaged("tree", str(error)) from error

    def check_last_tile(self, size: int) -> None:
        """Check that the last complete tile is the one its entries hash to.

        Raises:
            Damaged: It is not.
        """
        if not last_tile_fits(size, self.subtree):
            end = size - size % TILE_WIDTH
            raise Damaged("tree", f"the entries before {end} are not those that were hashed")


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 (called around every commit)
    except FileNotFoundError as error:
        raise Displaced(f"{path} was removed while it was in use") from error


def _identity(path: str) -> _File:
    status = _status(path)
    return status.st_dev, status.st_ino
