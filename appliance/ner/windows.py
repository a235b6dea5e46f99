"""Cutting the words of a long text into overlapping spans. Pure: it knows token counts, not tokens.

A model sees at most `capacity` tokens at once. Neighbouring spans overlap, and in the overlap each word
belongs to the span in which it stands farther from the edge, because that one shows the model more of its
surroundings. Spans begin and end at word boundaries, and at sentence ends where one is near.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Words `begin:end` are shown to the model; it decides words `own_begin:own_end` of them."""

    begin: int
    end: int
    own_begin: int
    own_end: int


def spans(
    first: Sequence[int],
    last: Sequence[int],
    *,
    capacity: int,
    overlap: int,
    ends_sentence: Callable[[int], bool],
) -> list[Span]:
    """Cut words into spans of at most `capacity` tokens; every word is owned by exactly one span.

    Args:
        first: Position of each word's first token, ascending.
        last: Position after each word's last token, ascending; `last[i] - first[i] <= capacity`.
        capacity: Tokens a span may hold.
        overlap: Tokens neighbouring spans share, at most half of `capacity`; about a sixth more or less
            where a sentence ends nearby.
        ends_sentence: Whether the word of this index ends a sentence.
    """
    if not 0 <= overlap <= capacity // 2:
        raise ValueError("overlap must be at most half of the room")
    if not first:
        return []
    slack = min(overlap // 2, capacity // 8)
    cuts = [(0, _end(first, last, 0, capacity, slack, ends_sentence))]
    while (end := cuts[-1][1]) < len(first):
        begin = _begin(first, last, cuts[-1], overlap, slack, ends_sentence)
        reach = _end(first, last, begin, capacity, slack, ends_sentence)
        if reach <= end:  # the next word is so long that it fits only without the overlap
            begin, reach = end, _end(first, last, end, capacity, slack, ends_sentence)
        cuts.append((begin, reach))
    borders = [0]
    for (_, end), (begin, _) in pairwise(cuts):
        middle = (first[begin] + last[end - 1]) // 2
        borders.append(min(max(bisect_left(first, middle), begin, borders[-1]), end))
    borders.append(len(first))
    return [
        Span(begin=begin, end=end, own_begin=borders[index], own_end=borders[index + 1])
        for index, (begin, end) in enumerate(cuts)
    ]


def _end(
    first: Sequence[int],
    last: Sequence[int],
    begin: int,
    capacity: int,
    slack: int,
    ends_sentence: Callable[[int], bool],
) -> int:
    """Return the end of a span from `begin`: as far as it fits, or at a sentence end close before that."""
    limit = first[begin] + capacity
    end = max(bisect_right(last, limit), begin + 1)
    if end >= len(first):
        return len(first)
    for word in range(end - 1, begin, -1):
        if last[word] < limit - slack:
            break
        if ends_sentence(word):
            return word + 1
    return end


def _begin(
    first: Sequence[int],
    last: Sequence[int],
    previous: tuple[int, int],
    overlap: int,
    slack: int,
    ends_sentence: Callable[[int], bool],
) -> int:
    """Return where the next span begins: `overlap` before the end, or at a sentence start near that."""
    begin, end = previous
    target = last[end - 1] - overlap
    start = min(max(bisect_left(first, target), begin + 1), end)
    for word in range(start, begin, -1):
        if first[word] < target - slack:
            break
        if ends_sentence(word - 1):
            return word
    return start
