"""Word errors: the fewest words to be changed, left out or put in to make what was heard of what was said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.int64]
Rows = NDArray[np.int32]
Readings = Sequence[Sequence[str]]
"""Ways to read one piece of a text, each in words; at least one."""
Pair = tuple[str | None, str | None]
"""A word that was said and what was heard for it; None where a word was put in, or left out."""

MOST_CELLS: Final = 100_000_000
"""Words said times words heard that are aligned; four times as many bytes are needed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors:
    """Counts over recordings.

    Attributes:
        recordings: How many.
        words: Words that were said.
        substitutions, insertions, deletions: Words changed, put in and left out.
        right: Recordings without any error.
    """

    recordings: int = 0
    words: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0
    right: int = 0

    @property
    def errors(self) -> int:
        """Words wrong in any way."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float:
        """Word error rate: errors for each word said; 0 where nothing was said. It may exceed 1."""
        return self.errors / self.words if self.words else 0.0

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(
            recordings=self.recordings + other.recordings,
            words=self.words + other.words,
            substitutions=self.substitutions + other.substitutions,
            insertions=self.insertions + other.insertions,
            deletions=self.deletions + other.deletions,
            right=self.right + other.right,
        )


def aligned(said: Sequence[str], heard: Sequence[str]) -> list[Pair]:
    """Return the words side by side, with the fewest errors.

    Raises:
        ValueError: They are too many, see `MOST_CELLS`.
    """
    numbers = _Numbers()
    ours, theirs = numbers.of(said), numbers.of(heard)
    _limited(len(said), len(heard))
    rows = _rows(np.arange(len(said) + 1), ours, theirs)
    pairs: list[Pair] = []
    one, two = len(said), len(heard)
    while one or two:
        step = _step(rows, ours, theirs, one, two)
        one, two = one - step[0], two - step[1]
        pairs.append((said[one] if step[0] else None, heard[two] if step[1] else None))
    return pairs[::-1]


def best_reading(said: Sequence[str], heard: Sequence[Readings]) -> list[str]:
    """Return the words of what was heard, read in the way that gives the fewest errors.

    Raises:
        ValueError: As `aligned`.
    """
    if all(len(readings) == 1 for readings in heard):
        return [word for readings in heard for word in readings[0]]
    _limited(len(said), sum(len(words) for readings in heard for words in readings))
    numbers = _Numbers()
    ours = numbers.of(said)
    row = np.arange(len(said) + 1)
    tried: list[tuple[list[Rows], list[Row]]] = []
    for readings in heard:
        theirs = [numbers.of(words) for words in readings]
        tried.append(([_rows(row, ours, words) for words in theirs], theirs))
        row = np.min([rows[-1] for rows in tried[-1][0]], axis=0).astype(np.int64)
    chosen: list[Sequence[str]] = []
    one = len(said)
    for (grids, theirs), readings in zip(reversed(tried), reversed(heard), strict=True):
        best = int(np.argmin([rows[-1, one] for rows in grids]))
        two = len(readings[best])
        while two:
            step = _step(grids[best], ours, theirs[best], one, two)
            one, two = one - step[0], two - step[1]
        chosen.append(readings[best])
    return [word for words in reversed(chosen) for word in words]


class _Numbers:
    """A number for each word, so that words are compared many at a time."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, words: Sequence[str]) -> Row:
        """Return the numbers of some words."""
        return np.array([self._known.setdefault(word, len(self._known)) for word in words], np.int64)


def _limited(said: int, heard: int) -> None:
    if said * heard > MOST_CELLS:
        raise ValueError(f"{said} words said and {heard} heard are too many to be compared at once")


def _rows(start: Row, said: Row, heard: Row) -> Rows:
    """Return the fewest errors up to each place: a row for each word heard, a column for each word said."""
    places = np.arange(len(said) + 1)
    rows = np.empty((len(heard) + 1, len(said) + 1), np.int32)
    rows[0] = start
    for at, word in enumerate(heard):
        above = rows[at].astype(np.int64)
        row = above + 1
        row[1:] = np.minimum(row[1:], above[:-1] + (said != word))
        # A word left out costs one more than the place before it: the least of all places before, in one go.
        rows[at + 1] = np.minimum.accumulate(row - places) + places
    return rows


def _step(rows: Rows, said: Row, heard: Row, one: int, two: int) -> tuple[int, int]:
    """Return how many words, said and heard, the last step before a place took."""
    here = int(rows[two, one])
    if one and two and int(rows[two - 1, one - 1]) + int(said[one - 1] != heard[two - 1]) == here:
        return 1, 1
    return (1, 0) if one and int(rows[two, one - 1]) + 1 == here else (0, 1)


def counted(pairs: Sequence[Pair]) -> WordErrors:
    """Count the errors of one recording."""
    deletions = sum(heard is None for _, heard in pairs)
    insertions = sum(said is None for said, _ in pairs)
    wrong = sum(said != heard for said, heard in pairs)
    return WordErrors(
        recordings=1,
        words=len(pairs) - insertions,
        substitutions=wrong - insertions - deletions,
        insertions=insertions,
        deletions=deletions,
        right=int(not wrong),
    )


def compared(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Count the errors between what was said and what was heard in one recording.

    Raises:
        ValueError: As `aligned`.
    """
    return counted(aligned(said, heard))
