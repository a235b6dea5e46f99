"""How likely the words of a domain go on: behind some words, and from the first letters of the next one.

A search that spells its words must know before a word is complete whether it leads to one that is likely
("language model look-ahead", Ortmanns, Ney and Eiden 1996). The words are sorted, so that those with the same
first letters lie side by side, and one sum over them is the difference of two sums from the beginning.
"""

from bisect import bisect_left
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.adaptation.ngrams import END, START, Gram, Ngrams

_CACHE_BYTES: Final = 16 * 2**20
_LAST: Final = "\U0010ffff"  # behind every letter

Probabilities = NDArray[np.float64]


class Continuations:
    """The words of a model, by their first letters; several threads may ask at once.

    Args:
        ngrams: The model.
    """

    def __init__(self, ngrams: Ngrams) -> None:
        self.words = ngrams.words()
        self.history = max(0, ngrams.order - 1)
        self._ngrams = ngrams
        numbers = {word: at for at, word in enumerate(self.words)}
        self._behind: dict[Gram, tuple[list[int], list[float]]] = {}
        for gram, (log10, _) in ngrams.grams.items():
            at = numbers.get(gram[-1])
            if at is not None:
                places, values = self._behind.setdefault(gram[:-1], ([], []))
                places.append(at)
                values.append(10.0**log10)
        kept = max(16, _CACHE_BYTES // (8 * (len(self.words) + 1)))
        self._sums = lru_cache(kept)(self._sums_behind)
        self._range = lru_cache(1 << 16)(self._words_from)

    def before(self, words: Gram) -> Gram:
        """What of the words before the next one counts; the beginning of the sentence included."""
        known = words if len(words) >= self.history else (START, *words)
        return known[len(known) - self.history :] if self.history else ()

    def prefix(self, before: Gram, letters: str) -> float:
        """Probability that the next word begins with some letters; 0 where no word of the domain does.

        Args:
            before: The words before it, as `before` returns them.
            letters: Its first letters.
        """
        first, end = self._range(letters)
        if first == end:
            return 0.0
        sums = self._sums(before)
        return max(0.0, float(sums[end] - sums[first]))

    def word(self, before: Gram, word: str) -> float:
        """Probability of the next word; 0 where it is none of the domain."""
        return float(10.0 ** self._ngrams.log10((*before, word))) if (word,) in self._ngrams.grams else 0.0

    def end(self, before: Gram) -> float:
        """Probability that the sentence ends."""
        return float(10.0 ** self._ngrams.log10((*before, END)))

    def _words_from(self, letters: str) -> tuple[int, int]:
        return bisect_left(self.words, letters), bisect_left(self.words, letters + _LAST)

    def _sums_behind(self, before: Gram) -> Probabilities:
        """Sums of the words' probabilities from the first one, behind some words."""
        return np.concatenate(([0.0], np.cumsum(self._dense(before))))

    def _dense(self, before: Gram) -> Probabilities:
        if before:
            back = self._ngrams.grams.get(before, (0.0, 0.0))[1]
            found: Probabilities = self._dense(before[1:]) * 10.0**back
        else:
            found = np.zeros(len(self.words))
        places, values = self._behind.get(before, ([], []))
        found[places] = values
        return found
