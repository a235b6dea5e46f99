"""Ask again and again over one connection: audio is counted once, and the whole rounded up once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from license.authority.authority import Authority
from tests.support.site import Service
from tests.support.speech_site import speech_site
from tests.support.speech_usage import seconds_counted, settled
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import Wire, header, phrases, turn_id

SENTENCES = ("open the valve on pump three", "close the main gate", "one two three", "go", "mind the gap") * 3
RECORDING = np.concatenate([part for text in SENTENCES for part in (speak(text), silence(1.3))])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vendor: Authority, tones: Path) -> Iterator[Service]:
    site = speech_site(tmp_path_factory.mktemp("tail") / "site", vendor)
    yield site.start("Service=speechtotext", f"Mounts:Model={tones}")
    site.close()


def ask_again_and_again(wire: Wire, pcm: bytes, rate: int = RATE) -> list[str]:
    """Recognise phrase after phrase as clients do: each from the end of the answer before it."""
    texts, at = [], 0
    while at < len(pcm):
        turn = turn_id()
        wire.say(turn, pcm[at:])
        (phrase,) = phrases(wire.until("turn.end"))
        if phrase["RecognitionStatus"] != "Success":
            break
        texts.append(phrase["DisplayText"])
        at += round((phrase["Offset"] + phrase["Duration"]) * rate / 1e7) * 2
    return texts


def test_a_recogniser_that_is_asked_again_and_again_counts_its_audio_once(service: Service) -> None:
    seconds = len(RECORDING) / RATE
    with service.client() as client, Wire(service.url) as wire:
        before = seconds_counted(service, client)
        texts = ask_again_and_again(wire, wave(RECORDING))
        counted = settled(lambda: seconds_counted(service, client)) - before
    assert len(texts) == len(SENTENCES)
    assert counted == -(-len(RECORDING) // RATE), f"{counted} seconds for {seconds:.1f}"


def test_turns_that_are_broken_off_count_what_each_heard(service: Service) -> None:
    """No answer told the client what to send again, so what it sends is new."""
    with service.client() as client, Wire(service.url) as wire:
        before = seconds_counted(service, client)
        for _ in range(4):
            wire.say(turn_id(), wave(speak("never mind this part")), end=False)
            wire.until("speech.hypothesis")
        wire.socket.socket.close()
        counted = settled(lambda: seconds_counted(service, client)) - before
    sent = 4 * len(speak("never mind this part")) / RATE
    assert 4 <= counted <= np.ceil(sent)


def test_audio_whose_rate_is_changed_is_not_rounded_up_twice(service: Service) -> None:
    with service.client() as client:
        for rate in (8_000, 11_025, 22_050, 44_100, 48_000):
            pcm = wave(np.concatenate((speak("go", rate=rate), silence(3.0, rate=rate)))[: 3 * rate])
            before = seconds_counted(service, client)
            with Wire(service.url, "conversation") as wire:
                wire.say(turn_id(), pcm, head=header(rate))
                wire.until("turn.end")
            assert settled(lambda: seconds_counted(service, client), quiet=0.2) - before == 3, rate
