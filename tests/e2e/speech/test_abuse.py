"""Clients that send for hours, or leave in the middle: bounded memory, the right message, an exact ledger."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from license.authority.authority import Authority
from tests.e2e.speech.test_licence import KEY, NAMED
from tests.e2e.speech.test_wire import _eventually, _memory, _sockets, used
from tests.support.site import Service, Site
from tests.support.speech_site import speech_site
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import CHUNK, Wire, header, phrases, turn_id


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, vendor: Authority, tones: Path) -> Iterator[Service]:
    """A service of its own: what it counts is what these tests send."""
    site = speech_site(tmp_path_factory.mktemp("quiet") / "site", vendor)
    yield site.start("Service=speechtotext", f"Mounts:Model={tones}")
    site.close()


def stay_silent(service: Service, minutes: int) -> list[dict[str, object]]:
    """Send silence as fast as it is taken, and read what comes meanwhile."""
    turn = turn_id()
    with Wire(service.url, "conversation") as wire:
        told: list[dict[str, object]] = []
        reader = threading.Thread(target=lambda: told.extend(phrases(wire.until("turn.end", 600))))
        wire.audio(turn, header())
        reader.start()
        piece = bytes(10 * CHUNK)
        for _ in range(minutes * 60):
            wire.audio(turn, piece)
        wire.audio(turn, b"")
        reader.join(600)
    return told


def check_silence(service: Service, minutes: int) -> None:
    with service.client() as client:
        before, memory = used(client), _memory(service)
        told = stay_silent(service, minutes)
        assert [phrase["RecognitionStatus"] for phrase in told[:-1]] == ["InitialSilenceTimeout"] * (
            minutes * 4
        )
        assert told[-1]["RecognitionStatus"] == "EndOfDictation"
        assert _memory(service) - memory < 40 * 1024
        assert used(client) - before == minutes * 60


def test_minutes_of_silence_are_told_counted_and_forgotten(quiet: Service) -> None:
    check_silence(quiet, 10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_hours_of_silence_are_told_counted_and_forgotten(quiet: Service) -> None:
    check_silence(quiet, 600)


def test_turns_that_end_or_are_left_are_each_counted_once(quiet: Service) -> None:
    """Of fifty clients half wait for the end of their turn; the others vanish without a word."""
    pcm = wave(np.concatenate((speak("go"), silence(1.0))))  # more than one second, less than two
    with quiet.client() as client:
        before = used(client)
        open_files = _sockets(quiet)
        staying = [Wire(quiet.url, "conversation") for _ in range(25)]
        leaving = [Wire(quiet.url, "conversation") for _ in range(25)]
        for wire in (*staying, *leaving):
            wire.say(turn_id(), pcm, end=wire in staying)
        for wire in staying:
            wire.until("turn.end")
            wire.socket.close()
        for wire in leaving:
            wire.until("speech.phrase")
            wire.socket.socket.close()
        assert _eventually(lambda: _sockets(quiet) <= open_files)
        assert _eventually(lambda: used(client) - before == 100)


def test_a_small_voice_model_can_be_named(new_site: Callable[..., Site], tones: Path, tmp_path: Path) -> None:
    """In the layout of Silero VAD, for a quarter of the tones' loudness and more."""
    weights = {"edge": np.array(-0.05, np.float32), "steep": np.array(1e4, np.float32)}
    number, text = TensorProto.INT64, TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["input"], ["size"]),
            helper.make_node("ReduceMean", ["size"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Add", ["mean", "edge"], ["over"]),
            helper.make_node("Mul", ["over", "steep"], ["sure"]),
            helper.make_node("Sigmoid", ["sure"], ["output"]),
            helper.make_node("Identity", ["state"], ["stateN"]),
        ],
        "voice",
        [
            helper.make_tensor_value_info("input", text, [1, "n"]),
            helper.make_tensor_value_info("state", text, [2, 1, 128]),
            helper.make_tensor_value_info("sr", number, []),
        ],
        [
            helper.make_tensor_value_info("output", text, [1, 1]),
            helper.make_tensor_value_info("stateN", text, [2, 1, 128]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "voice").mkdir()
    onnx.save(model, tmp_path / "voice/silero_vad.onnx")
    words = ("Service=speechtotext", f"Mounts:Model={tones}", f"Speech:ActivityModel={tmp_path / 'voice'}")
    site = new_site()
    service = site.start(*words)
    sound = np.concatenate((silence(0.5), 0.05 * speak("left"), silence(1.5), speak("right"), silence(1.5)))
    with Wire(service.url, "conversation") as wire:
        wire.say(turn_id(), wave(sound))
        texts = [phrase.get("DisplayText") for phrase in phrases(wire.until("turn.end"))]
    assert texts == ["Right.", None]  # what it calls silence is not heard
    assert service.stop() == 0
    (tmp_path / "voice/second.onnx").write_bytes(b"")
    refused = site.run(*words)
    assert refused.returncode == 78
    assert "2 .onnx files instead of one" in refused.stderr


def test_refusals_before_the_upgrade_are_clear_to_the_sdk(
    new_site: Callable[..., Site], tones: Path, tmp_path: Path
) -> None:
    sdk = pytest.importorskip("azure.cognitiveservices.speech", reason="the Speech SDK is not installed")
    service = new_site().start(
        "Service=speechtotext", f"Mounts:Model={tones}", f"ApiKeys:app={KEY}", "Speech:Connections=1"
    )
    place = tmp_path / "a.wav"
    place.write_bytes(header(RATE, size=2 * RATE * 2) + wave(np.concatenate((speak("go"), silence(1.5)))))

    def ask(key: str = "") -> tuple[object, str]:
        host = service.url.replace("http://", "ws://")
        config = sdk.SpeechConfig(host=host, **({"subscription": key} if key else {}))
        audio = sdk.audio.AudioConfig(filename=str(place))
        result = sdk.SpeechRecognizer(speech_config=config, audio_config=audio).recognize_once()
        if result.reason == sdk.ResultReason.Canceled:
            return result.cancellation_details.code, result.cancellation_details.error_details
        return result.reason, result.text

    assert ask(KEY) == (sdk.ResultReason.RecognizedSpeech, "Go.")
    for key in ("", "wrong"):
        code, details = ask(key)
        assert code == sdk.CancellationErrorCode.AuthenticationFailure
        assert "401" in details
    with Wire(service.url, additional_headers=NAMED):
        code, details = ask(KEY)
    assert code == sdk.CancellationErrorCode.TooManyRequests
    assert "429" in details
    assert "a speech client was refused: 429 TooManyRequests" in service.text()
    assert "ERROR" not in service.text()
    assert KEY not in service.text()
