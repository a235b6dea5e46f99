"""A closed vocabulary answers what it knows; ordinary English is left to the model that knows it."""

from collections.abc import Iterator

import numpy as np
import pytest

from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import Heard, HeardWord, Preferences
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BOTH, served_folders
from appliance.speech.recognition.cascade import SURE, SURE_WITH_PHRASES, CascadeSegment
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.stream import Manner, Phrase
from recipes.speech.clips import decoded
from tests.support.dictation import RATE, amiable, ask
from tests.unit.speech.test_bundled_speech import RECORDINGS, SAID


class Said:
    """A segment whose text and confidence are known."""

    def __init__(self, text: str, confidence: float, silent: float = 0.5) -> None:
        self.text, self.confidence, self.samples, self.finished = text, confidence, 0, 0
        self.silent = silent

    def feed(self, samples: Samples) -> None:
        self.samples += len(samples)

    def guess(self) -> str:
        return self.text

    def quiet(self) -> int:
        return 7 if self.text == "open" else 9

    def no_speech(self) -> float:
        return self.silent

    def finish(self, count: int = 1) -> list[Heard]:
        self.finished = count
        word = HeardWord(text=self.text, start=0, end=1, confidence=self.confidence)
        return [Heard(text=self.text, words=(word,), confidence=self.confidence)]


@pytest.mark.parametrize(
    ("closed", "open_", "weight", "answered"),
    [
        (SURE, 0.99, None, "closed"),
        (SURE - 0.01, 0.99, None, "open"),
        (SURE, 0.99, 1.0, "open"),
        (SURE, 0.99, 0.0, "closed"),
        (SURE_WITH_PHRASES, 0.99, 1.0, "closed"),
        (0.8, 0.59, None, "closed"),
        (0.8, 0.6, None, "open"),
        (0.7, 0.3, None, "open"),
        (0.0, 0.0, None, "open"),
    ],
)
def test_the_closed_vocabulary_answers_where_it_is_sure_or_the_other_is_in_doubt(
    closed: float, open_: float, weight: float | None, answered: str
) -> None:
    both = Said("closed", closed), Said("open", open_)
    preferences = Preferences() if weight is None else Preferences(phrases=("open",), weight=weight)
    cascade = CascadeSegment(*both, preferences)
    for _ in range(3):
        cascade.feed(np.zeros(100, np.float32))
    assert (cascade.guess(), cascade.quiet()) == ("open", 7)
    assert cascade.finish(4)[0].text == answered
    assert [one.samples for one in both] == [300, 300]
    assert both[0].finished == 4


def test_the_open_vocabulary_costs_nothing_where_the_closed_one_is_sure() -> None:
    closed, open_ = Said("closed", 0.9), Said("open", 0.9)
    CascadeSegment(closed, open_).finish()
    assert open_.finished == 0


@pytest.mark.parametrize("closed", [0.99, 0.8])
def test_what_the_open_vocabulary_takes_for_no_speech_is_left_to_it(closed: float) -> None:
    segment = CascadeSegment(Said("closed", closed), Said("open", 0.3, silent=0.6))
    assert segment.finish()[0].text == "open"


@pytest.fixture(scope="module")
def engine() -> Iterator[SpeechEngine]:
    folder, closed = map(SpeechFolder.open, served_folders(None, BOTH))
    engine = SpeechEngine.load(folder, closed=closed, threads=1, least=0.6)
    yield engine
    engine.close()


def heard(engine: SpeechEngine, wave: Samples, *phrases: str) -> str:
    sound = np.concatenate((wave, np.zeros(RATE, np.float32)))
    listener = engine.listener(Manner(single=False, guesses=False), Preferences(phrases=phrases))
    events = [*listener.feed(sound), *listener.finish()]
    texts = [event.heard[0] for event in events if isinstance(event, Phrase) and event.heard]
    return " ".join("".join(word.written for word in text.words).strip() or text.text for text in texts)


def test_sentences_have_capitals_and_commands_are_heard_by_the_model_that_knows_them(
    engine: SpeechEngine,
) -> None:
    assert [folder.name for folder in engine.folders] == ["whisper-tiny-en", "speech-en"]
    assert heard(engine, amiable()).startswith("He might even have been made")
    assert "my fellow Americans" in heard(engine, ask())
    texts = [heard(engine, decoded(path)) for path in RECORDINGS]
    right = sum(text == said for text, said in zip(texts, SAID, strict=True))
    assert right >= 0.6 * len(SAID)
    assert heard(engine, amiable()[::-1].copy()) == ""


def test_a_rhythm_of_chords_is_no_number(engine: SpeechEngine) -> None:
    at = np.arange(3 * RATE) / RATE
    chord = sum(0.1 * np.sin(2 * np.pi * pitch * at) for pitch in (261, 392, 523))
    assert heard(engine, (chord * np.clip(np.sin(4 * np.pi * at), 0, 1)).astype(np.float32)) == ""
