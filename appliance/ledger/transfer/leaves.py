"""Reads a whole log before it is exported: which texts are not what was hashed, and the tree over them.

A summary shows hashes where usage stands. They are put together from the hashes beside the entries, never
from stored roots above them, and an entry whose text is another one is shown: so what was changed or removed
inside what was signed is found in a summary as it is in a full export.
"""

import contextlib
import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from license.evidence.log.merkle import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Subtree, fold
from license.evidence.log.tiles import stored_subtree

MAX_SHOWN: Final = 1_000
"""Changed entries that a summary shows; there may be more, and one is enough to break the log."""

_AT_ONCE: Final = 16 * TILE_WIDTH
_ENTRIES: Final = "SELECT n, text, leaf FROM entry WHERE n >= ? AND n < ? ORDER BY n"
_PRUNED: Final = "SELECT idx, root FROM tile WHERE level = 0 AND idx >= ? AND idx < ?"


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
    for first in range(0, size, _AT_ONCE):
        stop = min(first + _AT_ONCE, size)
        leaves = _read_stretch(connection, first, stop, changed)
        for tile in range(first // TILE_WIDTH, stop // TILE_WIDTH):
            # One that is not complete has no root: what needs it is missing.
            with contextlib.suppress(KeyError):
                start = tile * TILE_WIDTH
                roots[1, tile] = fold([leaves[n] for n in range(start, start + TILE_WIDTH)])
    return Leaves(changed=tuple(changed[:MAX_SHOWN]), subtree=_subtree(connection, roots))


def _read_stretch(
    connection: sqlite3.Connection, first: int, stop: int, changed: list[int]
) -> dict[int, bytes]:
    """Return the stored leaves of a stretch, and add the entries whose text hashes to another one."""
    rows = connection.execute(_ENTRIES, (first, stop)).fetchall()
    leaves = {n: as_hash(leaf) for n, _, leaf in rows}
    # `leaf_hash` of each, without the price of a call.
    hashed = [sha256(b"\x00" + text.encode("utf-8", "surrogateescape")).digest() for _, text, _ in rows]
    if hashed != list(leaves.values()):
        changed += [n for (n, kept), leaf in zip(leaves.items(), hashed, strict=True) if kept != leaf]
    if len(leaves) < stop - first:
        leaves |= {n: as_hash(root) for n, root in connection.execute(_PRUNED, (first, stop))}
    return leaves


def as_hash(stored: object) -> bytes:
    """Return the hash that a column holds; zeros, which no text hashes to, where it is none."""
    return stored if isinstance(stored, bytes) and len(stored) == HASH_BYTES else bytes(HASH_BYTES)


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
