"""Which documents hold the same text, or nearly the same: exact after folding, else by shared runs of words.

Two texts are nearly the same when the sets of their runs of three words have a Jaccard index of `NEAR` or
more. Candidates are found by the smallest hashes of each set (bottom-k sketches, Broder 1997), and then
compared exactly.
"""

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import combinations
from typing import Final

NEAR: Final = 0.8
"""Shared runs of words, of all in both, from which two texts count as nearly the same."""
RUN_WORDS: Final = 3
_FEWEST_RUNS: Final = 8
"""Runs below which one other word changes too much of a text to speak of nearly the same."""
_SKETCH: Final = 12
_BUCKET: Final = 40
"""Texts of one hash that are compared with each other: what more share is boilerplate."""
_WORD: Final = re.compile(r"\w+")

Pair = tuple[int, int]


def same_texts(texts: Sequence[str]) -> tuple[list[Pair], list[Pair]]:
    """Return pairs of the same text, and pairs of nearly the same.

    Of documents with one text, each later one is paired with the first alone; only the firsts are compared
    for being nearly the same.
    """
    folded = [" ".join(text.casefold().split()) for text in texts]
    first: dict[str, int] = {}
    same = [
        (first[text], number)
        for number, text in enumerate(folded)
        if first.setdefault(text, number) != number
    ]
    return same, _near(folded, first.values())


def _near(texts: Sequence[str], numbers: Iterable[int]) -> list[Pair]:
    runs = {number: found for number in numbers if len(found := _runs(texts[number])) >= _FEWEST_RUNS}
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for number, found in runs.items():
        for smallest in heapq.nsmallest(_SKETCH, found):
            buckets[smallest].append(number)
    candidates = {
        pair for bucket in buckets.values() if len(bucket) > 1 for pair in combinations(bucket[:_BUCKET], 2)
    }
    return sorted(pair for pair in candidates if _jaccard(runs[pair[0]], runs[pair[1]]) >= NEAR)


def _jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _runs(text: str) -> frozenset[int]:
    return frozenset(_hash(run) for run in _runs_of(_WORD.findall(text)))


def _runs_of(words: Sequence[str]) -> Iterator[str]:
    for start in range(len(words) - RUN_WORDS + 1):
        yield " ".join(words[start : start + RUN_WORDS])


def _hash(run: str) -> int:
    return int.from_bytes(blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def groups(pairs: Iterable[Pair]) -> list[list[int]]:
    """Join pairs that share a document; each group in order, the largest group first."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        parent.setdefault(number, number)
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    found: defaultdict[int, list[int]] = defaultdict(list)
    for number in sorted(parent):
        found[root(number)].append(number)
    return sorted(found.values(), key=lambda group: (-len(group), group[0]))
