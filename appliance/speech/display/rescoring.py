"""`Rescore`: a back-off n-gram model of words in the ARPA format, which puts alternatives in another order.

The format is that of SRILM's `ngram-format(5)`: `\\data\\`, then sections `\\N-grams:` with lines of log10
probability, N words, and optionally log10 of the back-off weight, then `\\end\\`.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.errors import ModelError

MAX_ORDER: Final = 5
MAX_NGRAMS: Final = 2_000_000
_SECTION: Final = re.compile(r"\\([0-9]+)-grams:")
_LOG10: Final = math.log(10)
_ABSENT: Final = -7.0  # log10, for a word of a model without <unk>

Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordModel:
    """An n-gram model.

    Attributes:
        grams: log10 of the probability, and of the back-off weight, by words.
        order: Words of the longest.
        weight: Share in the score of a text.
        word: Added for each word, natural logarithm.
    """

    grams: Mapping[Gram, tuple[float, float]]
    order: int
    weight: float = 0.5
    word: float = 0.0

    @classmethod
    def read(cls, text: str, where: str, *, weight: float, word: float) -> "WordModel":
        """Read an ARPA file.

        Raises:
            ModelError: It is something else, or too large.
        """
        grams: dict[Gram, tuple[float, float]] = {}
        order = 0
        for size, line in _lines(text, where):
            order = max(order, size)
            fields = line.split()
            try:
                if len(fields) not in (size + 1, size + 2):
                    raise ValueError("another number of fields")
                probability = float(fields[0])
                back = float(fields[size + 1]) if len(fields) == size + 2 else 0.0
                if not (math.isfinite(probability) and math.isfinite(back)):
                    raise ValueError("no finite number")
            except ValueError as error:
                raise ModelError(
                    f"{where} has a line that is no {size}-gram: {line[:60]!r}",
                    hint="an ARPA file is expected",
                ) from error
            grams[tuple(word.lower() for word in fields[1 : size + 1])] = (probability, back)
            if len(grams) > MAX_NGRAMS:
                raise ModelError(f"{where} has more than {MAX_NGRAMS} n-grams")
        if not grams:
            raise ModelError(f"{where} holds no n-grams", hint="an ARPA file is expected")
        return cls(grams=grams, order=order, weight=weight, word=word)

    def bonus(self, words: Sequence[str]) -> float:
        """Return what a text earns, natural logarithm."""
        sentence = ("<s>", *words, "</s>")
        log10 = sum(
            self._log10(sentence[max(0, at - self.order + 1) : at + 1]) for at in range(1, len(sentence))
        )
        return self.weight * log10 * _LOG10 + self.word * len(words)

    def _log10(self, gram: Gram) -> float:
        """Katz's back-off: the longest known n-gram, and the weights of the histories left out."""
        found = self.grams.get(gram)
        if found is not None:
            return found[0]
        if len(gram) == 1:
            return self.grams.get(("<unk>",), (_ABSENT, 0.0))[0]
        return self.grams.get(gram[:-1], (0.0, 0.0))[1] + self._log10(gram[1:])


def _lines(text: str, where: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of n-grams with the section they stand in."""
    size = 0
    for line in map(str.strip, text.splitlines()):
        section = _SECTION.fullmatch(line)
        if section is not None:
            size = int(section.group(1))
            if not 1 <= size <= MAX_ORDER:
                raise ModelError(f"{where} has n-grams of more than {MAX_ORDER} words")
        elif line == "\\end\\":
            return
        elif size and line:
            yield size, line
