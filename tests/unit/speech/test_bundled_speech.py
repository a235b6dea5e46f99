"""The speech model that is shipped reads recordings of speakers it never heard."""

import hashlib
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import httpx2
import numpy as np
import pytest
import soundfile

from appliance.speech.decoding.word_times import levels
from appliance.speech.evaluation.word_errors import compared
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.stream import Guess, Manner, Phrase, Status
from recipes.speech.clips import RATE, Wave, decoded
from recipes.speech.evaluate import BUNDLED
from recipes.speech.recognizer import Recogniser
from tests.support.site import Site

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.opus"))
SAID = [path.stem.replace("-", " ") for path in RECORDINGS]


@pytest.fixture(scope="module")
def bundled() -> Recogniser:
    return Recogniser(BUNDLED)


def test_the_folder_names_every_file_it_needs_by_its_digest() -> None:
    described = json.loads((BUNDLED / "model.json").read_text())
    assert described["task"] == "speech-ctc"
    for name, digest in described["files"].items():
        assert hashlib.sha256((BUNDLED / name).read_bytes()).hexdigest() == digest, name
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 13_000_000


def test_words_of_speakers_it_never_heard_are_read(bundled: Recogniser) -> None:
    wrong = sum(
        compared(said.split(), bundled.both(decoded(path))[1].split()).errors
        for path, said in zip(RECORDINGS, SAID, strict=True)
    )
    words = sum(len(said.split()) for said in SAID)
    assert wrong / words <= 0.2


def test_a_service_serves_it_where_that_is_asked_for(new_site: Callable[..., Site]) -> None:
    service = new_site().start("Service=speechtotext", "Models:Speech=commands")
    sound = BytesIO()
    soundfile.write(sound, decoded(RECORDINGS[SAID.index("start")]), RATE, "PCM_16", format="WAV")
    reply = httpx2.post(
        f"{service.url}/speech/recognition/interactive/cognitiveservices/v1?language=en-US",
        content=sound.getvalue(),
        headers={"Content-Type": "audio/wav"},
    )
    assert (reply.status_code, reply.json()["DisplayText"]) == (200, "Start.")


@pytest.fixture(scope="module")
def listening() -> Iterator[SpeechEngine]:
    engine = SpeechEngine.load(SpeechFolder.open(BUNDLED), threads=1, least=0.6)
    yield engine
    engine.close()


def phrases(engine: SpeechEngine, wave: Wave, texts: int = 1) -> list[Phrase]:
    """What is answered to a recording, with a second of the room behind it."""
    room = np.random.default_rng(2).normal(scale=0.0005, size=RATE).astype(np.float32)
    listener = engine.listener(Manner(single=False, initial_silence=0, guesses=False, texts=texts))
    events = [*listener.feed(np.concatenate((wave, room))), *listener.finish()]
    return [event for event in events if isinstance(event, Phrase)]


def test_speech_is_understood_and_what_is_played_backwards_seldom(listening: SpeechEngine) -> None:
    """Of all recordings of the dev parts that are played backwards, one in twelve is taken for words."""
    backward = 0
    for path in RECORDINGS:
        (forward,) = phrases(listening, decoded(path))
        assert forward.status is Status.SUCCESS
        assert forward.heard[0].confidence > 0.6
        found = phrases(listening, np.ascontiguousarray(decoded(path)[::-1]))
        backward += any(phrase.status is Status.SUCCESS for phrase in found)
        assert found
    assert backward <= 1


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_alternatives_are_listed_words_and_in_the_order_of_their_confidence(
    listening: SpeechEngine, path: Path
) -> None:
    listed = {line.partition("\t")[0] for line in (BUNDLED / "words.txt").read_text().splitlines()}
    (phrase,) = phrases(listening, decoded(path), texts=5)
    sure = [heard.confidence for heard in phrase.heard]
    assert sure == sorted(sure, reverse=True)
    assert {word.text for heard in phrase.heard for word in heard.words} <= listed


def test_words_last_from_the_beginning_to_the_end_of_their_sound(listening: SpeechEngine) -> None:
    """Two recordings whose sound begins and ends where it is known to: times are right within 60 ms."""
    one, two = (decoded(RECORDINGS[SAID.index(text)]) for text in ("start", "one zero six five"))
    parts = [trimmed(wave) for wave in (one, two)]
    gap = np.random.default_rng(2).normal(scale=1e-4, size=RATE // 4).astype(np.float32)
    wave = np.concatenate((gap, gap, parts[0], gap, parts[1], gap))
    (phrase,) = phrases(listening, wave)
    words = phrase.heard[0].words
    assert [word.text for word in words] == ["start", "one", "zero", "six", "five"]
    begin = len(gap) * 2
    edges = [begin, begin + len(parts[0]), begin + len(parts[0]) + len(gap), len(wave) - len(gap)]
    found = [phrase.base + at for at in (words[0].start, words[0].end, words[1].start, words[-1].end)]
    assert np.allclose(found, edges, atol=0.06 * RATE), (np.array(found) - edges) / RATE


def trimmed(wave: Wave) -> Wave:
    """The part of a recording that stands out of its room."""
    loud = np.array(levels(wave, RATE // 100))
    heard = np.flatnonzero(loud > max(loud.max() - 30, np.percentile(loud, 10) + 6))
    return wave[heard[0] * RATE // 100 : (heard[-1] + 1) * RATE // 100]


def test_hypotheses_are_whole_words(listening: SpeechEngine) -> None:
    listed = {line.partition("\t")[0] for line in (BUNDLED / "words.txt").read_text().splitlines()}
    told = 0
    for path in RECORDINGS:
        listener = listening.listener(Manner(single=False, initial_silence=0))
        wave = np.concatenate((decoded(path), np.zeros(RATE, np.float32)))
        guesses = [
            event.text
            for at in range(0, len(wave), RATE // 50)
            for event in listener.feed(wave[at : at + RATE // 50])
            if isinstance(event, Guess)
        ]
        told += bool(guesses)
        assert {word for guess in guesses for word in guess.split()} <= listed
    assert told >= len(RECORDINGS) - 1  # a single word may be over before it is sure to be whole


@pytest.mark.parametrize("decibels", [-15, 15])
def test_loudness_does_not_matter(bundled: Recogniser, decibels: float) -> None:
    wave = decoded(RECORDINGS[SAID.index("one five two one eight")])
    louder = (wave * 10 ** (decibels / 20)).clip(-1, 1)
    assert bundled.both(louder)[1] == "one five two one eight"


def test_silence_is_read_as_nothing(bundled: Recogniser) -> None:
    assert bundled.both(np.zeros(3 * RATE, np.float32)) == ("", "")
    hiss = np.random.default_rng(1).normal(scale=0.003, size=3 * RATE).astype(np.float32)
    assert bundled.both(hiss)[0] == ""
