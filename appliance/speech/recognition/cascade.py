"""A phrase heard by two models: what is said in a closed vocabulary by the one that knows it, the rest by
the other.

A small model trained on digits, letters and commands hears them better than a large one that expects
sentences, and its confidence tells which it heard: on ordinary English it is never sure.
"""

from typing import Final, Protocol

import numpy as np

from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import NO_PREFERENCES, Heard, Preferences, Segment

SURE: Final = 0.85
"""Confidence of the closed vocabulary from which its text counts: on ordinary English, 14 recordings and 50
sentences of a speech synthesiser, it was at most 0.76 wherever it was wrong."""

SURE_WITH_PHRASES: Final = 0.9
"""The same where the caller has a phrase list, with which the other model hears these words better."""

_SILENT: Final = 0.6
"""Probability of no speech, by the open vocabulary, from which the closed one is not believed: it hears
numbers in a rhythm of tones. Threshold of openai/whisper `transcribe.py`; 99 of 100 recordings of speech stay
below 0.51."""
_DOUBTED: Final = 0.6  # confidence of the open vocabulary below which the other one is asked again
_FAIR: Final = 0.75  # what it must then have


class OpenSegment(Segment, Protocol):
    """A segment that also tells whether anything is said in it."""

    def no_speech(self) -> float:
        """Probability that nothing is said, before `finish`."""
        ...


class CascadeSegment:
    """See `Segment`.

    Args:
        closed: The phrase as the model of a closed vocabulary hears it.
        open_: As the other one hears it; its text is not asked for where the first is sure.
        preferences: What the caller prefers; a phrase list of no weight is none.
    """

    def __init__(
        self, closed: Segment, open_: OpenSegment, preferences: Preferences = NO_PREFERENCES
    ) -> None:
        self._closed, self._open = closed, open_
        self._sure = SURE_WITH_PHRASES if preferences.phrases and preferences.weight else SURE
        self._parts: list[Samples] = []

    def feed(self, samples: Samples) -> None:
        """See `Segment.feed`."""
        self._open.feed(samples)
        self._parts.append(samples)

    def guess(self) -> str:
        """See `Segment.guess`."""
        return self._open.guess()

    def quiet(self) -> int:
        """See `Segment.quiet`."""
        return self._open.quiet()

    def finish(self, count: int = 1) -> list[Heard]:
        """See `Segment.finish`."""
        if self._parts:  # in one go: a piece at a time costs four times as much
            self._closed.feed(np.concatenate(self._parts))
        closed = self._closed.finish(count)
        if closed[0].confidence >= _FAIR and self._open.no_speech() >= _SILENT:
            return self._open.finish(count)
        if closed[0].confidence >= self._sure:
            return closed
        found = self._open.finish(count)
        return closed if found[0].confidence < _DOUBTED and closed[0].confidence >= _FAIR else found
