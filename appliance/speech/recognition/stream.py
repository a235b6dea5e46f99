"""A turn of speech as it arrives: where phrases begin and end, and what to tell the caller meanwhile.

Pure but for the model: samples in, events out, no clock and no thread. All positions are samples of the turn
at the rate of the model. Time-outs count the audio, not the time of day: a caller that sends faster than it
speaks is treated the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np

from appliance.speech.audio.voice_activity import Activity
from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import Heard, Segment
from appliance.speech.decoding.word_times import levels, to_sound

LEAD_SECONDS: Final = 0.4
"""Audio before the first sign of speech that is given to the model too."""

TAIL_SECONDS: Final = 0.4
"""Silence that is put behind the end of the audio."""

LONGEST_SECONDS: Final = 20.0
"""A phrase is cut here at the latest."""

_LONG_SECONDS: Final = 12.0  # from here on, a short pause is enough to cut
_SHORT_PAUSE: Final = 0.2
_ONSET: Final = 3  # of the last five frames
_FADE_SECONDS: Final = 0.1  # of a voice behind the last frame that stands out of the room
_UNSPOKEN: Final = 0.3  # more silence than that of the room, where only the text tells of it
_ALWAYS_ANSWER_SECONDS: Final = 25.0  # clients give up when much audio stays without an answer


class Status(StrEnum):
    """How a phrase ended, as `RecognitionStatus` on the wire."""

    SUCCESS = "Success"
    NO_MATCH = "NoMatch"
    INITIAL_SILENCE = "InitialSilenceTimeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Somebody began to speak at this sample."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a phrase under way sounds like so far."""

    text: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """The result of a stretch of audio.

    Attributes:
        status: How it ended.
        offset: First sample of what was said, or of the silence.
        length: Its samples, up to the end of the voice: past the last word's, which models place early.
        heard: Texts, best first; none without success. Their words count from `base`.
        base: First sample of the segment that the words count from; before the audio's own first one where it
            began with speech.
        processed: All audio up to here was looked at.
    """

    status: Status
    offset: int
    length: int
    heard: tuple[Heard, ...] = ()
    base: int = 0
    processed: int


Event = Started | Guess | Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a turn is to be heard.

    Attributes:
        single: End with the first phrase.
        initial_silence: Seconds without speech that are reported; 0 switches it off.
        end_silence: Seconds of pause that end a phrase.
        longest: Seconds at which a phrase is cut.
        most: Seconds of audio that are listened to in all; 0 for no limit.
        guesses: Whether somebody wants to know guesses.
        texts: Texts of each phrase, best first.
    """

    single: bool
    initial_silence: float = 5.0
    end_silence: float = 0.6
    longest: float = LONGEST_SECONDS
    most: float = 0.0
    guesses: bool = True
    texts: int = 1


@dataclass(slots=True, kw_only=True)
class _Open:
    """A phrase under way."""

    segment: Segment
    base: int
    voiced_until: int
    loud: list[float]  # level of each frame
    told: bool = False
    guess: str = ""


@dataclass(slots=True)
class _Waiting:
    """Audio that is kept because speech may be about to begin."""

    parts: list[Samples] = field(default_factory=list)
    flags: list[bool] = field(default_factory=list)


class Listener:
    """Listens to one turn.

    Args:
        rate: Samples a second.
        activity: Tells speech from silence.
        begin: Makes a segment.
        manner: How to listen.
        least: Confidence below which a phrase is not understood.
    """

    def __init__(
        self,
        *,
        rate: int,
        activity: Activity,
        begin: Callable[[], Segment],
        manner: Manner,
        least: float = 0.0,
    ) -> None:
        self._least = least
        self._rate = rate
        self._activity = activity
        self._begin = begin
        self._manner = manner
        self._rest = np.empty(0, np.float32)
        self._before = _Waiting()
        self._open: _Open | None = None
        self._said_until = 0  # end of the last phrase that was answered
        self._voiced = False  # whether anything since then sounded like speech
        self.processed = 0
        self.ended = False

    def feed(self, samples: Samples) -> list[Event]:
        """Take samples; return what is to be told, in order. Once `ended`, more is thrown away."""
        events: list[Event] = []
        self._rest = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        size = self._activity.frame
        at = 0
        while not self.ended and at + size <= len(self._rest):
            events += self._frame(self._rest[at : at + size])
            at += size
        self._rest = np.empty(0, np.float32) if self.ended else self._rest[at:]
        if self._manner.guesses:
            events += self._guess()
        return events

    def finish(self) -> list[Event]:
        """The audio is over: return what remains to be told. A single turn always has a phrase."""
        if self.ended:
            return []
        events: list[Event] = []
        self.processed += len(self._rest)
        if self._open is not None:
            # A recording may end right at its last sound; models want to hear that nothing follows.
            self._open.segment.feed(np.concatenate((self._rest, self._nothing())))
            events += self._close()
        self.ended = True
        if self._manner.single and not any(isinstance(event, Phrase) for event in events):
            events.append(self._silence())
        return events

    def _nothing(self) -> Samples:
        return np.zeros(int(TAIL_SECONDS * self._rate), np.float32)

    def _frame(self, samples: Samples) -> list[Event]:
        voiced = self._activity.voiced(samples)
        self.processed += len(samples)
        if self._open is None:
            self._wait(samples, voiced=voiced)
        else:
            self._open.segment.feed(samples)
            self._open.loud += levels(samples, len(samples))
            if voiced:
                self._open.voiced_until = self.processed
        events: list[Event] = []
        if self._open is not None and self._is_over(self._open):
            events += self._close()
        if not self.ended:
            events += self._time_out()
        return events

    def _wait(self, samples: Samples, *, voiced: bool) -> None:
        """Keep the last moments, and open a phrase when they sound like speech."""
        waiting = self._before
        waiting.parts.append(samples)
        waiting.flags.append(voiced)
        del waiting.flags[:-5]
        keep = max(1, int(LEAD_SECONDS * self._rate) // self._activity.frame)
        del waiting.parts[:-keep]
        if sum(waiting.flags) < _ONSET:
            return
        lead = np.concatenate(waiting.parts)
        # A recording may begin right at its first sound; models want to hear that nothing came before.
        missing = keep * self._activity.frame - len(lead)
        lead = np.concatenate((np.zeros(missing, np.float32), lead))
        segment = self._begin()
        segment.feed(lead)
        self._open = _Open(
            segment=segment,
            base=self.processed - len(lead),
            voiced_until=self.processed,
            loud=levels(lead, self._activity.frame),
        )
        self._before = _Waiting()
        self._voiced = True

    def _is_over(self, phrase: _Open) -> bool:
        rate, manner = self._rate, self._manner
        pause = self.processed - phrase.voiced_until
        length = self.processed - phrase.base
        if length >= manner.longest * rate or pause >= manner.end_silence * rate:
            return True
        if length >= _LONG_SECONDS * rate and pause >= _SHORT_PAUSE * rate:
            return True
        # Steady noise keeps the energy up; then the model's own silence ends the phrase.
        return phrase.segment.quiet() >= (manner.end_silence + _UNSPOKEN) * rate

    def _close(self) -> list[Event]:
        """End the phrase under way; what turns out to hold no words is told only where it must be."""
        phrase = self._open
        if phrase is None:
            return []
        self._open = None
        found = [heard for heard in phrase.segment.finish(self._manner.texts) if heard.text and heard.words]
        if not found:
            return []
        if found[0].confidence < self._least:
            return [self._silence()]
        texts = _ordered([self._timed(heard, phrase) for heard in found])
        words = texts[0].words
        offset = max(self._said_until, phrase.base + words[0].start)
        voiced = phrase.voiced_until + int(_FADE_SECONDS * self._rate)
        end = min(self.processed, max(offset, voiced, phrase.base + words[-1].end))
        events: list[Event] = [] if phrase.told else [Started(offset=offset)]
        events.append(
            Phrase(
                status=Status.SUCCESS,
                offset=offset,
                length=end - offset,
                heard=tuple(texts),
                base=phrase.base,
                processed=self.processed,
            )
        )
        self._answered(self.processed)
        return events

    def _timed(self, heard: Heard, phrase: _Open) -> Heard:
        words = to_sound(heard.words, phrase.loud, frame=self._activity.frame, rate=self._rate)
        return _within(replace(heard, words=words), -phrase.base)

    def _time_out(self) -> list[Event]:
        manner, rate = self._manner, self._rate
        over = bool(manner.most) and self.processed >= manner.most * rate
        if self._open is not None and not over:
            return []
        if over:
            events = self._close()
            if not events:
                events.append(self._silence())
            self.ended = True
            return events
        limit = manner.initial_silence
        if not manner.single:
            limit = min(limit or _ALWAYS_ANSWER_SECONDS, _ALWAYS_ANSWER_SECONDS)
        if not limit or self.processed - self._said_until < limit * rate:
            return []
        return [self._silence()]

    def _silence(self) -> Phrase:
        """Report the audio since the last phrase as silence, or as speech without words."""
        status = Status.NO_MATCH if self._voiced else Status.INITIAL_SILENCE
        start = self._said_until
        self._answered(self.processed)
        return Phrase(status=status, offset=start, length=self.processed - start, processed=self.processed)

    def _answered(self, end: int) -> None:
        self._said_until = end
        self._voiced = False
        self.ended = self._manner.single

    def _guess(self) -> list[Event]:
        phrase = self._open
        if phrase is None:
            return []
        text = phrase.segment.guess()
        if not text or text == phrase.guess:
            return []
        phrase.guess = text
        events: list[Event] = []
        offset = max(self._said_until, phrase.base)
        if not phrase.told:
            phrase.told = True
            events.append(Started(offset=offset))
        events.append(Guess(text=text, offset=offset, length=self.processed - offset))
        return events


def _within(heard: Heard, first: int) -> Heard:
    """Let no word begin before sample `first` of the segment: what lies before it was added here."""
    words = tuple(
        replace(word, start=max(word.start, first), end=max(word.end, first)) for word in heard.words
    )
    return heard if first <= 0 else replace(heard, words=words)


def _ordered(texts: list[Heard]) -> list[Heard]:
    """Let none be surer than one before it: the order also knows how usual words are."""
    found = texts[:1]
    for heard in texts[1:]:
        found.append(replace(heard, confidence=min(heard.confidence, found[-1].confidence)))
    return found


def ticks(samples: int, rate: int) -> int:
    """Samples as ticks of 100 ns."""
    return samples * 10_000_000 // rate
