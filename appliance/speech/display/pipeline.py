"""What display models make of a recognised text, and what is built in where one is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import Heard, HeardWord, Segment
from appliance.speech.display.numbers import write_numbers
from appliance.speech.display.punctuation import Punctuator
from appliance.speech.display.rescoring import WordModel
from appliance.speech.display.rewriting import Rules
from appliance.speech.display.text import Profanity, Shown, joined, show
from appliance.speech.display.written import show_written

RESCORED: Final = 8
"""Alternatives that a rescoring model chooses from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """`Resegment`: where the sentences of one phrase end.

    Attributes:
        seconds: A pause between words that ends a sentence.
        words: Words after which the next half as long a pause does.
    """

    seconds: float = 0.35
    words: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The display models in use; None where the built-in form is used.

    Attributes:
        punctuator: Sets punctuation and capitals.
        rescorer: Puts alternatives in another order.
        pauses: Ends sentences.
        rules: Writes words as a table says.
        rate: Samples a second that words are counted in.
        names: What is in use, by type, for people.
    """

    punctuator: Punctuator | None = None
    rescorer: WordModel | None = None
    pauses: Pauses | None = None
    rules: Rules | None = None
    rate: int = 16_000
    names: tuple[tuple[str, str], ...] = ()

    def show(self, words: Sequence[HeardWord], profanity: Profanity) -> Shown:
        """Bring words into their forms. Computes where there is a punctuation model.

        A text that its model has written with capitals and punctuation is left as it is.
        """
        if words and all(word.written for word in words):
            return show_written(words, profanity)
        parts = self._sentences(words)
        shown = [
            show(
                [word.text for word in part],
                profanity=profanity,
                punctuate=None if self.punctuator is None else self.punctuator.punctuate,
                write=write_numbers if self.rules is None else self.rules.write,
            )
            for part in parts
        ]
        return shown[0] if len(shown) == 1 else joined(shown, [len(part) for part in parts])

    def _sentences(self, words: Sequence[HeardWord]) -> list[Sequence[HeardWord]]:
        if self.pauses is None or len(words) < 2:
            return [words]
        enough = self.pauses.seconds * self.rate
        parts: list[Sequence[HeardWord]] = []
        first = 0
        for at in range(1, len(words)):
            pause = words[at].start - words[at - 1].end
            if pause >= (enough if at - first < self.pauses.words else enough / 2):
                parts.append(words[first:at])
                first = at
        return [*parts, words[first:]]

    def rank(self, texts: Sequence[Heard]) -> list[Heard]:
        """Put alternatives in the order of a rescoring model, the best first."""
        rescorer = self.rescorer
        if rescorer is None or len(texts) < 2:
            return list(texts)
        scored = [replace(text, score=text.score + rescorer.bonus(text.text.split())) for text in texts]
        return sorted(scored, key=lambda text: text.score, reverse=True)

    def rescored(self, segment: Segment) -> Segment:
        """Return the segment, with its texts in the order of a rescoring model if there is one."""
        return segment if self.rescorer is None else _Rescored(segment, self)


class _Rescored:
    """A segment whose texts are put in another order at its end."""

    def __init__(self, segment: Segment, forms: Forms) -> None:
        self._segment, self._forms = segment, forms

    def feed(self, samples: Samples) -> None:
        """See `Segment.feed`."""
        self._segment.feed(samples)

    def guess(self) -> str:
        """See `Segment.guess`."""
        return self._segment.guess()

    def quiet(self) -> int:
        """See `Segment.quiet`."""
        return self._segment.quiet()

    def finish(self, count: int = 1) -> list[Heard]:
        """See `Segment.finish`."""
        return self._forms.rank(self._segment.finish(max(count, RESCORED)))[:count]
