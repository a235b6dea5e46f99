"""Where the bytes of a usage log come from: a ledger directory, read without disturbing who writes there.

The standard library's `sqlite3` only, read-only, one snapshot for all that is read.
"""

import contextlib
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from license.errors import LicenseError
from license.evidence.log.entry import Sums, Tally
from license.evidence.log.merkle import Subtree, cut
from license.evidence.log.tiles import stored_subtree
from license.files import read_limited
from license.trust.signed_note import MAX_NOTE_BYTES

CHECKPOINT_FILE: Final = "checkpoint"
RECEIPTS: Final = "receipts"
_MAX_RECEIPTS: Final = 2_000
_DATABASE: Final = re.compile(r"(?:ledger|damaged)-([1-9][0-9]{0,8})\.db")
_MAX_CHECKPOINT_FILE: Final = 65_536

# For each entry: index, exact text, and the leaf hash stored when it was written (b"" if there is none).
Row = tuple[int, str, bytes]


_NAME_AND_SIZE: Final = (
    "SELECT json_extract(text,'$.o'), (SELECT max(n) + 1 FROM entry) FROM entry "
    "WHERE n = 0 AND json_extract(text,'$.o') IS NOT NULL"
)
_NO_LOG: Final = (sqlite3.Error, LicenseError, ValueError, TypeError, OSError)


class KeptHead(NamedTuple):
    """A signed head that was found elsewhere than in its log.

    Attributes:
        where: Where, in a word for people.
        note: Its bytes.
        at: Effective time at which it was signed, in Unix seconds, if whoever kept it says so.
    """

    where: str
    note: bytes
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Entries that are not shown: only hashes of the subtrees over them (`license.evidence.log.merkle.cut`).

    Attributes:
        first: Index of the first one.
        count: How many.
        hashes: Roots of the subtrees, in order.
    """

    first: int
    count: int
    hashes: tuple[bytes, ...]

    @property
    def stop(self) -> int:
        """Index after the last one."""
        return self.first + self.count


class LogSource(Protocol):
    """One log to be verified."""

    @property
    def summary(self) -> bool:
        """Whether it is a summary, which shows no usage entries; otherwise a gap needs a receipt."""
        ...

    @property
    def size(self) -> int:
        """Number of entries, shown or not."""
        ...

    @property
    def export_end(self) -> int | None:
        """Time of the last entry of the export that it ends with, in Unix seconds: it may have gone on since.

        None where nothing can come after it: it is the log itself, or has a successor in its export.
        """
        ...

    def gaps(self, first: int, stop: int, sizes: Iterable[int]) -> Sequence[Gap]:
        """The gaps that hide the entries from `first` up to (not including) `stop`; none where they are lost.

        They meet at each of `sizes` that lies between, so that a head of that size can be compared.
        """
        ...

    def notes(self) -> Iterable[bytes]:
        """Every licence, issuer note and receipt kept with the log."""
        ...

    def added_notes(self) -> Collection[bytes]:
        """Those of the notes that others kept, and that may be newer than the log as it is shown."""
        ...

    def withheld(self, sha256: str) -> bool:
        """Whether a note was left out because it holds a secret: a bearer licence with model keys."""
        ...

    def claimed_tail(self) -> Sums | None:
        """Sums of the hidden usage after the last ended day, as the installation claims; None without."""
        ...

    @property
    def name(self) -> str:
        """What to call it before it is known."""
        ...

    def rows(self) -> Iterable[Row]:
        """The entries in order."""
        ...

    def checkpoints(self) -> Sequence[bytes]:
        """The signed heads kept with the log, oldest first."""
        ...

    def published(self) -> Sequence[KeptHead]:
        """Signed heads found elsewhere."""
        ...

    def note(self, sha256: str) -> bytes | None:
        """A licence or issuer note by its hash."""
        ...

    def column_totals(self) -> dict[tuple[str, str], Tally] | None:
        """Sums by month and meter as the database's columns have them; None where there are no columns."""
        ...


def find_databases(directory: Path) -> list[Path]:
    """Return the logs directly in a ledger directory, oldest first; those set aside as damaged too."""
    matches = [(match, path) for path in directory.glob("*.db") if (match := _DATABASE.fullmatch(path.name))]
    return [path for match, path in sorted(matches, key=lambda item: (int(item[0][1]), item[1].name))]


def find_ledgers(directory: Path) -> list[Path]:
    """Return the ledger directories at or below `directory`, such as an output mount."""
    candidates = {path.parent for path in directory.rglob("*.db") if _DATABASE.fullmatch(path.name)}
    return sorted(candidates)


def log_number(path: Path) -> int:
    """Return the number k of a log's file name."""
    match = _DATABASE.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path.name} is not the file of a log")
    return int(match[1])


def find_copies(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return the databases that hold a log which another one holds too, each with that other one.

    The longest of them is the log, and of those one that is not set aside.
    """
    found: dict[str, tuple[tuple[int, bool], Path]] = {}
    copies: list[tuple[str, Path]] = []
    for path in paths:
        with contextlib.suppress(*_NO_LOG), contextlib.closing(open_database(path)) as connection:
            row = connection.execute(_NAME_AND_SIZE).fetchone()
            if row is None:
                continue
            origin, rank = str(row[0]), (int(row[1]), path.name.startswith("ledger-"))
            before = found.get(origin)
            if before is None or rank > before[0]:
                found[origin] = (rank, path)
            copies.append((origin, path))
    return {path: found[origin][1] for origin, path in copies if path != found[origin][1]}


def open_database(path: Path) -> sqlite3.Connection:
    """Open a log's database read-only, in one snapshot; somebody may go on writing to it meanwhile.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    uri = path.resolve().as_uri()
    try:
        return _begin(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        # A read-only medium holds no lock file. Without a write-ahead log the main file is the whole truth.
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        return _begin(f"{uri}?immutable=1")


def _begin(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLog:
    """A log in its database; see `LogSource`.

    Attributes:
        path: The database.
        connection: Open on it, in a snapshot.
        heads: Signed heads found beside it, read before the snapshot was taken.
    """

    path: Path
    connection: sqlite3.Connection
    heads: tuple[KeptHead, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def summary(self) -> bool:
        """A database shows all that was not pruned."""
        return False

    @property
    def export_end(self) -> None:
        """A database is the log itself."""
        return

    @property
    def size(self) -> int:
        """Number of entries; the last one is never pruned."""
        row = self.connection.execute("SELECT max(n) FROM entry").fetchone()
        return 0 if row[0] is None else int(row[0]) + 1

    def gaps(self, first: int, stop: int, sizes: Iterable[int]) -> list[Gap]:
        """What is left of pruned entries."""
        subtree = stored_subtree(self.connection)
        try:
            return split_gap(first, stop, sizes, subtree)
        except LookupError:
            return []

    def notes(self) -> list[bytes]:
        """The notes of the database and of those beside it: a successor's licence may vouch for this log."""
        notes = _notes(self.connection)
        for path in find_databases(self.path.parent):
            if path != self.path:
                with (
                    contextlib.suppress(sqlite3.Error),
                    contextlib.closing(open_database(path)) as connection,
                ):
                    notes += _notes(connection)
        return [*dict.fromkeys(notes), *kept_receipts(self.path.parent)]

    def added_notes(self) -> Collection[bytes]:
        """All its notes are its own."""
        return ()

    def withheld(self, sha256: str) -> bool:  # noqa: ARG002 (the protocol's)
        """No note is left out of a database."""
        return False

    def claimed_tail(self) -> None:
        """Nothing is only claimed here: the entries are there."""
        return

    def rows(self) -> Iterator[Row]:
        """The entries in the order of their index."""
        return self.connection.execute("SELECT n, text, leaf FROM entry ORDER BY n")

    def checkpoints(self) -> list[bytes]:
        """The signed heads of the database."""
        rows = self.connection.execute("SELECT note FROM checkpoint ORDER BY id")
        return [str(note).encode("utf-8", "replace") for (note,) in rows]

    def published(self) -> tuple[KeptHead, ...]:
        """The signed heads beside the database."""
        return self.heads

    def note(self, sha256: str) -> bytes | None:
        """A note of the database."""
        row = self.connection.execute("SELECT note FROM note WHERE sha256 = ?", (sha256,)).fetchone()
        return bytes(row[0]) if row is not None and isinstance(row[0], bytes) else None

    def column_totals(self) -> dict[tuple[str, str], Tally]:
        """Sums as SQLite has them in its columns."""
        rows = self.connection.execute(
            "SELECT month, meter, count(*), sum(quantity), sum(billed) FROM entry WHERE kind = 'use' "
            "GROUP BY month, meter"
        )
        return {(str(mo), str(meter)): Tally(int(n), int(q), int(b)) for mo, meter, n, q, b in rows}


def _notes(connection: sqlite3.Connection) -> list[bytes]:
    rows = connection.execute("SELECT note FROM note ORDER BY sha256")
    return [note for (note,) in rows if isinstance(note, bytes)]


def kept_receipts(ledger: Path) -> list[bytes]:
    """Return the vendor's receipts kept beside the logs, with the notes that prove them."""
    notes = []
    for path in sorted((ledger / RECEIPTS).glob("*.note"))[:_MAX_RECEIPTS]:
        with contextlib.suppress(LicenseError):
            notes.append(read_limited(path, MAX_NOTE_BYTES))
    return notes


def split_gap(first: int, stop: int, sizes: Iterable[int], subtree: Subtree) -> list[Gap]:
    """Return the gaps over `[first, stop)`, cut at `sizes`; raises `LookupError` where hashes are missing."""
    edges = sorted({first, stop, *(size for size in sizes if first < size < stop)})
    return [
        Gap(first=start, count=end - start, hashes=tuple(subtree(height, i) for height, i in cut(start, end)))
        for start, end in pairwise(edges)
    ]


def last_words_file(number: int) -> str:
    """Return the name of the file that keeps the last signed head of a log that was set aside."""
    return f"damaged-{number}.checkpoint"


def published_heads(directory: Path) -> list[KeptHead]:
    """Return the signed heads in files of a ledger directory: the last one, and those of logs set aside."""
    heads = []
    for path in (directory / CHECKPOINT_FILE, *sorted(directory.glob("damaged-*.checkpoint"))):
        with contextlib.suppress(OSError), path.open("rb") as file:
            heads.append(KeptHead(path.name, file.read(_MAX_CHECKPOINT_FILE)))
    return heads


@contextlib.contextmanager
def open_log(path: Path, heads: Sequence[KeptHead] = ()) -> Iterator[DatabaseLog]:
    """Open the log in a database for verification; raises `sqlite3.Error` if it cannot be read.

    Args:
        path: The database.
        heads: Signed heads that others kept: compared where they are of this log.
    """
    # The file first: the database may be ahead of it, never behind.
    published = [*published_heads(path.parent), *heads]
    with contextlib.closing(open_database(path)) as connection:
        yield DatabaseLog(path=path, connection=connection, heads=tuple(published))
