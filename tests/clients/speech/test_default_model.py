"""Official clients of several releases against a service that is told of no model: people dictate to it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.config.products import SPEECH_TO_TEXT
from appliance.speech.evaluation.word_errors import compared
from license.authority.authority import Authority
from tests.clients.speech.test_javascript_sdk import HERE as JAVASCRIPT
from tests.clients.speech.test_javascript_sdk import PACKAGES, installed
from tests.clients.speech.test_speech_sdk import _usable
from tests.e2e.speech.test_rest import wav
from tests.support.clients import INSTALL_SECONDS, install, run, tool
from tests.support.dictation import AMIABLE, ASK, amiable, ask
from tests.support.paths import ROOT, VECTORS
from tests.support.site import Service, Site
from tests.support.speech_site import speech_site
from tests.support.speech_usage import seconds_counted, settled
from tests.support.tones import silence

__all__ = ["installed"]
PYTHON = ROOT / "tests" / "clients" / "speech" / "python"
CLIENTS = (*PACKAGES, "python-1.40", "python-newest")
NEWEST = (PACKAGES[-1], CLIENTS[-1])
SENTENCE = wav(np.concatenate((silence(0.5), amiable(), silence(0.8))))
ADDRESS = wav(np.concatenate((ask(), silence(1.0))))
WORDS = AMIABLE[:-1].lower().split()

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 120)


@pytest.fixture(scope="module")
def dictation(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    site = speech_site(tmp_path_factory.mktemp("dictation") / "site", vendor)
    yield site.start("Service=speechtotext")
    site.close()


def python_folder(name: str) -> Path:
    """Where the packages of a lock are installed, once."""
    lock = PYTHON / f"{name}.lock"
    folder = Path(sys.prefix) / "speech-clients" / name
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install(folder, [lock], [*pip, "--require-hashes", "--target", str(folder), "-r", str(lock)])
    return folder


@pytest.fixture(params=CLIENTS)
def recognise(request: Any, tmp_path: Path) -> Callable[..., list[Any]]:
    """Let one release of one client recognise a recording."""
    client: str = request.param

    def work(service: Service, sound: bytes, how: str = "once", **options: Any) -> list[Any]:
        path = tmp_path / "a.wav"
        path.write_bytes(sound)
        host = service.url.replace("http://", "ws://")
        words = [host, str(path), how, json.dumps(options)]
        if client in PACKAGES:
            folder = request.getfixturevalue("installed")
            script = [str(JAVASCRIPT / "recognize.mjs"), str(folder), client]
            seen: list[Any] = json.loads(run([tool("node", "nodejs"), *script, *words]))
            return seen
        if _usable():
            pytest.skip(_usable())
        old = {"PYTHONPATH": str(python_folder("recognize-1.40"))} if client == "python-1.40" else {}
        release, *seen = json.loads(run([sys.executable, str(PYTHON / "recognize.py"), *words], **old))
        assert release[1].startswith("1.40.") == bool(old)
        return seen

    return work


of_the_newest = pytest.mark.parametrize(
    "recognise",
    [pytest.param(one, marks=[] if one in NEWEST else [pytest.mark.slow]) for one in CLIENTS],
    indirect=True,
)
"""The older releases hear one sentence each day; the rest, on the same connections, by night."""


def test_a_dictated_sentence_has_its_punctuation_words_and_times(
    recognise: Callable[..., list[Any]], dictation: Service
) -> None:
    """With a phrase list, which changes nothing that is heard well anyway."""
    with dictation.client() as client:
        before = seconds_counted(dictation, client)
        seen = recognise(dictation, SENTENCE, detailed=True, phrases=["amiable", "Wickham"])
        counted = settled(lambda: seconds_counted(dictation, client)) - before
    (result,) = [event for event in seen if event[0] == "result"]
    _, reason, text, own = result
    assert (reason, text) == ("RecognizedSpeech", AMIABLE)
    best = own["NBest"][0]
    assert best["Display"] == AMIABLE
    assert best["Lexical"] == AMIABLE[:-1].lower()
    assert best["Confidence"] > 0.85
    assert [word["Word"] for word in best["Words"]] == WORDS
    ends = [word["Offset"] + word["Duration"] for word in best["Words"]]
    assert all(end <= word["Offset"] for end, word in zip(ends, best["Words"][1:], strict=False))
    guesses = [event[1] for event in seen if event[0] == "recognizing"]
    assert guesses, "the words appear while they are spoken"
    assert 3 <= counted <= 5


@of_the_newest
def test_an_address_is_heard_as_it_goes_on(recognise: Callable[..., list[Any]], dictation: Service) -> None:
    seen = recognise(dictation, ADDRESS, "continuous", detailed=True)
    text = " ".join(event[1] for event in seen if event[0] == "recognized")
    said, spoken = (one.lower().replace(".", "").replace(",", "").split() for one in (text, ASK))
    assert compared(spoken, said).errors <= 2
    assert len([event for event in seen if event[0] == "recognizing"]) >= 3
    assert ["canceled", "EndOfStream", "NoError"] in seen


@of_the_newest
def test_what_is_refused_is_told(
    recognise: Callable[..., list[Any]], dictation: Service, new_site: Callable[..., Site]
) -> None:
    """A language that the model does not speak; silence; and a plan that is used up within a sentence."""
    seen = recognise(dictation, SENTENCE, language="de-DE")
    assert [event[1] for event in seen if event[0] == "canceled"] == ["Error"]
    assert recognise(dictation, wav(silence(2.0)))[-1][:2] == ["result", "NoMatch"]
    plan = {"meters": {SPEECH_TO_TEXT.meter: 2}, "overage": "block"}
    short = new_site(**plan).start("Service=speechtotext")
    seen = recognise(short, ADDRESS)
    assert ["canceled", "Error", "TooManyRequests"] in seen


@pytest.fixture
def transcribe(tmp_path: Path) -> Callable[..., Any]:
    """Let the client of fast transcription transcribe a recording."""
    folder = python_folder("transcribe")

    def work(service: Service, name: str, sound: bytes, **options: Any) -> Any:
        (tmp_path / name).write_bytes(sound)
        words = [service.url, str(tmp_path / name), json.dumps(options)]
        script = str(PYTHON / "transcribe.py")
        return json.loads(run([sys.executable, script, *words], PYTHONPATH=str(folder)))

    return work


def test_the_transcription_client_reads_phrases_words_and_times(
    transcribe: Callable[..., Any], dictation: Service
) -> None:
    browser = (VECTORS / "webm" / "chromium.webm").read_bytes()
    phrases = {"phrases": ["amiable"], "biasingWeight": 1.5}
    for name, sound in (("a.wav", SENTENCE), ("a.webm", browser)):
        found = transcribe(dictation, name, sound, locales=["en-US"], phraseList=phrases)
        assert found["combinedPhrases"] == [{"text": AMIABLE}], name
        (phrase,) = found["phrases"]
        assert [word["text"] for word in phrase["words"]] == AMIABLE.split()
        assert phrase["locale"] == "en-US"
        assert phrase["confidence"] > 0.85
        assert 3_000 < found["durationMilliseconds"] < 5_000


def test_the_transcription_client_learns_what_is_refused(
    transcribe: Callable[..., Any], dictation: Service
) -> None:
    for name, sound, options in (
        ("a.wav", SENTENCE, {"locales": ["de-DE"]}),
        ("a.wav", SENTENCE, {"diarization": {"enabled": True, "maxSpeakers": 2}}),
        ("a.wav", SENTENCE[:30], {}),
        ("a.webm", (VECTORS / "webm" / "ffmpeg-vorbis.webm").read_bytes(), {}),
    ):
        found = transcribe(dictation, name, sound, **options)
        assert found["status"] == 400, found
        assert found["code"] in ("InvalidRequest", "InvalidArgument", "InvalidLocale"), found
