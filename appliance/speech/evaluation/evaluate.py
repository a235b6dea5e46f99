"""A model on recordings with transcripts: each is heard as the service hears a file; errors are counted."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.datasets.label_errors import DatasetError
from appliance.speech.adaptation.pronunciations import Pronunciations
from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import Sound
from appliance.speech.dataset.recordings import RecordingSet
from appliance.speech.dataset.transcripts import Recording
from appliance.speech.decoding.segment import Heard, Preferences
from appliance.speech.evaluation.spoken_words import spoken_readings, spoken_words
from appliance.speech.evaluation.word_errors import (
    Pair,
    Readings,
    WordErrors,
    aligned,
    best_reading,
    counted,
)
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.file import transcribe
from appliance.speech.recognition.stream import Manner

MAX_SECONDS: Final = 7_200.0
"""Of one recording, as the service takes them."""
MANNER: Final = Manner(single=False, initial_silence=0, end_silence=0.6, guesses=False)
"""As the service hears whole files."""
Told = Callable[[str, float], None]
"""Told of each step, and the share that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardRecording:
    """One recording, and what a model heard in it.

    Attributes:
        recording: Which.
        pairs: Words said and heard side by side.
        errors: Their counts.
        seconds: Length of the audio.
    """

    recording: Recording
    pairs: Sequence[Pair]
    errors: WordErrors
    seconds: float

    @property
    def heard(self) -> list[str]:
        """The words that were heard."""
        return [heard for _, heard in self.pairs if heard is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a model did.

    Attributes:
        model: What it is called in the report.
        release: Its version; may be empty.
        heard: Each recording, in the order of the list.
        seconds: Time that hearing took.
        threads: Calls of the model at once, meanwhile.
    """

    model: str
    release: str
    heard: Sequence[HeardRecording]
    seconds: float
    threads: int

    @property
    def errors(self) -> WordErrors:
        """Counts over all recordings."""
        return added(one.errors for one in self.heard)

    @property
    def audio_seconds(self) -> float:
        """Length of all recordings."""
        return sum(one.seconds for one in self.heard)

    def by_speaker(self) -> dict[str, WordErrors]:
        """Counts by speaker, sorted; empty where the list names no speaker."""
        found: dict[str, WordErrors] = {}
        for one in self.heard:
            speaker = one.recording.speaker
            found[speaker] = found.get(speaker, WordErrors()) + one.errors
        return dict(sorted(found.items())) if set(found) - {""} else {}


def evaluate_model(
    folders: Sequence[SpeechFolder],
    recordings: RecordingSet,
    *,
    model: str,
    threads: int,
    least: float,
    phrases: Sequence[str] = (),
    english: bool = True,
    told: Told = lambda *_: None,
) -> Evaluation:
    """Load a model, evaluate it and close it.

    Args:
        folders: Of the model, perhaps with one for a closed vocabulary, as `SpeechEngine.load` takes them.
        recordings: With transcripts.
        model: What it is called in the report.
        threads: Calls at once; 0 means one per usable core.
        least: Confidence, 0…1, below which a phrase is left out.
        phrases: Words to prefer, where the model can.
        english: Whether numbers are compared in words.
        told: Hears of the progress.

    Raises:
        ModelError, DatasetError, InferenceFailed: As `SpeechEngine.load` and `evaluate`.
    """
    engine = SpeechEngine.load(*folders, threads=threads, least=least)
    try:
        return evaluate(engine, recordings, model=model, phrases=phrases, english=english, told=told)
    finally:
        engine.close()


def added(errors: Iterable[WordErrors]) -> WordErrors:
    """Add counts up."""
    return sum(errors, WordErrors())


def evaluate(
    engine: SpeechEngine,
    recordings: RecordingSet,
    *,
    model: str,
    phrases: Sequence[str] = (),
    english: bool = True,
    told: Told = lambda *_: None,
) -> Evaluation:
    """Hear all recordings, as many at once as the engine has threads, and count the errors.

    Args:
        engine: The model.
        recordings: With transcripts.
        model: What it is called in the report.
        phrases: Words to prefer, where the model can.
        english: Whether numbers are compared in words, see `spoken_words`.
        told: Hears of the progress.

    Raises:
        DatasetError: A recording cannot be read, or nothing is said in any.
        InferenceFailed: As `SpeechEngine.run`.
    """
    said = [spoken_words(one.text, english=english) for one in recordings.recordings]
    if not any(said):
        raise DatasetError(f"no transcript in {recordings.name} has a word", hint="write down what is said")
    started = time.monotonic()

    async def every() -> list[HeardRecording]:
        turns = asyncio.Semaphore(engine.threads)
        done = 0

        async def one(recording: Recording, words: Sequence[str]) -> HeardRecording:
            nonlocal done
            async with turns:
                found = await _hear(engine, recordings, recording, words, phrases, english=english)
            done += 1
            told(f"{model}: {done} of {len(said)} recordings", done / len(said))
            return found

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one(recording, words))
                for recording, words in zip(recordings.recordings, said, strict=True)
            ]
        return [task.result() for task in tasks]

    try:
        heard = asyncio.run(every())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return Evaluation(
        model=model,
        release=engine.folder.release,
        heard=heard,
        seconds=time.monotonic() - started,
        threads=engine.threads,
    )


async def _hear(
    engine: SpeechEngine,
    recordings: RecordingSet,
    recording: Recording,
    said: Sequence[str],
    phrases: Sequence[str],
    *,
    english: bool,
) -> HeardRecording:
    place = f"{recordings.name}, line {recording.line}: {recording.path}"
    try:
        sound = Sound.open(recordings.read(recording))
        transcript = await transcribe(
            engine, sound, MANNER, max_seconds=MAX_SECONDS, preferences=Preferences(phrases=tuple(phrases))
        )
    except (AudioError, AudioTooLong) as error:
        raise DatasetError(f"{place}: {error.message}", hint=error.hint) from error
    heard = [phrase.heard[0] for phrase in transcript.phrases]
    adaptation = engine.folder.adaptation
    known = adaptation.pronunciations if adaptation is not None else None
    try:
        pairs = aligned(said, best_reading(said, readings(heard, known, english=english)))
    except ValueError as error:
        raise DatasetError(f"{place}: {error}", hint="cut the recording into several") from error
    return HeardRecording(
        recording=recording,
        pairs=pairs,
        errors=counted(pairs),
        seconds=transcript.samples / engine.rate,
    )


def readings(
    heard: Sequence[Heard], known: Pronunciations | None = None, *, english: bool = True
) -> list[Readings]:
    """Return the pieces of what was heard with all the ways in which each can be said.

    The text is taken as the model writes it: capitals tell spelled letters from words. What a pronunciation
    displays otherwise than it is spoken (`oz` for `ounce`) counts as right in both forms.

    Args:
        heard: The phrases of a recording.
        known: Pronunciations of the model; None if it has none.
        english: As `spoken_words` takes it.
    """
    found: list[Readings] = []
    plain = ""
    for one in heard:
        plain += " "
        if not any(word.written.strip() for word in one.words):
            plain += one.text
            continue
        for word in one.words:
            if known is None or tuple(word.text.split()) not in known.displayed:
                plain += word.written
                continue
            displayed = spoken_readings(word.written, english=english)
            forms = displayed[0] if len(displayed) == 1 else [[form for way in displayed for form in way[0]]]
            spoken = spoken_words(word.text, english=english)
            found += [*spoken_readings(plain, english=english), (*forms, spoken)]
            plain = ""
    return [*found, *spoken_readings(plain, english=english)]
