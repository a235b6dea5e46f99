"""The tree of a log made from the texts of its entries, not from the hashes that are stored beside them."""

import sqlite3
from typing import Final

from license.evidence.log.merkle import TILE_HEIGHT, TILE_WIDTH, Subtree, fold, leaf_hash

# Where pruned entries were, their hashes lie at level 0.
_TEXTS: Final = (
    "SELECT n, text, NULL FROM entry WHERE n >= ?1 AND n < ?2 "
    "UNION ALL SELECT idx, NULL, root FROM tile WHERE level = 0 AND idx >= ?1 AND idx < ?2 ORDER BY 1"
)
_TILES: Final = "SELECT idx, NULL, root FROM tile WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"


def text_subtree(connection: sqlite3.Connection) -> Subtree:
    """Return a `Subtree` that hashes the texts of a log; from height 8 up it takes the stored tiles.

    It raises `LookupError` where entries or tiles are missing, and `TypeError` where a column holds something
    that was never written there.
    """

    def subtree(height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        first, stop = index << rest, (index + 1) << rest
        if level:
            rows = connection.execute(_TILES, (level, first, stop)).fetchall()
        else:
            rows = connection.execute(_TEXTS, (first, stop)).fetchall()
        if [row[0] for row in rows] != list(range(first, stop)):
            raise LookupError(f"entries or tiles around {index << height} are missing")
        return fold([_hash(text, root) for _, text, root in rows])

    return subtree


def last_tile_fits(size: int, subtree: Subtree) -> bool:
    """Say whether the last complete tile of a log of so many entries is the one that its entries hash to."""
    tile = size // TILE_WIDTH - 1
    if tile < 0:
        return True
    lower = [subtree(TILE_HEIGHT - 1, 2 * tile + half) for half in (0, 1)]
    return fold(lower) == subtree(TILE_HEIGHT, tile)


def _hash(text: object, root: object) -> bytes:
    if isinstance(text, str):
        return leaf_hash(text.encode("utf-8"))
    if type(root) is not bytes:
        raise TypeError("neither a text nor a hash")
    return root
