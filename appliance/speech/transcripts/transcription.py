"""A recording heard as a whole: what was asked, what was heard, and the object that tells it.

The object has the shape of an answer to `:transcribe` (Speech to text REST API, version 2024-11-15). Its
times are whole milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.speech.audio.reader import Sound
from appliance.speech.decoding.segment import NO_PREFERENCES, HeardWord, Preferences
from appliance.speech.display.text import Profanity, Shown
from appliance.speech.model.spoken import Spoken
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.file import Transcript, transcribe
from appliance.speech.recognition.stream import Manner, Phrase

MAX_SECONDS: Final = 7_200.0
"""Longest recording."""
_MANNER: Final = Manner(single=False, initial_silence=0, end_silence=0.6, guesses=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a recording is to be transcribed.

    Attributes:
        channels: Channels to hear one by one; None mixes all.
        preferences: Words to prefer, and the locales that may be spoken.
        profanity: What becomes of swear words.
    """

    channels: tuple[int, ...] | None = None
    preferences: Preferences = NO_PREFERENCES
    profanity: Profanity = Profanity.MASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel that was heard.

    Attributes:
        number: Which one, or None where all were mixed.
        transcript: What was heard.
        shown: The forms of its phrases.
    """

    number: int | None
    transcript: Transcript
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """A recording that was heard.

    Attributes:
        channels: Its channels.
        rate: Samples a second that positions count.
    """

    channels: tuple[Channel, ...]
    rate: int

    @property
    def seconds(self) -> tuple[float, ...]:
        """Length of each channel."""
        return tuple(channel.transcript.samples / self.rate for channel in self.channels)

    def as_object(self, *, spoken: Spoken, wanted: Sequence[str] = ()) -> dict[str, Any]:
        """Return it as an answer to `:transcribe`.

        Args:
            spoken: What the model speaks.
            wanted: Locales that the caller named.
        """

        def locale(phrase: Phrase) -> str:
            return spoken.locale_of(phrase.heard[0].language, wanted)

        combined, phrases = [], []
        for channel in self.channels:
            number = {} if channel.number is None else {"channel": channel.number}
            own = [
                {**number, **_phrase(phrase, form, rate=self.rate, locale=locale(phrase))}
                for phrase, form in zip(channel.transcript.phrases, channel.shown, strict=True)
            ]
            combined.append({**number, "text": " ".join(str(phrase["text"]) for phrase in own)})
            phrases += own
        phrases.sort(key=lambda phrase: int(phrase["offsetMilliseconds"]))
        longest = max(channel.transcript.samples for channel in self.channels)
        return {
            "durationMilliseconds": longest * 1000 // self.rate,
            "combinedPhrases": combined,
            "phrases": phrases,
        }


async def hear(
    engine: SpeechEngine, sound: Sound, wanted: Wanted, *, told: Callable[[int], None] | None = None
) -> Transcription:
    """Hear a recording of two hours at most, and bring its phrases into their forms.

    Args:
        engine: What hears it.
        sound: The recording; it has the channels that are wanted.
        wanted: How.
        told: As of `transcribe`, for each channel anew.

    Raises:
        AudioError, AudioTooLong, Stopping, InferenceFailed: As `transcribe`.
    """
    numbers: Sequence[int | None] = [None] if wanted.channels is None else wanted.channels
    channels = []
    for number in numbers:
        transcript = await transcribe(
            engine,
            sound,
            _MANNER,
            channel=number,
            max_seconds=MAX_SECONDS,
            preferences=wanted.preferences,
            told=told,
        )
        texts = [phrase.heard[0].words for phrase in transcript.phrases]
        shown = await engine.shown(texts, wanted.profanity)
        channels.append(Channel(number=number, transcript=transcript, shown=tuple(shown)))
    return Transcription(channels=tuple(channels), rate=engine.rate)


def _phrase(phrase: Phrase, form: Shown, *, rate: int, locale: str) -> dict[str, Any]:
    best = phrase.heard[0]
    return {
        "offsetMilliseconds": phrase.offset * 1000 // rate,
        "durationMilliseconds": phrase.length * 1000 // rate,
        "text": form.display,
        "words": [
            {
                "text": piece.text,
                **_times(best.words[piece.first], best.words[piece.end - 1], base=phrase.base, rate=rate),
            }
            for piece in form.pieces
        ],
        "locale": locale,
        "confidence": round(best.confidence, 6),
    }


def _times(first: HeardWord, last: HeardWord, *, base: int, rate: int) -> dict[str, int]:
    start, end = (base + first.start) * 1000 // rate, (base + last.end) * 1000 // rate
    return {"offsetMilliseconds": start, "durationMilliseconds": end - start}
