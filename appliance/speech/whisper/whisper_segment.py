"""A phrase under way with a Whisper model: read again as it grows, told as far as two readings agree."""

import math
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import Heard, Preferences
from appliance.speech.whisper.features import RATE
from appliance.speech.whisper.recognizer import Prepared, WhisperRecognizer
from appliance.speech.whisper.search import Transcript
from appliance.speech.whisper.tokens import Word, spoken_text

_LEAD_SECONDS: Final = 0.4  # of silence that a phrase begins with
_STEP_SECONDS: Final = (0.2, 0.3)
"""New audio after which a phrase is read again at the earliest, before its first hypothesis and after it."""
_SHARE: Final = (0.15, 0.08)
"""Of the time that passes, what may go into hypotheses of one phrase, before and after again."""
_LIKELY: Final = 0.3  # probability of each token of a first hypothesis, which is told after one reading


class WhisperSegment:
    """See `Segment`.

    Args:
        recognizer: The model.
        preferences: What the caller prefers.
        busy: Whether others wait for the processor: then a hypothesis is left out, so that no text comes
        late.
    """

    def __init__(
        self,
        recognizer: WhisperRecognizer,
        preferences: Preferences,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._recognizer, self._preferences, self._busy = recognizer, preferences, busy
        self._parts: list[Samples] = []
        self._length = 0
        self._read_at = int(_LEAD_SECONDS * RATE)
        self._cost = 0.0
        self._last: Transcript | None = None
        self._guess = ""
        self._prepared: Prepared | None = None

    def feed(self, samples: Samples) -> None:
        """See `Segment.feed`."""
        self._parts.append(samples)
        self._length += len(samples)

    def guess(self) -> str:
        """See `Segment.guess`."""
        told = bool(self._guess)
        wait = max(_STEP_SECONDS[told], self._cost / _SHARE[told])
        if self._length - self._read_at >= wait * RATE and not self._busy():
            started = time.thread_time()
            self._read()
            self._cost, self._read_at = time.thread_time() - started, self._length
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
        if not told and not self._guess:
            told = [word for word in words[:1] if self._likely(found, word)]
        self._last = found
        self._guess = spoken_text(told)

    def _likely(self, found: Transcript, word: Word) -> bool:
        """Whether a first word can be told already, so that callers see early that they are heard."""
        return min(found.logs[word.first : word.end]) > math.log(_LIKELY)

    def _samples(self) -> Samples:
        self._parts = [np.concatenate(self._parts)] if self._parts else [np.empty(0, np.float32)]
        return self._parts[0]

    def quiet(self) -> int:
        """See `Segment.quiet`."""
        return 0

    def no_speech(self) -> float:
        """Probability that nothing is said in it. Comes before `finish`, after the last `feed`."""
        samples = self._samples()
        if not len(samples):
            return 1.0
        self._prepared = self._recognizer.prepare(samples, self._preferences)
        return self._recognizer.no_speech(self._prepared)

    def finish(self, count: int = 1) -> list[Heard]:
        """See `Segment.finish`."""
        return self._recognizer.recognize(self._samples(), self._preferences, count, self._prepared)
