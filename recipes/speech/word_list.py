"""The word list and word pairs that go with the model: what the training transcripts and its domain say."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from recipes.speech.synthetic_voices import COMMANDS, DIGITS, LETTERS, MONTHS, ORDINALS, TEENS, TENS, phrase

START = "<s>"
DISCOUNT = 0.6
"""Taken off each count of a pair, and so given to pairs never seen (absolute discounting)."""
PHRASES = 4000
"""Made-up phrases counted with the transcripts, so that no order of digits or letters is thought unlikely."""


def listed(transcripts: Iterable[str]) -> list[str]:
    """Return every word of the transcripts and of the domain, sorted."""
    domain = {*DIGITS, "oh", *LETTERS, *TEENS, *TENS, "hundred", "thousand", "and", *ORDINALS, *MONTHS}
    return sorted({*domain, *COMMANDS, *(word for text in transcripts for word in text.split())})


def counted(transcripts: Sequence[str], orders: Sequence[str]) -> list[str]:
    """Return the texts to count: the transcripts, and phrases like them."""
    random = np.random.default_rng(1)
    return [*transcripts, *(phrase(random, orders) for _ in range(PHRASES))]


def unigrams(texts: Sequence[str], words: Sequence[str]) -> dict[str, float]:
    """Return the logarithm to base 10 of each word's share, one added to each count."""
    counts = Counter(word for text in texts for word in text.split())
    total = sum(counts.values()) + len(words)
    return {word: math.log10((counts[word] + 1) / total) for word in words}


def pairs(texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """Return the logarithm to base 10 of the chance of a word after another, for pairs seen twice or more."""
    counts: Counter[tuple[str, str]] = Counter()
    for text in texts:
        counts.update(pairwise([START, *text.split()]))
    before: Counter[str] = Counter()
    for (first, _), count in counts.items():
        before[first] += count
    return {
        pair: math.log10((count - DISCOUNT) / before[pair[0]])
        for pair, count in sorted(counts.items())
        if count > 1
    }
