"""Short audio and transcription over HTTP, with good audio and bad."""

import io
import json
import struct
import wave as wavefile
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile

from appliance.api.speech.responses import Recognition, Transcribed
from appliance.config.products import SPEECH_TO_TEXT
from tests.support.dictation import AMIABLE, amiable
from tests.support.paths import VECTORS
from tests.support.site import Site
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import PATH, header
from tests.support.webm import Written, as_webm

ASKED = {"language": "en-US"}
DETAILED = {**ASKED, "format": "detailed"}
SPOKEN = np.concatenate((silence(0.3), speak("turn left"), silence(0.5)))
VORBIS = (VECTORS / "webm" / "ffmpeg-vorbis.webm").read_bytes()
TRANSCRIBE = "/speechtotext/transcriptions:transcribe"
VERSION = {"api-version": "2024-11-15"}


def wav(samples: Any = SPOKEN, rate: int = RATE, channels: int = 1) -> bytes:
    data = io.BytesIO()
    with wavefile.open(data, "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(2)
        opened.setframerate(rate)
        opened.writeframes(wave(samples))
    return data.getvalue()


def packed(kind: str, subtype: str, rate: int = RATE) -> bytes:
    data = io.BytesIO()
    samples = np.concatenate(
        [silence(0.3, rate=rate), speak("turn left", rate=rate), silence(0.5, rate=rate)]
    )
    soundfile.write(data, samples, rate, format=kind, subtype=subtype)
    return data.getvalue()


def post(
    client: httpx2.Client,
    content: Any,
    query: dict[str, str] = ASKED,
    mode: str = "interactive",
    **headers: str,
) -> httpx2.Response:
    return client.post(
        PATH.format(mode=mode),
        params=query,
        content=content,
        headers={"Content-Type": "audio/wav", **headers},
    )


def used(client: httpx2.Client) -> int:
    meters = {
        meter["name"]: meter["quantity"] for meter in client.get("/records/usage-logs/").json()["meters"]
    }
    return int(meters.get(SPEECH_TO_TEXT.meter, 0))


def test_short_audio_is_answered_simply(client: httpx2.Client) -> None:
    before = used(client)
    reply = post(client, wav())
    assert reply.status_code == 200
    body = reply.json()
    assert set(body) == {"RecognitionStatus", "Offset", "Duration", "DisplayText"}
    assert body["RecognitionStatus"] == "Success"
    assert body["DisplayText"] == "Turn left."
    assert abs(body["Offset"] - 3_000_000) <= 400_000
    assert used(client) - before == 2  # 1.5 seconds
    number = reply.headers["Usage-Record"].rpartition("/")[2]
    assert client.get(f"/records/proof/{number}").status_code == 200


def test_short_audio_is_answered_in_detail(client: httpx2.Client) -> None:
    body = post(client, wav(), DETAILED).json()
    Recognition.model_validate(body)
    best = body["NBest"][0]
    assert best["Display"] == "Turn left."
    assert [word["Word"] for word in best["Words"]] == ["turn", "left"]


def test_audio_may_be_sent_in_chunks_with_a_header_that_knows_no_size(client: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield header()
        data = wave(SPOKEN)
        for at in range(0, len(data), 1_000):
            yield data[at : at + 1_000]

    assert post(client, chunks()).json()["DisplayText"] == "Turn left."


def test_several_phrases_are_one_result(client: httpx2.Client) -> None:
    parts = [part for text in ("turn left", "one two") for part in (speak(text), silence(1.2))]
    body = post(client, wav(np.concatenate(parts)), DETAILED, "conversation").json()
    best = body["NBest"][0]
    assert body["DisplayText"] == best["Display"] == "Turn left. 12."
    assert best["Lexical"] == "turn left one two"
    starts = [word["Offset"] for word in best["Words"]]
    assert starts == sorted(starts)
    assert [word["DisplayText"] for word in best["DisplayWords"]] == ["Turn", "left.", "12."]
    assert best["DisplayWords"][2]["Offset"] == starts[2]


@pytest.mark.parametrize(
    ("kind", "subtype", "rate"),
    [
        ("WAV", "PCM_U8", 16_000),
        ("WAV", "PCM_24", 48_000),
        ("WAV", "FLOAT", 22_050),
        ("WAV", "ALAW", 8_000),
        ("WAV", "ULAW", 8_000),
        ("FLAC", "PCM_16", 44_100),
        ("OGG", "OPUS", 48_000),
        ("OGG", "VORBIS", 16_000),
        ("RF64", "PCM_16", 16_000),
        ("AIFF", "PCM_16", 22_050),
        ("CAF", "PCM_16", 16_000),
        ("CAF", "ALAC_16", 44_100),
        ("AU", "ULAW", 8_000),
        ("W64", "PCM_16", 16_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
    ],
)
def test_every_format_is_heard(client: httpx2.Client, kind: str, subtype: str, rate: int) -> None:
    body = post(client, packed(kind, subtype, rate)).json()
    assert body["DisplayText"].startswith("Turn left")


@pytest.mark.parametrize("known", [True, False])
def test_webm_is_heard_and_counted_as_the_same_opus_in_ogg(client: httpx2.Client, known: bool) -> None:
    ogg = packed("OGG", "OPUS", 48_000)
    data = as_webm(ogg, Written(known=known))
    before = used(client)
    headers = {"Content-Type": "audio/webm;codecs=opus"}
    reply = client.post(PATH.format(mode="interactive"), params=ASKED, content=data, headers=headers)
    assert reply.json()["DisplayText"] == post(client, ogg).json()["DisplayText"] == "Turn left."
    whole = transcribe(client, data, {"locales": ["en-US"]}).json()
    assert whole["combinedPhrases"] == [{"text": "Turn left."}]
    assert used(client) - before == 3 * 2


def test_what_a_browser_recorded_says_what_the_same_recording_as_wav_says(
    new_site: Callable[..., Site],
) -> None:
    service = new_site().start("Service=speechtotext")
    with service.client() as client:
        assert post(client, wav(amiable())).json()["DisplayText"] == AMIABLE
        for browser in ("chromium", "firefox"):
            recorded = (VECTORS / "webm" / f"{browser}.webm").read_bytes()
            assert post(client, recorded).json()["DisplayText"] == AMIABLE, browser
            assert transcribe(client, recorded).json()["combinedPhrases"] == [{"text": AMIABLE}], browser


def test_a_big_endian_wav_file_is_heard(client: httpx2.Client) -> None:
    data = io.BytesIO()
    soundfile.write(data, SPOKEN, RATE, "PCM_16", "BIG", "WAV")
    assert data.getvalue()[:4] == b"RIFX"
    assert post(client, data.getvalue()).json()["DisplayText"] == "Turn left."


@pytest.mark.parametrize("size", [10, 70_001, 900_000])
def test_chunks_before_the_samples_are_stepped_over(client: httpx2.Client, size: int) -> None:
    data = wav()
    more = data[:12] + b"JUNK" + struct.pack("<I", size) + b"data" * (size // 4) + bytes(size % 4 + size % 2)
    assert post(client, more + data[12:]).json()["DisplayText"] == "Turn left."


def test_a_channel_that_cancels_the_other_out_is_not_silence(client: httpx2.Client) -> None:
    both = np.stack((SPOKEN, -SPOKEN), axis=1).ravel()
    assert post(client, wav(both, channels=2)).json()["DisplayText"] == "Turn left."


def test_a_kind_of_file_that_is_not_read_is_named(client: httpx2.Client) -> None:
    for data, named in ((VORBIS, "WebM with Vorbis"), (b"\0\0\0\x18ftypM4A " + bytes(500), "MP4")):
        reply = post(client, data)
        assert reply.status_code == 400
        assert named in reply.json()["error"]["innererror"]["message"]


def test_chunks_behind_the_samples_are_not_heard(client: httpx2.Client) -> None:
    data = wav(np.concatenate((silence(0.3), speak("left"))))
    noise = wave(speak("noise noise"))
    more = data + b"LIST" + struct.pack("<I", len(noise)) + noise
    assert post(client, more).json()["DisplayText"] == "Left."


def test_silence_is_answered_and_counted(client: httpx2.Client) -> None:
    before = used(client)
    body = post(client, wav(silence(3))).json()
    assert body == {"RecognitionStatus": "InitialSilenceTimeout", "Offset": 0, "Duration": 30_000_000}
    assert used(client) - before == 3


BROKEN: dict[str, bytes] = {
    "no header": b"\x00" * 4_000,
    "text": b"hello, this is not audio",
    "header alone": header(),
    "header cut short": wav()[:30],
    "riff alone": b"RIFF",
    "no samples": wav(silence(0)),
    "unknown tag": header(tag=0x161) + bytes(3_200),
    "flac cut short": packed("FLAC", "PCM_16")[:60],
    "ogg cut short": packed("OGG", "OPUS", 48_000)[:90],
    "flac of nothing": b"fLaC" + bytes(200),
    "webm cut short": as_webm(packed("OGG", "OPUS", 48_000))[:-40],
    "webm of nothing": b"\x1a\x45\xdf\xa3" + bytes(500),
    "webm without audio": as_webm(packed("OGG", "OPUS", 48_000))[:400],
    "an mp3": b"ID3\x04" + bytes(500),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_audio_is_a_bad_request_and_costs_nothing(client: httpx2.Client, name: str) -> None:
    before = used(client)
    reply = post(client, BROKEN[name])
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["innererror"]["code"] == "InvalidAudio"
    assert used(client) == before


@pytest.mark.parametrize("name", ["flac", "ogg", "webm"])
def test_audio_broken_inside_never_fails_the_service(client: httpx2.Client, name: str) -> None:
    data = bytearray(packed("FLAC", "PCM_16") if name == "flac" else packed("OGG", "OPUS", 48_000))
    data = data if name != "webm" else bytearray(as_webm(bytes(data)))
    randomly = np.random.default_rng(5)
    for _ in range(12):
        changed = bytearray(data)
        for at in randomly.integers(40, len(data), 20):
            changed[at] ^= 0x5A
        assert post(client, bytes(changed)).status_code in (200, 400)


def test_what_cannot_be_asked_is_refused(client: httpx2.Client) -> None:
    assert post(client, wav(), {}).status_code == 400
    assert post(client, wav(), {"language": "de-DE"}).status_code == 400
    assert post(client, wav(), {"cid": "no-such-model"}).status_code == 400
    assert post(client, wav(), ASKED, "karaoke").status_code == 404
    assert client.get(PATH.format(mode="interactive")).status_code == 405
    assert client.post(PATH.format(mode="interactive"), params=ASKED, json={}).status_code == 415
    assert post(client, b"").status_code == 400
    assert post(client, wav(silence(61))).status_code == 413
    assert post(client, header(96_000, 2, 24) + bytes(33 * 2**20)).status_code == 413
    assert post(client, wav(), {"language": "EN-us"}).status_code == 200


def test_pronunciation_assessment_is_refused_by_its_name(client: httpx2.Client) -> None:
    place = PATH.format(mode="interactive")
    headers = {"Content-Type": "audio/wav", "Pronunciation-Assessment": "e30="}
    reply = client.post(place, params=ASKED, content=wav(), headers=headers)
    assert reply.status_code == 400
    assert "Pronunciation-Assessment" in reply.json()["error"]["message"]


def test_a_phrase_list_of_a_transcription_is_checked(client: httpx2.Client) -> None:
    phrases = {"phrases": ["turn left"], "biasingWeight": 2.0}
    assert transcribe(client, wav(), {"phraseList": phrases}).status_code == 200
    for wrong in ({"phrases": "turn left"}, {"phrases": ["x"], "biasingWeight": 9}, {"phrases": ["x"] * 501}):
        reply = transcribe(client, wav(), {"phraseList": wrong})
        assert reply.status_code == 400
        assert "phraseList" in reply.json()["error"]["innererror"]["message"]
    assert transcribe(client, wav(), {"enhancedMode": {"enabled": True}}).status_code == 400


def transcribe(
    client: httpx2.Client, audio: bytes, definition: Any = None, query: dict[str, str] = VERSION
) -> httpx2.Response:
    files: dict[str, Any] = {"audio": ("a.wav", audio, "audio/wav")}
    if definition is not None:
        files["definition"] = (None, definition if isinstance(definition, str) else json.dumps(definition))
    return client.post(TRANSCRIBE, params=query, files=files)


def test_a_file_is_transcribed(client: httpx2.Client) -> None:
    before = used(client)
    parts = [part for text in ("turn left", "one two") for part in (speak(text), silence(1.2))]
    reply = transcribe(client, wav(np.concatenate(parts)), {"locales": ["en-US"]})
    assert reply.status_code == 200, reply.text
    body = reply.json()
    Transcribed.model_validate(body)
    assert body["combinedPhrases"] == [{"text": "Turn left. 12."}]
    assert [phrase["text"] for phrase in body["phrases"]] == ["Turn left.", "12."]
    assert body["phrases"][0]["words"][1]["text"] == "left."
    assert body["durationMilliseconds"] == 3_680
    assert used(client) - before == 4
    assert "Usage-Record" in reply.headers


def test_channels_are_transcribed_one_by_one(client: httpx2.Client) -> None:
    left, right = speak("left side"), speak("right arm")
    both = np.stack((left, right), axis=1).ravel()
    body = transcribe(client, wav(both, channels=2), {"channels": [0, 1]}).json()
    assert body["combinedPhrases"] == [
        {"channel": 0, "text": "Left side."},
        {"channel": 1, "text": "Right arm."},
    ]


def test_transcription_refuses_what_it_cannot_do(client: httpx2.Client) -> None:
    assert transcribe(client, wav(), query={}).status_code == 400
    assert transcribe(client, b"nothing").status_code == 400
    assert transcribe(client, b"").status_code == 400
    for definition in (
        {"locales": ["de-DE"]},
        {"channels": [1]},
        {"channels": [7]},
        {"diarization": {"enabled": True}},
        {"profanityFilterMode": "Shout"},
        "{",
        "[]",
    ):
        reply = transcribe(client, wav(), definition)
        assert reply.status_code == 400, definition
        assert reply.json()["error"]["code"]
    assert client.post(TRANSCRIBE, params=VERSION, content=b"x").status_code == 415
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post(TRANSCRIBE, params=VERSION, content=b"--y\r\n", headers=broken).status_code == 400
    many = (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(40))
        + b"--x--"
    )
    assert client.post(TRANSCRIBE, params=VERSION, content=many, headers=broken).status_code == 400


def test_probes_and_description_speak_of_the_speech_service(client: httpx2.Client) -> None:
    ready = client.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["service"] == "speechtotext"
    assert ready.json()["ready"] == "ready"
    status = client.get("/status").json()
    assert status["service"] == "speechtotext"
    assert status["apiStatus"] == "Valid"
    assert "valid" in status["apiStatusMessage"].lower()
    assert client.get("/models").json()["models"][0]["language"] == "en-US"
    description = client.get("/openapi.json").json()
    assert "/speech/recognition/{mode}/cognitiveservices/v1" in description["paths"]
    assert "/language/:analyze-text" not in description["paths"]
    assert client.get("/swagger").status_code == 200
    assert "Write down what is said" in client.get("/").text


def test_the_description_is_a_valid_document(client: httpx2.Client) -> None:
    validate = pytest.importorskip("openapi_spec_validator").validate
    validate(client.get("/openapi.json").json())
