"""The tree of a log made from the texts of its entries, not from the hashes that are stored beside them."""

import sqlite3
from typing import Final

from license.evidence.log.merkle import TILE_HEIGHT, TILE_WIDTH, Subtree, fold, leaf_hash
from license.evidence.log.tiles import stored_hash, subtree_over

# Where pruned entries were, their hashes lie at level 0.
_TEXTS: Final = (
    "SELECT n, text, NULL FROM entry WHERE n >= ?1 AND n < ?2 "
    "UNION ALL SELECT idx, NULL, root FROM tile WHERE level = 0 AND idx >= ?1 AND idx < ?2 ORDER BY 1"
)


def text_subtree(connection: sqlite3.Connection) -> Subtree:
    """Return a `Subtree` that hashes the texts of a log; errors as those of `subtree_over`."""
    return subtree_over(connection, _TEXTS, _hash)


def last_tile_fits(size: int, subtree: Subtree) -> bool:
    """Say whether the last complete tile of a log of so many entries is the one that its entries hash to."""
    tile = size // TILE_WIDTH - 1
    if tile < 0:
        return True
    lower = [subtree(TILE_HEIGHT - 1, 2 * tile + half) for half in (0, 1)]
    return fold(lower) == subtree(TILE_HEIGHT, tile)


def _hash(text: object, root: object) -> bytes:
    """A column `text` that holds no text is never taken for a hash."""
    return leaf_hash(text.encode("utf-8")) if isinstance(text, str) else stored_hash(root)
