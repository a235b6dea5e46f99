"""Hashes of a log's tree, read from its database: what proofs are made of, after a pruning too.

A leaf's hash stands beside its entry, or in `tile` at level 0 once the entry was pruned. Roots of 256**level
leaves stand in `tile`. Standard library only; the connection is the caller's.
"""

import sqlite3
from typing import Final

from license.evidence.log.merkle import TILE_HEIGHT, Subtree, fold

_LEAVES: Final = (
    "SELECT n, leaf FROM entry WHERE n >= ?1 AND n < ?2 "
    "UNION ALL SELECT idx, root FROM tile WHERE level = 0 AND idx >= ?1 AND idx < ?2 ORDER BY 1"
)
_TILES: Final = "SELECT idx, root FROM tile WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"


def stored_subtree(connection: sqlite3.Connection) -> Subtree:
    """Return a `Subtree` over the hashes stored in a log's database.

    It raises `LookupError` where hashes are missing: they were never there, or somebody removed them.
    """

    def subtree(height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        first, stop = index << rest, (index + 1) << rest
        if level:
            rows = connection.execute(_TILES, (level, first, stop)).fetchall()
        else:
            rows = connection.execute(_LEAVES, (first, stop)).fetchall()
        whole = [row[0] for row in rows] == list(range(first, stop))
        if not whole or any(type(row[1]) is not bytes for row in rows):
            raise LookupError(f"hashes of the entries from {index << height} on are missing")
        return fold([bytes(row[1]) for row in rows])

    return subtree
