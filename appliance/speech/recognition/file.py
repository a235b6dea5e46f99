"""A file that is there as a whole: heard piece by piece, and its phrases put together to one result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from appliance.speech.audio.reader import Sound
from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import NO_PREFERENCES, Heard, HeardWord, Preferences
from appliance.speech.recognition.engine import SpeechEngine, pieces
from appliance.speech.recognition.stream import Event, Manner, Phrase, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was heard in a file.

    Attributes:
        phrases: What was said, in order.
        samples: Length of the file, at the rate of the model.
        voiced: Whether anything sounded like speech without being understood.
    """

    phrases: tuple[Phrase, ...]
    samples: int
    voiced: bool = False


async def transcribe(
    engine: SpeechEngine,
    sound: Sound,
    manner: Manner,
    *,
    channel: int | None = None,
    max_seconds: float,
    preferences: Preferences = NO_PREFERENCES,
    told: Callable[[int], None] | None = None,
) -> Transcript:
    """Hear a whole file. Between its pieces, others get their turn.

    Args:
        engine: What hears it.
        sound: The file.
        manner: How to listen.
        channel: Only this one; None mixes all.
        max_seconds: Longer audio is refused.
        phrases: Words to prefer.
        weight: How much, 0 to 2.
        told: Called after each piece with the samples heard so far, at the rate of the model.

    Raises:
        AudioError: It is broken.
        AudioTooLong: It is longer than `max_seconds`.
        Stopping, InferenceFailed: As `SpeechEngine.run`.
    """
    listener = engine.listener(manner, preferences)
    blocks = sound.blocks(engine.rate, channel=channel, max_seconds=max_seconds)
    events: list[Event] = []
    samples = 0

    def block() -> Samples | None:
        return next(blocks, None)

    while (found := await engine.run(block)) is not None:
        for piece in pieces(found, engine.rate):
            events += await engine.run(partial(listener.feed, piece))
            samples += len(piece)
            if told is not None:
                told(samples)
    events += await engine.run(listener.finish)
    results = [event for event in events if isinstance(event, Phrase)]
    return Transcript(
        phrases=tuple(phrase for phrase in results if phrase.status is Status.SUCCESS),
        samples=samples,
        voiced=any(result.status is Status.NO_MATCH for result in results),
    )


def together(transcript: Transcript) -> Phrase:
    """One result for the whole file: what was said, or why nothing was."""
    phrases = transcript.phrases
    if not phrases:
        return Phrase(
            status=Status.NO_MATCH if transcript.voiced else Status.INITIAL_SILENCE,
            offset=0,
            length=transcript.samples,
            processed=transcript.samples,
        )
    if len(phrases) == 1:
        return phrases[0]
    words = [moved(word, phrase.base) for phrase in phrases for word in phrase.heard[0].words]
    letters = [len(word.text) for word in words]
    sure = sum(word.confidence * count for word, count in zip(words, letters, strict=True)) / sum(letters)
    heard = Heard(
        text=" ".join(word.text for word in words),
        words=tuple(words),
        confidence=sure,
        language=phrases[0].heard[0].language,
        language_probability=min(phrase.heard[0].language_probability for phrase in phrases),
    )
    last = phrases[-1]
    return Phrase(
        status=Status.SUCCESS,
        offset=phrases[0].offset,
        length=last.offset + last.length - phrases[0].offset,
        heard=(heard,),
        processed=transcript.samples,
    )


def moved(word: HeardWord, by: int) -> HeardWord:
    """The same word, counted from so many samples earlier."""
    return replace(word, start=word.start + by, end=word.end + by)
