"""Hashes of a log's tree, read from its database: what proofs are made of, after a pruning too.

A leaf's hash stands beside its entry, or in `tile` at level 0 once the entry was pruned. Roots of 256**level
leaves stand in `tile`. Standard library only; the connection is the caller's.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from license.evidence.log.merkle import TILE_HEIGHT, Subtree, fold

_LEAVES: Final = (
    "SELECT n, leaf FROM entry WHERE n >= ?1 AND n < ?2 "
    "UNION ALL SELECT idx, root FROM tile WHERE level = 0 AND idx >= ?1 AND idx < ?2 ORDER BY 1"
)
_TILES: Final = "SELECT idx, root FROM tile WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"


def stored_subtree(connection: sqlite3.Connection) -> Subtree:
    """Return a `Subtree` over the hashes stored in a log's database; errors as those of `subtree_over`."""
    return subtree_over(connection, _LEAVES, stored_hash)


def subtree_over(connection: sqlite3.Connection, leaves: str, leaf: Callable[..., bytes]) -> Subtree:
    """Return a `Subtree` whose leaves a query brings; from height 8 up it takes the stored tiles.

    It raises `LookupError` where hashes are missing: they were never there, or somebody removed them or put
    something else in their place.

    Args:
        connection: The log's database.
        leaves: Brings the index and further columns of the entries from ?1 up to ?2, in order.
        leaf: Makes a leaf's hash of those columns.
    """

    def subtree(height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        first, stop = index << rest, (index + 1) << rest
        if level:
            rows = connection.execute(_TILES, (level, first, stop)).fetchall()
        else:
            rows = connection.execute(leaves, (first, stop)).fetchall()
        if [row[0] for row in rows] != list(range(first, stop)):
            raise LookupError(f"hashes of the entries from {index << height} on are missing")
        hash_of = stored_hash if level else leaf
        return fold([hash_of(*columns) for _, *columns in rows])

    return subtree


def stored_hash(stored: object) -> bytes:
    """Return the hash that a column holds; raises `LookupError` if it holds something else."""
    if type(stored) is not bytes:
        raise LookupError("what is stored in the place of a hash is not one")
    return stored
