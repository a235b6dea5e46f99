"""A phrase under way with a Whisper model: it is read again as it grows, and what two readings agree on is
told."""

import time
from typing import Final

import numpy as np

from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import Heard, Preferences
from appliance.speech.whisper.recognizer import WhisperRecognizer
from appliance.speech.whisper.search import Transcript
from appliance.speech.whisper.tokens import lexical

_FIRST_SECONDS: Final = 0.3
"""New audio after which a short phrase is read again; the first hypothesis needs two readings."""
_FURTHER_SECONDS: Final = 0.6
_SHORT_SECONDS: Final = 2.0
_SHARE: Final = 0.25  # of the time that passes may go into hypotheses


class WhisperSegment:
    """See `Segment`.

    Args:
        recognizer: The model.
        preferences: What the caller prefers.
    """

    def __init__(self, recognizer: WhisperRecognizer, preferences: Preferences) -> None:
        self._recognizer, self._preferences = recognizer, preferences
        self._parts: list[Samples] = []
        self._length = self._read_at = 0
        self._cost = 0.0
        self._last: Transcript | None = None
        self._guess = ""

    def feed(self, samples: Samples) -> None:
        """See `Segment.feed`."""
        self._parts.append(samples)
        self._length += len(samples)

    def guess(self) -> str:
        """See `Segment.guess`."""
        rate = 16_000
        step = _FIRST_SECONDS if self._length < _SHORT_SECONDS * rate else _FURTHER_SECONDS
        if self._length - self._read_at >= max(step, self._cost / _SHARE) * rate:
            started = time.monotonic()
            self._read()
            self._cost, self._read_at = time.monotonic() - started, self._length
        return self._guess

    def _read(self) -> None:
        prepared = self._recognizer.prepare(self._samples(), self._preferences)
        before = self._last.tokens if self._last is not None else ()
        found = self._recognizer.write(prepared, before)
        agreed = next(
            (at for at, (old, new) in enumerate(zip(before, found.tokens, strict=False)) if old != new),
            min(len(before), len(found.tokens)),
        )
        words = self._recognizer.words(found.tokens, prepared.language)
        told = [word for word in words if word.end <= agreed and word.end < len(found.tokens)]
        self._last = found
        self._guess = "".join(
            f" {lexical(word.written)}" if word.written.startswith(" ") else lexical(word.written)
            for word in told
        ).strip()

    def _samples(self) -> Samples:
        self._parts = [np.concatenate(self._parts)] if self._parts else [np.empty(0, np.float32)]
        return self._parts[0]

    def quiet(self) -> int:
        """See `Segment.quiet`."""
        return 0

    def finish(self, count: int = 1) -> list[Heard]:
        """See `Segment.finish`."""
        return self._recognizer.recognize(self._samples(), self._preferences, count)
