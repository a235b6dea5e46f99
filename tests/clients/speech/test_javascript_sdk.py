"""Releases of the official JavaScript Speech SDK, unmodified: what they recognise, and learn of errors."""

import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.config.products import SPEECH_TO_TEXT
from tests.support.clients import INSTALL_SECONDS, install, run, tool
from tests.support.paths import ROOT
from tests.support.site import Service, Site
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import Wire, header, turn_id

HERE = ROOT / "tests" / "clients" / "speech" / "javascript"
PACKAGES = ("speech-sdk-1.30.1", "speech-sdk-1.52.0")
SPOKEN = np.concatenate((silence(0.4), speak("turn left"), silence(1.2), speak("go on"), silence(1.2)))
TALK = np.tile(speak("on and on and on without a pause "), 6)

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 120)


@pytest.fixture(scope="module")
def installed() -> Path:
    """The folder of the SDKs."""
    npm = tool("npm", "npm")
    tool("node", "nodejs")
    folder = Path(sys.prefix) / "speech-clients" / "javascript"
    locks = [HERE / name for name in ("package.json", "package-lock.json")]
    install(folder, locks, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    return folder


@pytest.fixture(params=PACKAGES)
def recognise(request: Any, installed: Path, tmp_path: Path) -> Callable[..., Any]:
    """Let one release recognise some samples."""

    def work(service: Service, samples: Any = SPOKEN, how: str = "once") -> Any:
        data = wave(samples)
        path = tmp_path / "a.wav"
        path.write_bytes(header(size=len(data))[:4] + header(size=len(data))[4:] + data)
        host = service.url.replace("http://", "ws://")
        words = [str(HERE / "recognize.mjs"), str(installed), request.param, host, str(path), how]
        seen = json.loads(run([tool("node", "nodejs"), *words]))
        assert ["never settled"] not in seen
        return seen

    return work


def errors(seen: Any) -> set[str]:
    """Codes of the errors that the SDK told."""
    return {event[2] for event in seen if event[0] == "canceled" and event[1] == "Error"}


def test_a_single_recognition_returns_the_text(recognise: Callable[..., Any], service: Service) -> None:
    assert recognise(service) == [["result", "RecognizedSpeech", "Turn left."]]


@pytest.mark.parametrize("how", ["continuous", "opened"])
def test_continuous_recognition_gives_every_phrase(
    recognise: Callable[..., Any], service: Service, how: str
) -> None:
    """Also where the connection was opened before anybody knew that it would be continuous."""
    seen = recognise(service, how=how)
    assert [event[1] for event in seen if event[0] == "recognized"] == ["Turn left.", "Go on."]
    assert seen[-1] == ["canceled", "EndOfStream", "NoError"]


@pytest.mark.parametrize("how", ["once", "continuous"])
def test_a_used_up_plan_is_told(
    recognise: Callable[..., Any], new_site: Callable[..., Site], tones: Path, how: str
) -> None:
    plan = {"meters": {SPEECH_TO_TEXT.meter: 2}, "overage": "block"}
    service = new_site(**plan).start("Service=speechtotext", f"Mounts:Model={tones}")
    assert errors(recognise(service, TALK, how)) == {"TooManyRequests"}
    assert len(errors(recognise(service, TALK, how))) == 1  # now refused before the upgrade


@pytest.mark.parametrize("how", ["once", "continuous"])
def test_too_many_recognitions_are_told(
    recognise: Callable[..., Any], new_site: Callable[..., Site], tones: Path, how: str
) -> None:
    service = new_site().start("Service=speechtotext", f"Mounts:Model={tones}", "Speech:Turns=1")
    with Wire(service.url, "conversation") as wire:
        wire.say(turn_id(), wave(speak("hold on")), end=False)
        wire.until("speech.hypothesis")
        assert errors(recognise(service, SPOKEN, how)) == {"TooManyRequests"}


def test_a_stop_of_the_service_is_told(
    recognise: Callable[..., Any], new_site: Callable[..., Site], tones: Path
) -> None:
    service = new_site().start("Service=speechtotext", f"Mounts:Model={tones}")
    endless = np.tile(TALK, 20)[: 60 * RATE]
    stop = threading.Timer(4, lambda: service.process.send_signal(signal.SIGTERM))
    stop.start()
    seen = recognise(service, endless, "continuous")
    stop.join()
    assert errors(seen) == {"ServiceError"}
