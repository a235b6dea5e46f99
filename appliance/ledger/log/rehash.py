"""Hashes entries again before anything is added up from them: no sum may rest on a text that was changed.

A start adds up the uses after the last `sum` entry and takes over what `key`, `sum`, `close`, `lic` and
`carry` entries say. Each of those texts is hashed with its tile, and the tile up to the subtrees that the
signed head is made of; so a file editor cannot change a text, a leaf, a tile or a generated column that a sum
comes from.

Those entries are found by a column and an index that SQLite keeps. Both can be made to lie although the
tables look as they should, so the entries are counted too: what lies between two sums is a use that they
count, or an entry that was found.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from appliance.ledger.log.sqlite_store import Damaged
from appliance.ledger.read.day_sums import DaySums
from appliance.ledger.read.totals import merge
from license.evidence.log.entry import KINDS, Sums, Tally, parse_use
from license.evidence.log.merkle import TILE_WIDTH, fold, leaf_hash

_ROWS: Final = (
    "SELECT n, text, NULL FROM entry WHERE n >= ?1 AND n < ?2 "
    "UNION ALL SELECT idx, NULL, root FROM tile WHERE level = 0 AND idx >= ?1 AND idx < ?2 ORDER BY 1"
)
_TILES: Final = "SELECT root FROM tile WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
# As those ask who take over what entries of a kind say: see `appliance.ledger.read.entries`.
_EVENTS: Final = "SELECT n, text FROM entry WHERE kind = ? AND kind <> 'use' ORDER BY n"
_SINCE: Final = "SELECT n, text FROM entry WHERE n = ?"
# A connected run writes one with each report: hashing every tile that has one would be hashing the log.
_NOT_HASHED: Final = "ack"
# What begins a new sum: none of these may stand among the uses that are added up.
_TURNS: Final = ('{"k":"key"', '{"k":"sum"', '{"k":"open"', '{"k":"recover"')


def check_summed(connection: sqlite3.Connection, size: int, days: DaySums) -> None:
    """Check that all that a start adds up or takes over is what was hashed and signed.

    Args:
        connection: Open on the log; its edge and its last signed head were checked already.
        size: Number of its entries.
        days: What was read from it.

    Raises:
        Damaged: An entry was changed, or a column does not say what its text says.
    """
    rehash = Rehash(connection, size)
    rehash.check_events(connection.execute(_SINCE, (days.since,)))
    events = rehash.find_events()
    after = rehash.add_up(days.since + 1, size)
    if merge([days.summed, after]) != days.sums:
        raise Damaged("columns", "the database's columns do not say what its entries say")
    first = 0
    for ended in days.ended:
        _check_none_hidden(events, first, ended.n, ended.sums)
        first = ended.n
    if days.since > first:
        _check_none_hidden(events, first, days.since, days.summed)
    _check_none_hidden(events, days.since, size, after)


def _check_none_hidden(events: Sequence[int], first: int, stop: int, sums: Sums) -> None:
    """Check that all between two entries is uses that the sums count, and entries that were found."""
    uses = sum(tally.entries for tally in sums.values())
    found = bisect_left(events, stop) - bisect_right(events, first)
    if uses + found != stop - first - 1:
        raise Damaged("columns", f"not all entries between {first} and {stop} are found by their kind")


class Rehash:
    """The stored hashes of one log, checked where they are asked for.

    Args:
        connection: Open on the log.
        size: Number of entries.
    """

    def __init__(self, connection: sqlite3.Connection, size: int) -> None:
        self._connection = connection
        self._size = size
        self._good: set[tuple[int, int]] = set()

    def check_events(self, rows: Iterable[tuple[int, str]]) -> None:
        """Check some entries, index and text, with the tiles they lie in; raises `Damaged`."""
        for n, text in rows:
            if f',"n":{n},' not in text[:64]:
                raise Damaged("entries", f"entry {n} has another number in its text")
            if (1, n // TILE_WIDTH) not in self._good:
                self._tile(n // TILE_WIDTH)

    def find_events(self) -> list[int]:
        """Return the indices of all entries but uses, in order, as they are found by kind.

        Raises:
            Damaged: One is not what was hashed, or is of another kind.
        """
        found: list[int] = []
        for kind in KINDS:
            rows = self._connection.execute(_EVENTS, (kind,)).fetchall()
            if any(not text.startswith(f'{{"k":"{kind}",') for _, text in rows):
                raise Damaged("columns", f"an entry is found as {kind}, and is of another kind")
            if kind != _NOT_HASHED:
                self.check_events(rows)
            found += (int(n) for n, _ in rows)
        return sorted(found)

    def add_up(self, first: int, stop: int) -> Sums:
        """Return the sums of the uses from one index up to another, from the very texts that are hashed.

        Raises:
            Damaged: They are not what was hashed, or more than one stretch of a day.
        """
        sums: dict[str, list[int]] = {}
        for tile in range(first // TILE_WIDTH, -(-stop // TILE_WIDTH)):
            for n, text in self._tile(tile):
                if not first <= n < stop:
                    continue
                used = parse_use(text)
                if used is None:
                    if text.startswith(_TURNS):
                        raise Damaged("columns", f"entry {n} begins another sum than the columns say")
                    continue
                found = sums.setdefault(used.meter, [0, 0, 0])
                found[0] += 1
                found[1] += used.quantity
                found[2] += used.billed
        return {meter: Tally(*numbers) for meter, numbers in sums.items()}

    def _tile(self, tile: int) -> Iterator[tuple[int, str]]:
        """Return the texts of a tile once they are those that were hashed; those after the last are too."""
        first = tile * TILE_WIDTH
        stop = min(first + TILE_WIDTH, self._size)
        rows = self._connection.execute(_ROWS, (first, stop)).fetchall()
        if [row[0] for row in rows] != list(range(first, stop)):
            raise Damaged("tree", f"entries around {first} are missing")
        # The entries after the last complete tile are hashed with the edge of the tree.
        if (1, tile) not in self._good and stop - first == TILE_WIDTH:
            root = fold([bytes(kept) if text is None else leaf_hash(text.encode()) for _, text, kept in rows])
            if root != self._stored(1, tile, tile + 1)[0]:
                raise Damaged("tree", f"the entries from {first} on are not those that were hashed")
            self._good.add((1, tile))
            self._climb(1, tile)
        return ((n, text) for n, text, _ in rows if text is not None)

    def _climb(self, level: int, index: int) -> None:
        """Check a tile against the one above it, and so on up to the edge of the tree."""
        above = (level + 1, index // TILE_WIDTH)
        width = TILE_WIDTH ** (level + 1)
        if above in self._good or (above[1] + 1) * width > self._size:
            return
        below = self._stored(level, above[1] * TILE_WIDTH, (above[1] + 1) * TILE_WIDTH)
        if fold(below) != self._stored(above[0], above[1], above[1] + 1)[0]:
            raise Damaged("tree", f"tile {above[1]} of level {above[0]} is not the one that was hashed")
        self._good.add(above)
        self._climb(*above)

    def _stored(self, level: int, first: int, stop: int) -> list[bytes]:
        roots = [bytes(root) for (root,) in self._connection.execute(_TILES, (level, first, stop))]
        if len(roots) != stop - first:
            raise Damaged("tree", f"tiles of level {level} around {first} are missing")
        return roots
