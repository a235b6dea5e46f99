"""A back-off n-gram model of words in the ARPA format: read, written, and asked for probabilities.

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
START: Final = "<s>"
END: Final = "</s>"
UNKNOWN: Final = "<unk>"
LOG10: Final = math.log(10)
_LEAST: Final = -1_000.0
_MOST: Final = 1e-3  # what rounding may add to a probability of 1
_MOST_BACK: Final = 30.0  # more would overflow where histories are left out one after another
_ABSENT: Final = -7.0  # log10, for a word of a model without <unk>
_SECTION: Final = re.compile(r"\\([0-9]{1,4})-grams:")

Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ngrams:
    """An n-gram model.

    Attributes:
        grams: log10 of the probability, and of the back-off weight, by words.
        order: Words of the longest.
    """

    grams: Mapping[Gram, tuple[float, float]]
    order: int

    @classmethod
    def read(cls, text: str, where: str, *, most: int = MAX_NGRAMS) -> "Ngrams":
        """Read an ARPA file.

        Args:
            text: Its content.
            where: What it is called in messages.
            most: N-grams that it may have.

        Raises:
            ModelError: It is something else, or too large.
        """
        grams: dict[Gram, tuple[float, float]] = {}
        order = 0
        for number, size, line in _lines(text, where):
            order = max(order, size)
            fields = line.split()
            try:
                if len(fields) not in (size + 1, size + 2):
                    raise ValueError("another number of fields")
                probability = float(fields[0])
                back = float(fields[size + 1]) if len(fields) == size + 2 else 0.0
                if not (math.isfinite(probability) and math.isfinite(back)):
                    raise ValueError("no finite number")
            except ValueError:  # which would tell of the line, and so of a customer's words
                raise ModelError(
                    f"line {number} of {where} is no {size}-gram", hint="an ARPA file is expected"
                ) from None
            if not (_LEAST <= probability <= _MOST and _LEAST <= back <= _MOST_BACK):
                raise ModelError(
                    f"line {number} of {where} states an impossible probability",
                    hint="an ARPA file has log10 of probabilities, which are 0 or less",
                )
            grams[tuple(word.lower() for word in fields[1 : size + 1])] = (probability, back)
            if len(grams) > most:
                raise ModelError(f"{where} has more than {most} n-grams")
        if not grams:
            raise ModelError(f"{where} holds no n-grams", hint="an ARPA file is expected")
        return cls(grams=grams, order=order)

    def written(self) -> str:
        """The model as an ARPA file, sorted, so that the same model is the same file."""
        by_size: dict[int, list[Gram]] = {}
        for gram in self.grams:
            by_size.setdefault(len(gram), []).append(gram)
        sizes = sorted(by_size)
        parts = ["\\data\\", *(f"ngram {size}={len(by_size[size])}" for size in sizes)]
        for size in sizes:
            parts += ["", f"\\{size}-grams:"]
            for gram in sorted(by_size[size]):
                probability, back = self.grams[gram]
                behind = f"\t{back:.5f}" if back else ""
                parts.append(f"{probability:.5f}\t{' '.join(gram)}{behind}")
        return "\n".join([*parts, "", "\\end\\", ""])

    def log10(self, gram: Gram) -> float:
        """log10 of the probability of the last word behind those before it, by Katz's back-off.

        It is that of the longest known n-gram, with the weights of the histories that are left out.
        """
        found = self.grams.get(gram)
        if found is not None:
            return found[0]
        if len(gram) == 1:
            return self.grams.get((UNKNOWN,), (_ABSENT, 0.0))[0]
        return self.grams.get(gram[:-1], (0.0, 0.0))[1] + self.log10(gram[1:])

    def sentence(self, words: Sequence[str]) -> float:
        """log10 of the probability of a whole sentence, its end included."""
        whole = (START, *words, END)
        return sum(
            self.log10(tuple(whole[max(0, at - self.order + 1) : at + 1])) for at in range(1, len(whole))
        )

    def words(self) -> list[str]:
        """Its words, sorted; without the marks of beginning, end and unknown words."""
        marks = (START, END, UNKNOWN)
        return sorted(gram[0] for gram in self.grams if len(gram) == 1 and gram[0] not in marks)


def _lines(text: str, where: str) -> Iterator[tuple[int, int, str]]:
    """Yield the lines of n-grams with their number and the section they stand in."""
    size = 0
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        section = _SECTION.fullmatch(line)
        if section is not None:
            size = int(section.group(1))
            if not 1 <= size <= MAX_ORDER:
                raise ModelError(f"{where} has n-grams of more than {MAX_ORDER} words")
        elif line == "\\end\\":
            return
        elif size and line:
            yield number, size, line
