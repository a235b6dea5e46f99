"""Reads a whole log again, slowly, while it is in use: a disk can change what was written long ago.

A start looks at the edge of the tree only, so that it takes as long for ten million entries as for ten. This
is the other half: every entry is hashed and compared with its tile, every tile with those below it, once
after each start and once a week. It reads through a connection of its own, a few entries at a time, so that
it holds nobody up and keeps no old state of the file alive.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.ledger.log.sqlite_store import Damaged, corruption_is_damage
from license.evidence.log.merkle import TILE_WIDTH, fold, leaf_hash
from license.evidence.log.source import open_database

_log = logging.getLogger("appliance.usage")

FIRST_SECONDS = 60.0
ROUND_SECONDS = 7 * 86_400.0
RETRY_SECONDS = 3600.0
TILES_AT_ONCE = 16
REST = 49  # times as long as it worked: two percent of one core

_SIZE = "SELECT size FROM tree"
# An entry, or the hash that stays of one that was pruned.
_LEAVES = (
    "SELECT n, text, NULL FROM entry WHERE n >= ?1 AND n < ?2 "
    "UNION ALL SELECT idx, NULL, root FROM tile WHERE level = 0 AND idx >= ?1 AND idx < ?2 ORDER BY 1"
)
_TILES = "SELECT root FROM tile WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"


class Scrubber:
    """The thread that reads; ended by `close`.

    Args:
        log: Says which file is the log now.
        report: Told of damage; called on this thread.

    Attributes:
        whole_at: Unix second, by the machine's clock, at which the log was last read to its end; 0 before.
    """

    def __init__(self, log: Callable[[], Path], report: Callable[[Damaged], None]) -> None:
        self._log = log
        self._report = report
        self.whole_at = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage-patrol", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; safe to call twice."""
        self._ended.set()
        self._thread.join()

    def round(self, *, rest: int = 0) -> bool:
        """Read the log once; return whether it could be read to its end.

        Args:
            rest: Pause this many times as long as was worked.
        """
        path = self._log()
        try:
            with _opened(path) as connection:
                tiles = int(connection.execute(_SIZE).fetchone()[0]) // TILE_WIDTH
            for first in range(0, tiles, TILES_AT_ONCE):
                started = time.thread_time()
                with _opened(path) as connection:
                    _check(connection, range(first, min(first + TILES_AT_ONCE, tiles)))
                if self._ended.wait(rest * (time.thread_time() - started)):
                    return False
        except Damaged as damage:
            if path == self._log():  # otherwise somebody else noticed before
                self._report(damage)
            return False
        except (sqlite3.Error, OSError) as error:
            _log.warning("the usage log could not be read again from its beginning: %s", error)
            return False
        self.whole_at = int(time.time())
        return True

    def _run(self) -> None:
        pause = FIRST_SECONDS
        while not self._ended.wait(pause):
            pause = ROUND_SECONDS if self.round(rest=REST) else RETRY_SECONDS


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with corruption_is_damage(), contextlib.closing(open_database(path)) as connection:
        yield connection


def _check(connection: sqlite3.Connection, tiles: range) -> None:
    for tile in tiles:
        first = tile * TILE_WIDTH
        rows = connection.execute(_LEAVES, (first, first + TILE_WIDTH)).fetchall()
        stored = connection.execute(_TILES, (1, tile, tile + 1)).fetchone()
        if [row[0] for row in rows] != list(range(first, first + TILE_WIDTH)) or stored is None:
            raise Damaged("tree", f"entries or tiles around {first} are missing")
        if fold([_leaf(text, kept) for _, text, kept in rows]) != stored[0]:
            raise Damaged("tree", f"the entries from {first} on are not those that were hashed")
        level, index = 2, tile + 1
        while not index % TILE_WIDTH:
            index //= TILE_WIDTH
            _check_tile(connection, level, index - 1)
            level += 1


def _check_tile(connection: sqlite3.Connection, level: int, index: int) -> None:
    below = connection.execute(_TILES, (level - 1, index * TILE_WIDTH, (index + 1) * TILE_WIDTH)).fetchall()
    stored = connection.execute(_TILES, (level, index, index + 1)).fetchone()
    if len(below) != TILE_WIDTH or stored is None or fold([root for (root,) in below]) != stored[0]:
        raise Damaged("tree", f"tile {index} of level {level} is not the one that was hashed")


def _leaf(text: str | None, kept: bytes | None) -> bytes:
    return kept or b"" if text is None else leaf_hash(text.encode("utf-8"))
