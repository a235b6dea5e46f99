"""The Merkle tree of RFC 6962 §2.1: hashes, a growing frontier, proofs and their verification.

Pure: no storage and no keys. Whoever keeps the leaves hands in a `Subtree` function that returns the root of
one complete subtree; everything else (roots of any size, inclusion and consistency proofs) follows from it.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

# The root of the complete subtree over the leaves [index * 2**height, (index + 1) * 2**height).
Subtree = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A proof does not lead from what it starts with to the root it claims."""


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf: SHA-256 over 0x00 and the data, so that no leaf can pass for a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node: SHA-256 over 0x01, the left and the right child."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes of equal height; their number must be a power of two."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


class Frontier:
    """The right edge of a growing tree: one hash per set bit of its size, largest subtree first.

    Args:
        size: Number of leaves already in the tree.
        hashes: The roots of the complete subtrees that make up `size`, largest first.

    Raises:
        ValueError: The number of hashes does not fit the size.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._hashes = list(hashes)
        if size < 0 or len(self._hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {max(size, 0).bit_count()} hashes on its edge")

    def extend(self, leaves: Iterable[bytes], completed: list[tuple[int, int, bytes]]) -> None:
        """Add many leaf hashes; `append` for each, without its price."""
        hashes, size = self._hashes, self.size
        for leaf in leaves:
            rest, height, node = size, 0, leaf
            while rest & 1:
                node = sha256(b"\x01" + hashes.pop() + node).digest()
                rest >>= 1
                height += 1
                if not height & 7:
                    completed.append((height // TILE_HEIGHT, size >> height, node))
            hashes.append(node)
            size += 1
        self.size = size

    def append(self, leaf: bytes, completed: list[tuple[int, int, bytes]] | None = None) -> None:
        """Add one leaf hash; report the tiles that it completes.

        Args:
            leaf: Hash of the new leaf.
            completed: Receives `(level, index, root)` of each subtree of `256**level` leaves now complete.
        """
        hashes = self._hashes
        size = self.size
        height = 0
        rest = size
        while rest & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            rest >>= 1
            height += 1
            if completed is not None and not height & (TILE_HEIGHT - 1):
                completed.append((height // TILE_HEIGHT, size >> height, leaf))
        hashes.append(leaf)
        self.size = size + 1

    def append_subtree(self, height: int, root: bytes) -> None:
        """Add a complete subtree of `2**height` leaves by its root alone.

        Raises:
            ValueError: A subtree of this height cannot begin here.
        """
        if self.size & ((1 << height) - 1):
            raise ValueError(f"no subtree of height {height} begins at leaf {self.size}")
        rest = self.size >> height
        while rest & 1:
            root = node_hash(self._hashes.pop(), root)
            rest >>= 1
        self._hashes.append(root)
        self.size += 1 << height

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> "Frontier":
        """Return an independent frontier of the same tree."""
        return Frontier(self.size, self._hashes)

    def to_bytes(self) -> bytes:
        """Return the edge as one string of 32-byte hashes, largest subtree first."""
        return b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote for a tree of `size` leaves; ValueError where lengths disagree."""
        if len(data) % HASH_BYTES:
            raise ValueError("a frontier is a whole number of 32-byte hashes")
        return cls(size, (data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)))

    @classmethod
    def at(cls, size: int, subtree: Subtree) -> "Frontier":
        """Assemble the frontier of a tree of `size` leaves from its complete subtrees."""
        return cls(size, (subtree(height, start >> height) for height, start in _complete(0, size)))


def root_at(size: int, subtree: Subtree) -> bytes:
    """Return the root over the first `size` leaves."""
    return _range_root(0, size, subtree) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the audit path of RFC 6962 §2.1.1 for one leaf in a tree of `size` leaves.

    Raises:
        ValueError: The tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_range_root(middle, stop, subtree))
            stop = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start = middle
    path.reverse()
    return path


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the proof of RFC 6962 §2.1.2 that the first `old` leaves are a prefix of the first `new`.

    Raises:
        ValueError: `old` is not within `0 … new`.
    """
    if not 0 <= old <= new:
        raise ValueError(f"{old} is not a size before {new}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, stop, whole = 0, new, True
    while stop != old:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(_range_root(middle, stop, subtree))
            stop = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start, whole = middle, False
    if not whole:
        path.append(_range_root(start, stop, subtree))
    path.reverse()
    return path


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).

    Raises:
        ProofError: It does not, or the proof has the wrong length.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    at, last, node = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise ProofError("the inclusion proof is too long")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if node != root:
        raise ProofError("the inclusion proof leads to another root")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of `new` leaves extends the tree of `old` leaves (RFC 9162 §2.1.4.2).

    Raises:
        ProofError: It does not, or the proof has the wrong length.
    """
    if not 0 <= old <= new:
        raise ProofError(f"{old} is not a size before {new}")
    if old in (0, new):
        if path or old_root != (EMPTY_ROOT if not old else new_root):
            raise ProofError("the two roots of one size differ")
        return
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        raise ProofError("the consistency proof is empty")
    if _climb(old, new, hashes) != (old_root, new_root):
        raise ProofError("the consistency proof leads to other roots")


def cut(start: int, stop: int) -> list[tuple[int, int]]:
    """Cut any range of leaves into the fewest complete subtrees: `(height, index)`, in order.

    `Frontier.append_subtree` takes their roots in this order.
    """
    cuts = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        if start:
            height = min(height, (start & -start).bit_length() - 1)
        cuts.append((height, start >> height))
        start += 1 << height
    return cuts


def _climb(old: int, new: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Compute the old and the new root that a consistency proof leads to."""
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            raise ProofError("the consistency proof is too long")
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofError("the consistency proof is too short")
    return first, second


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _complete(start: int, stop: int) -> list[tuple[int, int]]:
    """Cut an aligned range into complete subtrees: `(height, first leaf)`, largest first."""
    cuts = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        cuts.append((height, start))
        start += 1 << height
    return cuts


def _range_root(start: int, stop: int, subtree: Subtree) -> bytes:
    hashes = [subtree(height, first >> height) for height, first in _complete(start, stop)]
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root
