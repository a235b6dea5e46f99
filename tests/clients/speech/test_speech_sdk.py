"""The official Speech SDK for Python, unmodified, recognises against this service."""

import json
import threading
import time
import wave as wavefile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.speech.evaluation.word_errors import compared
from license.authority.authority import Authority
from recipes.speech.clips import decoded
from tests.support.dictation import AMIABLE, ASK, amiable, ask
from tests.support.paths import ROOT
from tests.support.site import Service
from tests.support.speech_site import speech_site
from tests.support.speech_usage import seconds_counted, settled
from tests.support.tones import RATE, silence, speak, wave

sdk = pytest.importorskip("azure.cognitiveservices.speech", reason="the Speech SDK is not installed")

SECONDS = 60
RECORDINGS = ROOT / "tests" / "unit" / "speech" / "recordings"
PHRASES = ("open the valve on pump three", "close the main gate", "one two three")


def _usable() -> str:
    try:
        sdk.SpeechConfig(host="ws://127.0.0.1:1")
    except RuntimeError as error:
        return f"the SDK's native library does not start here (it needs libssl3 and libuuid1): {error}"
    return ""


pytestmark = pytest.mark.skipif(bool(_usable()), reason=_usable())


def config(service: Service, **properties: str) -> Any:
    found = sdk.SpeechConfig(host=service.url.replace("http://", "ws://"))
    found.speech_recognition_language = properties.pop("language", "en-US")
    return found


def file(path: Path, samples: NDArray[np.float32], rate: int = RATE, channels: int = 1) -> Any:
    with wavefile.open(str(path), "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(2)
        opened.setframerate(rate)
        opened.writeframes(wave(np.repeat(samples, channels)))
    return sdk.audio.AudioConfig(filename=str(path))


class Events:
    """Everything that a continuous recognition tells."""

    def __init__(self, recognizer: Any) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.stopped = threading.Event()
        for name in ("recognizing", "recognized", "canceled", "speech_start_detected", "speech_end_detected"):
            getattr(recognizer, name).connect(self._note(name))
        recognizer.session_stopped.connect(lambda _: self.stopped.set())

    def _note(self, name: str) -> Callable[[Any], None]:
        return lambda event: self.seen.append((name, event))

    def texts(self, name: str = "recognized") -> list[str]:
        return [event.result.text for found, event in self.seen if found == name and event.result.text]


def continuous(speech: Any, audio: Any) -> Events:
    recognizer = sdk.SpeechRecognizer(speech_config=speech, audio_config=audio)
    events = Events(recognizer)
    recognizer.start_continuous_recognition_async().get()
    assert events.stopped.wait(SECONDS), events.seen
    recognizer.stop_continuous_recognition_async().get()
    return events


def three_phrases() -> NDArray[np.float32]:
    parts = [silence(0.5)]
    for phrase in PHRASES:
        parts += [speak(phrase), silence(1.0)]
    return np.concatenate(parts)


def test_recognize_once_returns_the_text(service: Service, tmp_path: Path) -> None:
    audio = file(tmp_path / "a.wav", np.concatenate((silence(0.4), speak(PHRASES[0]), silence(0.5))))
    recognizer = sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio)
    result = recognizer.recognize_once()
    assert result.reason == sdk.ResultReason.RecognizedSpeech, result.json
    assert result.text == "Open the valve on pump 3."
    assert abs(result.offset - 4_000_000) <= 400_000
    assert json.loads(result.json)["UsageRecord"].startswith("offline-appliance/speechtotext/")


def test_recognize_once_stops_listening_after_the_first_phrase(service: Service, tmp_path: Path) -> None:
    recognizer = sdk.SpeechRecognizer(
        speech_config=config(service), audio_config=file(tmp_path / "a.wav", three_phrases())
    )
    assert recognizer.recognize_once().text == "Open the valve on pump 3."
    assert recognizer.recognize_once().text == "Close the main gate."
    assert recognizer.recognize_once().text == "123."


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    """A service with the bundled model of short commands."""
    site = speech_site(tmp_path_factory.mktemp("bundled") / "site", vendor)
    yield site.start("Service=speechtotext", "Models:Speech=commands")
    site.close()


@pytest.fixture(scope="module")
def dictation(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    """A service that is told of no model."""
    site = speech_site(tmp_path_factory.mktemp("dictation") / "site", vendor)
    yield site.start("Service=speechtotext")
    site.close()


def test_a_dictated_sentence_has_capitals_punctuation_and_words_with_times(
    dictation: Service, tmp_path: Path
) -> None:
    speech = config(dictation)
    speech.request_word_level_timestamps()
    sound = np.concatenate((silence(0.5), amiable(), silence(0.5)))
    recognizer = sdk.SpeechRecognizer(speech_config=speech, audio_config=file(tmp_path / "a.wav", sound))
    result = recognizer.recognize_once()
    assert result.text == AMIABLE
    best = json.loads(result.json)["NBest"][0]
    assert best["Display"] == AMIABLE
    assert best["Lexical"] == best["ITN"] == AMIABLE[:-1].lower()
    assert best["Confidence"] > 0.85
    words = best["Words"]
    assert [word["Word"] for word in words] == AMIABLE[:-1].lower().split()
    ends = [word["Offset"] + word["Duration"] for word in words]
    assert all(end <= word["Offset"] for end, word in zip(ends, words[1:], strict=False))
    assert 5_000_000 <= words[0]["Offset"] <= 9_000_000
    assert ends[-1] <= (0.6 + 3.3) * 10_000_000


def test_an_address_is_heard_as_it_goes_on(dictation: Service, tmp_path: Path) -> None:
    events = continuous(config(dictation), file(tmp_path / "a.wav", np.concatenate((ask(), silence(1.0)))))
    said, spoken = (
        text.lower().replace(".", "").replace(",", "").split() for text in (" ".join(events.texts()), ASK)
    )
    assert compared(spoken, said).errors <= 2  # the speaker pauses within his sentence, where phrases end
    assert len(events.texts("recognizing")) >= 3


def test_ordinary_english_played_backwards_is_not_understood(dictation: Service, tmp_path: Path) -> None:
    audio = file(tmp_path / "a.wav", np.concatenate((silence(0.4), ask()[::-1], silence(0.8))))
    events = continuous(config(dictation), audio)
    assert len(" ".join(events.texts()).split()) <= 3


def test_recordings_in_one_file_are_heard_once_each_and_counted_once(
    bundled: Service, tmp_path: Path
) -> None:
    """The end of a word is not heard again as a word of its own by the next recognition."""
    room = np.random.default_rng(3).normal(0, 0.0005, int(1.2 * RATE)).astype(np.float32)
    recordings = sorted(RECORDINGS.glob("*.opus"))
    sound = np.concatenate([part for path in recordings for part in (decoded(path), room)])
    with bundled.client() as client:
        before = seconds_counted(bundled, client)
        recognizer = sdk.SpeechRecognizer(
            speech_config=config(bundled), audio_config=file(tmp_path / "a.wav", sound)
        )
        results = [recognizer.recognize_once() for _ in range(len(recordings))]
        rest = recognizer.recognize_once()
        counted = settled(lambda: seconds_counted(bundled, client)) - before
    assert [result.reason for result in results] == [sdk.ResultReason.RecognizedSpeech] * len(recordings)
    assert rest.reason == sdk.ResultReason.NoMatch  # nothing but the pause behind the last
    assert counted == -(-len(sound) // RATE)
    assert len(continuous(config(bundled), file(tmp_path / "b.wav", sound)).texts()) == len(recordings)


def test_continuous_recognition_gives_every_phrase_and_ends_with_the_stream(
    service: Service, tmp_path: Path
) -> None:
    events = continuous(config(service), file(tmp_path / "a.wav", three_phrases()))
    assert events.texts() == ["Open the valve on pump 3.", "Close the main gate.", "123."]
    canceled = [event for name, event in events.seen if name == "canceled"]
    assert [event.cancellation_details.reason for event in canceled] == [sdk.CancellationReason.EndOfStream]
    guesses = events.texts("recognizing")
    assert len(guesses) >= 3
    assert any(PHRASES[0].startswith(guess) and guess for guess in guesses)
    names = [name for name, _ in events.seen]
    assert names.index("speech_start_detected") < names.index("recognizing") < names.index("recognized")


def test_dictation_uses_its_own_path(service: Service, tmp_path: Path) -> None:
    speech = config(service)
    speech.enable_dictation()
    assert continuous(speech, file(tmp_path / "a.wav", three_phrases())).texts()[0].startswith("Open")


def test_a_push_stream_is_heard_as_it_is_pushed(service: Service) -> None:
    stream = sdk.audio.PushAudioInputStream()
    recognizer = sdk.SpeechRecognizer(
        speech_config=config(service), audio_config=sdk.audio.AudioConfig(stream=stream)
    )
    events = Events(recognizer)
    recognizer.start_continuous_recognition_async().get()
    data = wave(np.concatenate((speak(PHRASES[1]), silence(0.9))))
    for at in range(0, len(data), 3_201):  # odd pieces
        stream.write(data[at : at + 3_201])
    deadline = time.monotonic() + SECONDS
    while not events.texts() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert events.texts() == ["Close the main gate."]  # though the stream is still open
    stream.close()
    assert events.stopped.wait(SECONDS)
    recognizer.stop_continuous_recognition_async().get()


def test_detailed_output_has_alternatives_and_word_times(service: Service, tmp_path: Path) -> None:
    speech = config(service)
    speech.output_format = sdk.OutputFormat.Detailed
    speech.request_word_level_timestamps()
    audio = file(tmp_path / "a.wav", np.concatenate((silence(0.4), speak(PHRASES[0]), silence(0.5))))
    result = sdk.SpeechRecognizer(speech_config=speech, audio_config=audio).recognize_once()
    body = json.loads(result.json)
    best = body["NBest"][0]
    assert best["Lexical"] == PHRASES[0]
    assert best["ITN"] == best["MaskedITN"] == "open the valve on pump 3"
    assert best["Display"] == body["DisplayText"] == "Open the valve on pump 3."
    assert [word["Word"] for word in best["Words"]] == PHRASES[0].split()
    assert [word["DisplayText"] for word in best["DisplayWords"]] == best["Display"].split()
    starts = [word["Offset"] for word in best["Words"]]
    expected = [0.4 + 0.08 * at for at in (0, 5, 9, 15, 18, 23)]
    assert np.allclose(np.array(starts) / 1e7, expected, atol=0.045)
    assert all(0 < word["Confidence"] <= 1 for word in best["Words"])


def test_silence_is_no_match(service: Service, tmp_path: Path) -> None:
    audio = file(tmp_path / "a.wav", silence(2))
    result = sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio).recognize_once()
    assert result.reason == sdk.ResultReason.NoMatch
    assert result.no_match_details.reason == sdk.NoMatchReason.InitialSilenceTimeout


def test_noise_without_words_is_no_match(service: Service, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, 2 * RATE).astype(np.float32)
    noise[: RATE // 2] *= 0.01
    audio = file(tmp_path / "a.wav", noise)
    result = sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio).recognize_once()
    assert result.reason == sdk.ResultReason.NoMatch
    assert result.no_match_details.reason == sdk.NoMatchReason.NotRecognized


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2)])
def test_other_rates_and_channels_are_heard(
    service: Service, tmp_path: Path, rate: int, channels: int
) -> None:
    samples = np.concatenate([silence(0.3, rate=rate), speak(PHRASES[1], rate=rate), silence(0.4, rate=rate)])
    audio = file(tmp_path / "a.wav", samples, rate, channels)
    result = sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio).recognize_once()
    assert result.text == "Close the main gate."
    assert abs(result.offset - 3_000_000) <= 400_000


def test_a_locale_that_is_not_served_is_canceled_as_a_bad_request(service: Service, tmp_path: Path) -> None:
    audio = file(tmp_path / "a.wav", speak("x"))
    speech = config(service, language="de-DE")
    result = sdk.SpeechRecognizer(speech_config=speech, audio_config=audio).recognize_once()
    assert result.reason == sdk.ResultReason.Canceled
    assert result.cancellation_details.code == sdk.CancellationErrorCode.BadRequest
    assert "400" in result.cancellation_details.error_details


def test_an_unknown_endpoint_id_is_canceled_as_a_bad_request(service: Service, tmp_path: Path) -> None:
    speech = config(service)
    speech.endpoint_id = "no-such-model"
    audio = file(tmp_path / "a.wav", speak("x"))
    result = sdk.SpeechRecognizer(speech_config=speech, audio_config=audio).recognize_once()
    assert result.cancellation_details.code == sdk.CancellationErrorCode.BadRequest


def test_a_phrase_list_is_taken(service: Service, tmp_path: Path) -> None:
    audio = file(tmp_path / "a.wav", np.concatenate((speak(PHRASES[1]), silence(0.4))))
    recognizer = sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio)
    phrases = sdk.PhraseListGrammar.from_recognizer(recognizer)
    phrases.addPhrase("main gate")
    assert recognizer.recognize_once().text == "Close the main gate."


def test_one_connection_carries_several_turns(service: Service) -> None:
    stream = sdk.audio.PushAudioInputStream()
    recognizer = sdk.SpeechRecognizer(
        speech_config=config(service), audio_config=sdk.audio.AudioConfig(stream=stream)
    )
    connection = sdk.Connection.from_recognizer(recognizer)
    opened: list[str] = []
    connection.connected.connect(lambda event: opened.append(event.session_id))
    connection.open(False)
    for phrase in PHRASES[:2]:
        stream.write(wave(np.concatenate((speak(phrase), silence(1.2)))))
        assert recognizer.recognize_once().reason == sdk.ResultReason.RecognizedSpeech
    assert len(opened) == 1


def test_auto_detection_names_the_language_of_the_model(service: Service, tmp_path: Path) -> None:
    audio = file(tmp_path / "a.wav", np.concatenate((speak(PHRASES[1]), silence(0.4))))
    recognizer = sdk.SpeechRecognizer(
        speech_config=config(service),
        auto_detect_source_language_config=sdk.languageconfig.AutoDetectSourceLanguageConfig(
            languages=["en-US", "de-DE"]
        ),
        audio_config=audio,
    )
    result = recognizer.recognize_once()
    assert sdk.AutoDetectSourceLanguageResult(result).language == "en-US"


def test_nobody_listening_is_a_connection_failure(tmp_path: Path) -> None:
    speech = sdk.SpeechConfig(host="ws://127.0.0.1:9")
    audio = file(tmp_path / "a.wav", speak("x"))
    result = sdk.SpeechRecognizer(speech_config=speech, audio_config=audio).recognize_once()
    assert result.cancellation_details.code == sdk.CancellationErrorCode.ConnectionFailure
