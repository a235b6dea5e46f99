"""An n-gram model of some sentences: interpolated Kneser-Ney smoothing.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", section 2.7, with
one discount for each order. Shorter n-grams are counted by the words that they follow, not by how often they
stand, except at the beginning of a sentence, which follows nothing. The shortest are mixed with the same
probability for each word and one more for all that are unknown.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from appliance.speech.adaptation.ngrams import END, START, UNKNOWN, Gram, Ngrams

ORDER: Final = 3
_DISCOUNT: Final = 0.75  # where the text is too small to tell: none stands once, or none twice
_NEVER: Final = -99.0  # log10, as ARPA files say it of the beginning, which nothing precedes


def estimate(sentences: Iterable[Sequence[str]], *, order: int = ORDER) -> Ngrams:
    """Estimate a model.

    Args:
        sentences: Their words.
        order: Words of the longest n-grams, 1 or more.

    Raises:
        ValueError: There is no word.
    """
    counts = _counts(sentences, order)
    if not counts[1]:
        raise ValueError("there is no word")
    words = len(counts[1]) + 1  # the unknown ones count as one more; the end is among the others
    grams: dict[Gram, tuple[float, float]] = {}
    below: dict[Gram, float] = {}
    for size in range(1, order + 1):
        discount = _discount(counts[size])
        totals: Counter[Gram] = Counter()
        kinds: Counter[Gram] = Counter()
        for gram, count in counts[size].items():
            totals[gram[:-1]] += count
            kinds[gram[:-1]] += 1
        shares = {history: discount * kinds[history] / totals[history] for history in totals}
        current: dict[Gram, float] = {}
        for gram, count in counts[size].items():
            shorter = below[gram[1:]] if size > 1 else 1 / words
            history = gram[:-1]
            current[gram] = max(count - discount, 0.0) / totals[history] + shares[history] * shorter
        if size == 1:
            current[UNKNOWN,] = shares[()] / words
        grams |= {gram: (math.log10(value), 0.0) for gram, value in current.items()}
        if size > 1:
            for history, share in shares.items():
                probability = grams[history][0] if history in grams else _NEVER
                grams[history] = (probability, math.log10(share))
        below = current
    return Ngrams(grams=grams, order=order)


def _counts(sentences: Iterable[Sequence[str]], order: int) -> dict[int, dict[Gram, int]]:
    """Counts of the longest n-grams, and of the shorter ones by how many words they follow."""
    raw: dict[int, Counter[Gram]] = {size: Counter() for size in range(1, order + 1)}
    for sentence in sentences:
        whole = (START, *sentence, END)
        for size in range(1, order + 1):
            for end in range(size, len(whole) + 1):
                raw[size][whole[end - size : end]] += 1
    del raw[1][START,]  # it is given, not said
    found: dict[int, dict[Gram, int]] = {order: dict(raw[order])}
    for size in range(1, order):
        before: defaultdict[Gram, int] = defaultdict(int)
        for gram in raw[size + 1]:
            before[gram[1:]] += 1
        found[size] = {gram: before.get(gram) or count for gram, count in raw[size].items()}
    return found


def _discount(counts: dict[Gram, int]) -> float:
    """The share of a count that is kept for what was not seen (Ney, Essen and Kneser 1994)."""
    once = sum(count == 1 for count in counts.values())
    twice = sum(count == 2 for count in counts.values())
    return once / (once + 2 * twice) if once and twice else _DISCOUNT
