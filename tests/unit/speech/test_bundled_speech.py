"""The speech model that is shipped reads recordings of speakers it never heard."""

import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx2
import numpy as np
import pytest
import soundfile

from recipes.speech.clips import RATE, decoded
from recipes.speech.evaluate import BUNDLED
from recipes.speech.recognizer import Recogniser
from recipes.speech.wer import errors
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
        errors(said.split(), bundled.both(decoded(path))[1].split())
        for path, said in zip(RECORDINGS, SAID, strict=True)
    )
    words = sum(len(said.split()) for said in SAID)
    assert wrong / words <= 0.2


def test_a_service_that_is_told_of_no_model_serves_it(new_site: Callable[..., Site]) -> None:
    service = new_site().start("Service=speechtotext")
    sound = BytesIO()
    soundfile.write(sound, decoded(RECORDINGS[SAID.index("start")]), RATE, "PCM_16", format="WAV")
    reply = httpx2.post(
        f"{service.url}/speech/recognition/interactive/cognitiveservices/v1?language=en-US",
        content=sound.getvalue(),
        headers={"Content-Type": "audio/wav"},
    )
    assert (reply.status_code, reply.json()["DisplayText"]) == (200, "Start.")


@pytest.mark.parametrize("decibels", [-15, 15])
def test_loudness_does_not_matter(bundled: Recogniser, decibels: float) -> None:
    wave = decoded(RECORDINGS[SAID.index("one five two one eight")])
    louder = (wave * 10 ** (decibels / 20)).clip(-1, 1)
    assert bundled.both(louder)[1] == "one five two one eight"


def test_silence_is_read_as_nothing(bundled: Recogniser) -> None:
    assert bundled.both(np.zeros(3 * RATE, np.float32)) == ("", "")
    hiss = np.random.default_rng(1).normal(scale=0.003, size=3 * RATE).astype(np.float32)
    assert bundled.both(hiss)[0] == ""
