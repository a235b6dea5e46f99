"""`Rescore`: a back-off n-gram model of words, which puts alternatives in another order."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.speech.adaptation.ngrams import LOG10, Ngrams


@dataclass(frozen=True, slots=True, kw_only=True)
class WordModel:
    """An n-gram model and its weight.

    Attributes:
        ngrams: The model.
        weight: Share in the score of a text.
        word: Added for each word, natural logarithm.
    """

    ngrams: Ngrams
    weight: float = 0.5
    word: float = 0.0

    @classmethod
    def read(cls, text: str, where: str, *, weight: float, word: float) -> "WordModel":
        """Read an ARPA file.

        Raises:
            ModelError: It is something else, or too large.
        """
        return cls(ngrams=Ngrams.read(text, where), weight=weight, word=word)

    def bonus(self, words: Sequence[str]) -> float:
        """Return what a text earns, natural logarithm."""
        return self.weight * self.ngrams.sentence(words) * LOG10 + self.word * len(words)
