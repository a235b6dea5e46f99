"""Reads a whole log before it is exported: which texts are not what was hashed, and the tree over them.

A summary shows hashes where usage stands. They are put together from the hashes beside the entries, never
from stored roots above them, and an entry whose text is another one is shown: so what was changed or removed
inside what was signed is found in a summary as it is in a full export.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from license.evidence.log.merkle import TILE_HEIGHT, TILE_WIDTH, Subtree, fold, leaf_hash
from license.evidence.log.tiles import stored_subtree

MAX_SHOWN: Final = 1_000
"""Changed entries that a summary shows; there may be more, and one is enough to break the log."""

_ROWS: Final = (
    "SELECT n, text, leaf FROM entry WHERE n < ?1 "
    "UNION ALL SELECT idx, NULL, root FROM tile WHERE level = 0 AND idx < ?1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """What the entries of a log hash to.

    Attributes:
        changed: Indices of entries whose text is not what was hashed, the first `MAX_SHOWN`.
        subtree: The tree over the stored leaves; raises `LookupError` where some are missing.
    """

    changed: tuple[int, ...]
    subtree: Subtree


def read_leaves(connection: sqlite3.Connection, size: int) -> Leaves:
    """Read and hash the first `size` entries of a log.

    Raises:
        sqlite3.Error: The log cannot be read.
    """
    changed: list[int] = []
    roots: dict[tuple[int, int], bytes] = {}
    leaves: list[bytes] = []
    first = 0
    for n, text, stored in connection.execute(_ROWS, (size,)):
        leaf = bytes(stored)
        if text is not None and leaf_hash(str(text).encode("utf-8", "surrogateescape")) != leaf:
            changed.append(n)
        if n // TILE_WIDTH != first:
            leaves, first = [], n // TILE_WIDTH
        leaves.append(leaf)
        if len(leaves) == TILE_WIDTH and n == (first + 1) * TILE_WIDTH - 1:
            roots[1, first] = fold(leaves)
    return Leaves(changed=tuple(changed[:MAX_SHOWN]), subtree=_subtree(connection, roots))


def _subtree(connection: sqlite3.Connection, roots: dict[tuple[int, int], bytes]) -> Subtree:
    stored = stored_subtree(connection)

    def root(level: int, index: int) -> bytes:
        if (level, index) not in roots:
            if level <= 1:
                raise LookupError(f"hashes of the entries from {index * TILE_WIDTH} on are missing")
            below = range(index * TILE_WIDTH, (index + 1) * TILE_WIDTH)
            roots[level, index] = fold([root(level - 1, child) for child in below])
        return roots[level, index]

    def subtree(height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        if not level:
            return stored(height, index)
        return fold([root(level, child) for child in range(index << rest, (index + 1) << rest)])

    return subtree
