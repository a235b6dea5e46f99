"""One segment of speech: takes samples, gives interim hypotheses, and is finished once.

A model with finite context is run over windows that overlap, and each frame is decoded once, so a guess
costs no more than the new audio. Any other model sees the stretch from its beginning each time; how often is
bounded by what it costs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.speech.acoustic.model import AcousticModel, TransducerModel
from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.ctc import CtcDecoder, Decoded
from appliance.speech.decoding.transducer import search
from appliance.speech.model.vocabulary import Vocabulary

STEP_SECONDS: Final = (0.24, 0.64)
"""New audio that a window is worth: less computes the overlap more often, more delays the guesses. Windows
are short at the beginning, where little can overlap and the first guess is waited for."""

_OVERLAP: Final = 4  # windows of about this many steps

_SETTLED_SECONDS: Final = 0.12  # without a label, after which a word is over
_GUESS_SECONDS: Final = 0.5
_GUESS_SHARE: Final = 0.25  # of the time that passes may go into guesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the caller says about the speech.

    Attributes:
        phrases: Words to prefer.
        weight: How much; 1 is usual.
        languages: Locales that may be spoken; empty for the model's own.
    """

    phrases: tuple[str, ...] = ()
    weight: float = 1.0
    languages: tuple[str, ...] = ()


NO_PREFERENCES: Final = Preferences()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardWord:
    """One word: samples from `start` up to `end`, counted from the segment's first one; 0…1 how sure.

    `written` is the word with the space before it, capitals and punctuation, where the model writes such.
    """

    text: str
    start: int
    end: int
    confidence: float
    written: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A text, its words, how sure the model is, and the natural logarithm by which it was ranked.

    `language` is the code of the language it is in, where the model tells, and `language_probability` how
    likely that is.
    """

    text: str
    words: tuple[HeardWord, ...]
    confidence: float
    score: float = 0.0
    language: str = ""
    language_probability: float = 1.0


class Segment(Protocol):
    """One stretch of speech."""

    def feed(self, samples: Samples) -> None:
        """Take the next samples."""
        ...

    def guess(self) -> str:
        """The text so far, in whole words; may lag behind."""
        ...

    def quiet(self) -> int:
        """Samples since the last sign of speech in the text; 0 where that is not known."""
        ...

    def finish(self, count: int = 1) -> list[Heard]:
        """Up to `count` texts, best first; at least one, which may be empty."""
        ...


class StreamingSegment:
    """For a CTC model with finite context.

    Args:
        model: The model; its `context` must be known.
        decoder: Searches the text.
        phrases: Words of the caller to prefer.
        weight: How much; 1 is usual.
    """

    def __init__(
        self, model: AcousticModel, decoder: CtcDecoder, phrases: Sequence[str], weight: float = 1.0
    ) -> None:
        if model.context is None:
            raise ValueError("the model's context is not known")
        self._model, self._decoder, self._context = model, decoder, model.context
        self._beam = decoder.begin(phrases, weight)
        self._rows: list[NDArray[np.float32]] = []
        self._done = 0  # frames that are decoded
        self._held = np.empty(0, np.float32)
        self._start = 0  # of what is held, in samples of the segment
        self._last_piece = 0

    def feed(self, samples: Samples) -> None:
        """See `Segment.feed`."""
        self._held = np.concatenate((self._held, samples))
        ready = self._available() // self._context.frame - self._done
        if ready >= self._step():
            self._run(ready)

    def _step(self) -> int:
        """Frames that the next window is worth."""
        low, high = (
            max(1, int(seconds * self._model.rate) // self._context.frame) for seconds in STEP_SECONDS
        )
        return min(high, max(low, len(self._held) // self._context.frame // _OVERLAP))

    def _available(self) -> int:
        """Samples whose frames have all their context."""
        return max(0, self._start + len(self._held) - self._context.right + self._context.frame)

    def _run(self, count: int | None) -> None:
        """Decode that many frames more; None for all there are, at the end."""
        frame = self._context.frame
        rows = self._model.rows(self._held)
        first = self._done - self._start // frame
        rows = rows[first:] if count is None else rows[first : first + count]
        if not len(rows):
            return
        self._beam.advance(rows)
        self._rows.append(rows)
        spoken = np.flatnonzero(rows.argmax(axis=1) != self._decoder.vocabulary.blank)
        if len(spoken):
            self._last_piece = self._done + int(spoken[-1]) + 1
        self._done += len(rows)
        align = self._context.align
        keep = max(0, (self._done * frame - self._context.left) // align * align)
        if keep > self._start:
            self._held = self._held[keep - self._start :]
            self._start = keep

    def guess(self) -> str:
        """See `Segment.guess`."""
        return self._beam.text(whole=self.quiet() < _SETTLED_SECONDS * self._model.rate)

    def quiet(self) -> int:
        """See `Segment.quiet`."""
        return (self._done - self._last_piece) * self._context.frame if self._last_piece else 0

    def finish(self, count: int = 1) -> list[Heard]:
        """See `Segment.finish`."""
        if len(self._held):
            self._run(None)
        if not self._rows:
            return [Heard(text="", words=(), confidence=0.0)]
        rows = np.concatenate(self._rows)
        return [
            heard(decoded, self._context.frame) for decoded in self._decoder.nbest(self._beam, rows, count)
        ]


class WholeSegment:
    """For a model that needs the whole stretch at once.

    Args:
        decode: From samples and a number to as many texts.
        rate: Samples a second.
    """

    def __init__(self, decode: Callable[[Samples, int], list[Heard]], *, rate: int) -> None:
        self._decode = decode
        self._rate = rate
        self._parts: list[Samples] = []
        self._length = self._guessed_at = 0
        self._cost = 0.0
        self._guess = ""

    def feed(self, samples: Samples) -> None:
        """See `Segment.feed`."""
        self._parts.append(samples)
        self._length += len(samples)
        wait = max(_GUESS_SECONDS, self._cost / _GUESS_SHARE)
        if self._length - self._guessed_at >= wait * self._rate:
            started = time.monotonic()
            self._guess = self._whole(self._decode(self._samples(), 1)[0])
            self._cost, self._guessed_at = time.monotonic() - started, self._length

    def _whole(self, found: Heard) -> str:
        """The text without a last word that may go on."""
        last = found.words[-1].end if found.words else 0
        words = found.text.split(" ")
        return " ".join(words[:-1] if self._length - last < _SETTLED_SECONDS * self._rate else words)

    def _samples(self) -> Samples:
        self._parts = [np.concatenate(self._parts)] if self._parts else [np.empty(0, np.float32)]
        return self._parts[0]

    def guess(self) -> str:
        """See `Segment.guess`."""
        return self._guess

    def quiet(self) -> int:
        """See `Segment.quiet`."""
        return 0

    def finish(self, count: int = 1) -> list[Heard]:
        """See `Segment.finish`."""
        samples = self._samples()
        if not len(samples):
            return [Heard(text="", words=(), confidence=0.0)]
        return self._decode(samples, count)


def ctc_segment(
    model: AcousticModel, decoder: CtcDecoder, phrases: Sequence[str], weight: float = 1.0
) -> Segment:
    """A segment for a CTC model of either kind."""
    if model.context is not None:
        return StreamingSegment(model, decoder, phrases, weight)

    def decode(samples: Samples, count: int) -> list[Heard]:
        rows = model.rows(samples)
        beam = decoder.begin(phrases, weight)
        beam.advance(rows)
        return [heard(decoded, model.frame) for decoded in decoder.nbest(beam, rows, count)]

    return WholeSegment(decode, rate=model.rate)


def transducer_segment(model: TransducerModel, vocabulary: Vocabulary) -> Segment:
    """A segment for a transducer."""

    def decode(samples: Samples, _: int) -> list[Heard]:
        return [heard(search(model, samples, vocabulary), model.frame)]

    return WholeSegment(decode, rate=model.rate)


def heard(decoded: Decoded, frame: int) -> Heard:
    """Frames to samples."""
    return Heard(
        text=decoded.text,
        words=tuple(
            HeardWord(
                text=word.text, start=word.start * frame, end=word.end * frame, confidence=word.confidence
            )
            for word in decoded.words
        ),
        confidence=decoded.confidence,
        score=decoded.score,
    )
