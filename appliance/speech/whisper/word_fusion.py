"""What the words of a domain add to Whisper's tokens: shallow fusion, words looked at letter by letter.

Tokens are pieces of words, and one word has many spellings in them: with a capital, behind a quotation mark.
So the domain is asked about letters, in lower case: how likely is its next word to begin so? A word of the
domain earns the logarithm of its probability above that of what the domain never says; any other word earns
nothing, and costs nothing. What the first letters of a word have earned is taken back where it goes on
otherwise.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.adaptation.continuations import Continuations
from appliance.speech.adaptation.domain_text import APOSTROPHES, is_letter
from appliance.speech.whisper.tokens import WhisperTokens

LEAST: Final = 1e-4
"""Probability that earnings are counted from."""
CANDIDATES: Final = 16
"""Tokens that are weighed at each step, by the model's own order."""
_KEPT: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text is: the words before, the letters of the word under way, and what they have earned."""

    before: tuple[str, ...] = ()
    letters: str = ""
    earned: float = 0.0


class WordFusion:
    """The words of a domain beside a Whisper; several threads may use it at once.

    Args:
        words: What the domain says.
        tokens: Those of the model.
        end: Its token for the end of the text.
        weight: Of what words earn, beside the model's own logarithm.
    """

    def __init__(self, words: Continuations, tokens: WhisperTokens, *, end: int, weight: float) -> None:
        self._words, self._weight, self._end = words, weight, end
        self._text = lru_cache(_KEPT)(lambda token: tokens.text([token]).lower())

    def weighed(self, values: NDArray[np.float32], place: Place) -> NDArray[np.float32]:
        """Add what the likeliest tokens earn; the others keep their value."""
        found = values.copy()
        likely, weighed = self.candidates(values, place)
        found[likely] = weighed
        return found

    def candidates(
        self, values: NDArray[np.float32], place: Place
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The likeliest tokens, and their values with what they earn."""
        count = min(CANDIDATES, len(values))
        likely = np.argpartition(-values, count - 1)[:count]
        gains = [self.gain(place, int(token)) for token in likely]
        return likely, values[likely].astype(np.float64) + np.array(gains)

    def gain(self, place: Place, token: int) -> float:
        """What a token earns behind a text; below 0 where it takes back what was earned."""
        if token == self._end:
            done, earned = self._finished(place)
            return earned + self._earnings(self._words.end(self._words.before(done.before)))
        return self._moved(place, token)[1]

    def after(self, place: Place, token: int) -> Place:
        """Where the text is behind a token more."""
        return self._moved(place, token)[0]

    def _moved(self, place: Place, token: int) -> tuple[Place, float]:
        total = 0.0
        for sign in self._text(token):
            if is_letter(sign, within=bool(place.letters)):
                letter = "'" if sign in APOSTROPHES else sign
                place = Place(place.before, place.letters + letter, place.earned)
                continue
            place, earned = self._finished(place)
            total += earned
        if place.letters:
            now = self._earnings(self._words.prefix(self._words.before(place.before), place.letters))
            total += now - place.earned
            place = Place(place.before, place.letters, now)
        return place, total

    def _finished(self, place: Place) -> tuple[Place, float]:
        """The word under way is over: it has earned what a whole word of the domain earns."""
        word = place.letters.rstrip("'")
        if not word:
            return Place(place.before), -place.earned
        now = self._earnings(self._words.word(self._words.before(place.before), word))
        before = (*place.before, word)[-self._words.history :] if self._words.history else ()
        return Place(before), now - place.earned

    def _earnings(self, probability: float) -> float:
        return self._weight * (math.log(probability + LEAST) - math.log(LEAST))
