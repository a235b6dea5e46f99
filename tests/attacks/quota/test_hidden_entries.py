"""A column or an index that SQLite keeps is made to hide entries; the tables look as they should."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks.quota.conftest import remove, told
from tests.support.site import Site

_GENERATED = "GENERATED ALWAYS AS (json_extract(text,'$.k')) STORED"


@contextlib.contextmanager
def other_schema(path: Path, name: str, old: str, new: str) -> Iterator[sqlite3.Connection]:
    """Open a database under another description of a table or index, which is put back at the end."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        assert old in sql, sql
    describe(path, name, sql.replace(old, new))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
    describe(path, name, sql)


def describe(path: Path, name: str, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def lie_in_the_column(path: Path) -> None:
    """SQLite refuses to change a generated column; for a moment it is none."""
    with other_schema(path, "entry", _GENERATED, "") as connection:
        assert connection.execute("UPDATE entry SET kind = 'stop' WHERE kind = 'carry'").rowcount == 1


def leave_out_of_the_index(path: Path) -> None:
    """The index is made while it leaves out more than it says afterwards."""
    rest, less = "kind <> 'use'", "kind <> 'use' AND kind <> 'carry'"
    with other_schema(path, "entry_events", rest, less) as connection:
        connection.execute("REINDEX entry_events")


@pytest.mark.parametrize("hide", [lie_in_the_column, leave_out_of_the_index])
def test_a_log_in_which_sqlite_hides_an_entry_is_set_aside(
    limited: Callable[[str], Site], hide: Callable[[Path], None]
) -> None:
    site = limited("instance")
    running = site.start()
    assert told(running, 4) == {200: 4}
    running.kill()
    shutil.rmtree(site.output)
    site.output.mkdir()
    running = site.start()
    assert told(running, 2) == {200: 1, 403: 1}  # by a `carry` entry, signed in the second log
    assert running.stop() == 0

    (ledger,) = site.output.rglob("ledger-2.db")
    hide(ledger)
    remove(site.state, "usage-*")
    running = site.start()
    origin = running.status()["ledger"]["origin"]
    assert origin.endswith("/3")
    assert f"the usage log {origin.removesuffix('3')}2 is set aside: not all entries" in running.text()
    assert running.stop() == 0
