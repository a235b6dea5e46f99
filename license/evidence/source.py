"""Where the bytes of a usage log come from: a ledger directory, read without disturbing who writes there.

The standard library's `sqlite3` only, read-only, one snapshot for all that is read.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from license.evidence.entry import Tally

CHECKPOINT_FILE: Final = "checkpoint"
_DATABASE: Final = re.compile(r"(?:ledger|damaged)-([1-9][0-9]{0,8})\.db")
_MAX_CHECKPOINT_FILE: Final = 65_536

# For each entry: index, exact text, and the leaf hash stored when it was written (b"" if there is none).
Row = tuple[int, str, bytes]


class LogSource(Protocol):
    """One log to be verified."""

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

    def published(self) -> Sequence[tuple[str, bytes]]:
        """Signed heads found elsewhere: where, and the note."""
        ...

    def note(self, sha256: str) -> bytes | None:
        """A licence or issuer note by its hash."""
        ...

    def column_totals(self) -> dict[tuple[str, str], Tally] | None:
        """Sums by month and meter as the database's columns have them; None where there are no columns."""
        ...


def find_databases(directory: Path) -> list[Path]:
    """Return the logs directly in a ledger directory, oldest first; those set aside as damaged too."""
    found = [(match, path) for path in directory.glob("*.db") if (match := _DATABASE.fullmatch(path.name))]
    return [path for match, path in sorted(found, key=lambda item: (int(item[0][1]), item[1].name))]


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
    heads: tuple[tuple[str, bytes], ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def rows(self) -> Iterator[Row]:
        """The entries in the order of their index."""
        return self.connection.execute("SELECT n, text, leaf FROM entry ORDER BY n")

    def checkpoints(self) -> list[bytes]:
        """The signed heads of the database."""
        rows = self.connection.execute("SELECT note FROM checkpoint ORDER BY id")
        return [str(note).encode("utf-8", "replace") for (note,) in rows]

    def published(self) -> tuple[tuple[str, bytes], ...]:
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


def published_heads(directory: Path) -> list[tuple[str, bytes]]:
    """Return the signed head in the file `checkpoint` of a ledger directory, if there is one."""
    with contextlib.suppress(OSError), (directory / CHECKPOINT_FILE).open("rb") as file:
        return [(CHECKPOINT_FILE, file.read(_MAX_CHECKPOINT_FILE))]
    return []


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[DatabaseLog]:
    """Open the log in a database for verification; raises `sqlite3.Error` if it cannot be read."""
    # The file first: the database may be ahead of it, never behind.
    heads = published_heads(path.parent)
    with contextlib.closing(open_database(path)) as connection:
        yield DatabaseLog(path=path, connection=connection, heads=tuple(heads))
