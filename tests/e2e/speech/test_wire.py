"""The speech protocol message by message, as clients send it and as they should not."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from appliance.config.products import SPEECH_TO_TEXT
from tests.support.site import Service
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import Wire, header, phrases, turn_id

PAUSE = silence(1.0)


def spoken(*texts: str) -> bytes:
    return wave(np.concatenate([part for text in texts for part in (speak(text), PAUSE)]))


def used(client: httpx2.Client) -> int:
    meters = {
        meter["name"]: meter["quantity"] for meter in client.get("/records/usage-logs/").json()["meters"]
    }
    return int(meters.get(SPEECH_TO_TEXT.meter, 0))


def test_a_single_turn_tells_its_messages_in_the_order_clients_need(service: Service) -> None:
    turn = turn_id()
    with Wire(service.url) as wire:
        wire.context(turn)
        wire.say(turn, spoken("go", "left"))
        messages = wire.until("turn.end")
    paths = [path for path, _ in messages]
    assert paths[0] == "turn.start"
    assert len(messages[0][1]["context"]["serviceTag"]) == 32
    assert paths[-3:] == ["speech.endDetected", "speech.phrase", "turn.end"]
    assert paths.count("speech.phrase") == 1
    (phrase,) = phrases(messages)
    assert phrase["DisplayText"] == "Go."
    assert type(phrase["Offset"]) is int
    assert type(phrase["Duration"]) is int
    assert "NBest" not in phrase


@pytest.mark.parametrize("turn", ["A489758AC7D34830B7E3496576FBEA5E", "a489758a-c7d3-4830-b7e3-496576fbea5e"])
def test_the_id_of_a_turn_comes_back_as_it_was_spelled(service: Service, turn: str) -> None:
    with Wire(service.url) as wire:
        # As the client for JavaScript: a blank after the colon, no stream id, the end said twice.
        wire.text(f"Path: speech.config\r\nX-RequestId: {turn}\r\nContent-Type: application/json\r\n\r\n{{}}")
        wire.text(f"Path: speech.context\r\nX-RequestId: {turn}\r\n\r\n{{}}")
        wire.audio(turn, header() + spoken("yes"), stream=False)
        wire.audio(turn, b"", stream=False)
        wire.audio(turn, b"", stream=False)
        while True:
            path, found, _ = wire.receive()
            assert found == turn
            if path == "turn.end":
                break


def test_audio_may_come_before_its_context_and_in_any_pieces(service: Service) -> None:
    turn = turn_id()
    data = header() + spoken("right")
    with Wire(service.url) as wire:
        for at in range(48):
            wire.audio(turn, data[at : at + 1])
        for at in range(48, len(data), 1_111):
            wire.audio(turn, data[at : at + 1_111])
        wire.audio(turn, b"")
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Right."


@pytest.mark.parametrize("size", [1, 2_000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_sizes_in_the_header_are_not_believed(service: Service, size: int) -> None:
    turn = turn_id()
    with Wire(service.url) as wire:
        wire.say(turn, spoken("stop"), head=header(size=size))
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Stop."


def test_several_turns_on_one_connection_and_late_audio_of_the_last(service: Service) -> None:
    first, second = turn_id(), turn_id()
    with Wire(service.url) as wire:
        wire.say(first, spoken("up"), end=False)
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Up."
        wire.audio(first, wave(speak("late")))
        wire.text(f"Path:telemetry\r\nX-RequestId:{first}\r\n\r\n{{}}")
        wire.audio(first, b"")
        wire.context(second, {"continuation": {"audio": {"streams": {"1": {"offset": "24600000"}}}}})
        wire.say(second, spoken("down"))
        messages = wire.until("turn.end")
    (phrase,) = phrases(messages)
    assert phrase["DisplayText"] == "Down."
    assert phrase["Offset"] < 2_000_000  # counted from the first sample of its own turn


def test_a_continuous_turn_holds_all_phrases_and_ends_behind_its_audio(service: Service) -> None:
    turn = turn_id()
    pcm = spoken("one two", "left", "right")
    with Wire(service.url, "conversation") as wire:
        wire.say(turn, pcm)
        messages = wire.until("turn.end")
    texts = [phrase.get("DisplayText") for phrase in phrases(messages)]
    assert texts == ["12.", "Left.", "Right.", None]
    paths = [path for path, _ in messages]
    assert paths.count("turn.start") == paths.count("speech.endDetected") == 1
    assert paths[-3:] == ["speech.endDetected", "speech.phrase", "turn.end"]
    ticks = len(pcm) // 2 * 625
    assert messages[-2][1] == {"RecognitionStatus": "EndOfDictation", "Offset": ticks + 10_000, "Duration": 0}


def test_a_phrase_ends_with_the_voice_and_acknowledges_what_was_listened_to(service: Service) -> None:
    """What a client sends again after a lost connection begins in the pause, not in the end of a word."""
    turn = turn_id()
    spoken_until = 0.3 + len(speak("left")) / RATE
    with Wire(service.url, "conversation") as wire:
        wire.say(turn, wave(np.concatenate((silence(0.3), speak("left"), silence(3)))), end=False)
        (phrase,) = phrases(wire.until("speech.phrase"))
        end = (phrase["Offset"] + phrase["Duration"]) / 1e7
        assert spoken_until <= end <= spoken_until + 0.2
        assert end + 0.3 <= wire.heard / 1e7 <= spoken_until + 0.8


def test_a_single_answer_ends_where_the_next_turn_begins_to_hear(service: Service) -> None:
    with Wire(service.url) as wire:
        wire.say(turn_id(), wave(np.concatenate((silence(0.3), speak("left"), silence(3)))), end=False)
        (phrase,) = phrases(wire.until("turn.end"))
        assert phrase["Offset"] + phrase["Duration"] == wire.heard
    pcm = wave(np.concatenate((silence(0.3), speak("left"))))[:-3]
    with Wire(service.url) as wire:  # the audio ends with the word: not a quarter millisecond is left
        wire.say(turn_id(), pcm)
        (phrase,) = phrases(wire.until("turn.end"))
        assert phrase["Offset"] + phrase["Duration"] == len(pcm) // 2 * 625 + 10_000


def test_hypotheses_come_while_audio_arrives(service: Service) -> None:
    turn = turn_id()
    with Wire(service.url, "conversation") as wire:
        wire.say(turn, wave(speak("straight ahead and")), end=False)
        messages = wire.until("speech.hypothesis")  # though the turn goes on
        assert [path for path, _ in messages[:2]] == ["turn.start", "speech.startDetected"]
        assert "straight".startswith(messages[-1][1]["Text"][:8])
        wire.audio(turn, b"")
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Straight ahead and."


@pytest.mark.parametrize("mode", ["interactive", "conversation"])
def test_a_turn_without_a_sample_is_answered(service: Service, mode: str) -> None:
    turn = turn_id()
    with Wire(service.url, mode) as wire:
        wire.say(turn, b"")
        found = phrases(wire.until("turn.end"))
    if mode == "interactive":
        assert found[0]["RecognitionStatus"] == "InitialSilenceTimeout"
        assert (found[0]["Offset"], found[0]["Duration"]) == (0, 0)
    else:
        assert [phrase["RecognitionStatus"] for phrase in found] == ["EndOfDictation"]


def test_silence_is_acknowledged_before_clients_give_up(service: Service) -> None:
    turn = turn_id()
    with Wire(service.url, "conversation") as wire:
        wire.say(turn, wave(silence(40)))
        found = phrases(wire.until("turn.end"))
    statuses = [phrase["RecognitionStatus"] for phrase in found]
    assert statuses == ["InitialSilenceTimeout", "InitialSilenceTimeout", "EndOfDictation"]
    assert [(phrase["Offset"], phrase["Duration"]) for phrase in found[:2]] == [
        (0, 150_000_000),
        (150_000_000, 150_000_000),
    ]


def test_speech_without_a_pause_is_cut_into_phrases(service: Service) -> None:
    turn = turn_id()
    text = "abcdefghij " * 50
    with Wire(service.url, "conversation") as wire:
        wire.say(turn, wave(speak(text.strip())))
        found = phrases(wire.until("turn.end"))
    assert len(found) >= 3
    assert all(phrase["Duration"] <= 200_000_000 for phrase in found)
    heard = "".join(phrase.get("DisplayText", "") for phrase in found).lower()
    assert heard.count("abcdefghij") >= 45


def test_a_single_turn_listens_for_fifteen_seconds_at_most(service: Service) -> None:
    turn = turn_id()
    with Wire(service.url, query="language=en-us&initialSilenceTimeoutMs=0") as wire:
        wire.say(turn, wave(silence(20)), end=False)
        (phrase,) = phrases(wire.until("turn.end"))
    assert phrase["RecognitionStatus"] == "InitialSilenceTimeout"
    assert phrase["Duration"] == 150_000_000


def test_time_outs_of_the_query_count(service: Service) -> None:
    turn = turn_id()
    with Wire(service.url, query="language=en-us&initialSilenceTimeoutMs=1000") as wire:
        wire.say(turn, wave(silence(3)), end=False)
        (phrase,) = phrases(wire.until("turn.end"))
    assert (phrase["Offset"], phrase["Duration"]) == (0, 10_000_000)
    segmentation = {"segmentation": {"mode": "Custom", "segmentationSilenceTimeoutMs": 2500}}
    turn = turn_id()
    with Wire(service.url, "conversation") as wire:
        wire.context(turn, {"phraseDetection": {"mode": "CONVERSATION", "CONVERSATION": segmentation}})
        wire.say(turn, spoken("on", "off"))
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Onoff."  # one phrase


@pytest.mark.parametrize(
    ("query", "context"),
    [
        ("language=en-us&format=detailed", {}),
        ("language=en-us&wordLevelTimestamps=true", {}),
        ("language=en-us", {"phraseOutput": {"format": "Detailed"}}),
        ("language=en-us", {"phraseOutput": {"detailed": {"options": ["WordTimings"]}}}),
        ("language=en-us&speechcontext-PhraseOutput.Format=Detailed", {}),
    ],
)
def test_every_way_of_asking_for_details_is_understood(
    service: Service, query: str, context: dict[str, object]
) -> None:
    turn = turn_id()
    with Wire(service.url, query=query) as wire:
        wire.context(turn, context)
        wire.say(turn, spoken("turn left"))
        (phrase,) = phrases(wire.until("turn.end"))
    best = phrase["NBest"][0]
    assert best["Display"] == phrase["DisplayText"] == "Turn left."
    assert [word["Word"] for word in best["Words"]] == ["turn", "left"]
    assert phrase["Offset"] == best["Words"][0]["Offset"]
    last = best["Words"][-1]
    assert phrase["Offset"] + phrase["Duration"] >= last["Offset"] + last["Duration"]


@pytest.mark.parametrize(("profanity", "shown"), [("masked", "****."), ("raw", "Shit."), ("removed", "")])
def test_profanity_is_treated_as_asked(service: Service, profanity: str, shown: str) -> None:
    turn = turn_id()
    with Wire(service.url, query=f"language=en-us&profanity={profanity}") as wire:
        wire.say(turn, spoken("shit"))
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == shown


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ({"translation": {"targetLanguages": ["de"]}}, "translation"),
        (
            {"phraseDetection": {"enrichment": {"pronunciationAssessment": {"referenceText": "go"}}}},
            "pronunciationAssessment",
        ),
    ],
)
def test_what_would_be_missing_from_the_answer_is_refused_by_its_name(
    service: Service, context: dict[str, object], name: str
) -> None:
    with Wire(service.url) as wire:
        wire.context(turn_id(), context)
        code, reason = wire.closed()
    assert code == 1007
    assert name in reason


def test_hypotheses_are_masked_as_the_text_is(service: Service) -> None:
    told: list[str] = []
    for _ in range(20):  # a busy machine may have the final text before a hypothesis of these words was due
        turn = turn_id()
        with Wire(service.url, "conversation") as wire:
            wire.say(turn, spoken("oh shit no", "go"))
            told += [body["Text"] for path, body in wire.until("turn.end") if path == "speech.hypothesis"]
        if any("oh ****" in text for text in told):
            break
    assert any("oh ****" in text for text in told)
    assert not any("shit" in text for text in told)


@pytest.mark.parametrize(
    ("candidates", "confidence"),
    [(["en-US"], "High"), (["de-DE", "en-US"], "Medium"), (["de-DE", "fr-FR"], "")],
)
def test_detection_knows_only_the_language_of_the_model(
    service: Service, candidates: list[str], confidence: str
) -> None:
    turn = turn_id()
    with Wire(service.url, query="lidEnabled=true") as wire:
        wire.context(turn, {"languageId": {"languages": candidates}})
        if not confidence:
            code, reason = wire.closed()
            assert (code, "de-DE" in reason) == (1007, True)
            return
        wire.say(turn, spoken("turn left"))
        (phrase,) = phrases(wire.until("turn.end"))
    assert phrase["PrimaryLanguage"] == {"Language": "en-US", "Confidence": confidence}


def test_candidates_of_the_query_are_refused_before_the_upgrade(service: Service) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Wire(service.url, query="lidEnabled=de-DE,fr-FR")
    assert refused.value.response.status_code == 400


def test_the_universal_paths_take_their_mode_from_the_context(service: Service) -> None:
    turn = turn_id()
    for path in ("/speech/universal/v2", "/stt/speech/universal/v2"):
        with Wire(service.url + path + "?x=", "interactive", query="") as wire:
            wire.context(turn, {"phraseDetection": {"mode": "Interactive", "language": "en-US"}})
            wire.say(turn, spoken("back"))
            (phrase,) = phrases(wire.until("turn.end"))
            assert phrase["DisplayText"] == "Back."


BINARY: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 1007),
    "one byte": (b"\0", 1007),
    "length beyond the message": (struct.pack(">H", 500) + b"Path:audio\r\n", 1007),
    "length beyond the limit": (struct.pack(">H", 9_000) + b"x" * 9_100, 1007),
    "no path": (struct.pack(">H", 20) + b"X-RequestId:abcdef\r\n", 1002),
    "no id": (struct.pack(">H", 12) + b"Path:audio\r\n", 1002),
    "malformed id": (struct.pack(">H", 31) + b"Path:audio\r\nX-RequestId:a b\xc3\r\n", 1007),
    "no colon": (struct.pack(">H", 7) + b"Path=x\n", 1007),
}


@pytest.mark.parametrize("name", BINARY)
def test_a_broken_binary_message_closes_its_connection_alone(service: Service, name: str) -> None:
    data, code = BINARY[name]
    with Wire(service.url) as wire:
        wire.socket.send(data)
        found, reason = wire.closed()
    assert found == code
    assert reason


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", 1007),
        ("Path:speech.context", 1007),
        ("Path:speech.context\r\n\r\n{}", 1002),
        ("X-RequestId:ab\r\n\r\n{}", 1002),
        ("Path:speech.context\r\nX-RequestId:a\u00e4\r\n\r\n{}", 1002),
        ("Path:speech.context\r\nX-RequestId:ab\r\n\r\n{", 1007),
        ("Path:speech.context\r\nX-RequestId:ab\r\n\r\n[1]", 1007),
        ("Path:speech.context\r\nX-RequestId:ab\r\n\r\n" + "[" * 100_000, 1007),
        ("x" * 10_000 + "\r\n\r\n", 1007),
        ('Path:speech.context\r\nX-RequestId:ab\r\n\r\n{"phraseDetection":{"language":"de-DE"}}', 1007),
    ],
)
def test_a_broken_text_message_closes_its_connection_alone(service: Service, message: str, code: int) -> None:
    with Wire(service.url) as wire:
        wire.text(message)
        found, reason = wire.closed()
    assert found == code
    assert reason


@pytest.mark.parametrize(
    "audio",
    [
        b"this is no wave file at all and never was",
        header(tag=0x55),
        header(bits=12),
        header(channels=0),
        header(rate=0),
        header(rate=4_000_000),
        b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0\x01\0\x01\0data\0\0\0\0" + bytes(100),
        b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f" + bytes(100),
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0" + bytes(100),
    ],
)
def test_audio_that_cannot_be_read_is_said_to_be_so(service: Service, audio: bytes) -> None:
    turn = turn_id()
    with Wire(service.url) as wire:
        wire.audio(turn, audio)
        code, reason = wire.closed()
    assert code == 1007
    assert "WAV" in reason or "RIFF" in reason or "support" in reason


def test_odd_contexts_are_ignored(service: Service) -> None:
    turn = turn_id()
    odd = {
        "phraseDetection": {"mode": 7, "initialSilenceTimeout": "soon", "INTERACTIVE": {"segmentation": []}},
        "phraseOutput": ["Detailed"],
        "dgi": {"Groups": [{"Items": [{"Text": 5}, None]}, "x"]},
        "languageId": {"languages": "en-US"},
    }
    with Wire(service.url) as wire:
        wire.context(turn, odd)
        wire.say(turn, spoken("go"))
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Go."


def test_an_unknown_path_or_mode_does_not_open(service: Service) -> None:
    mode = "/speech/recognition/nosuchmode/cognitiveservices/v1?"
    for place in ("/speech/else?", "/cognitiveservices/websocket/v1?", "/?", mode):
        with pytest.raises(InvalidStatus) as refused:
            Wire(service.url + place)
        assert refused.value.response.status_code == 404  # clients take 403 for a wrong key


def test_a_turn_counts_whole_seconds_once(service: Service, client: httpx2.Client) -> None:
    before = used(client)
    turn = turn_id()
    pcm = wave(np.concatenate((speak("one"), PAUSE, speak("two"), PAUSE, silence(4.5))))
    seconds = len(pcm) / 2 / RATE
    assert 6.5 < seconds < 7
    with Wire(service.url, "conversation") as wire:
        wire.say(turn, pcm)
        messages = wire.until("turn.end")
    assert used(client) - before == 7
    records = [phrase["UsageRecord"] for phrase in phrases(messages) if "UsageRecord" in phrase]
    assert len(records) == 2
    proof = client.get(f"/records/proof/{records[0].rpartition('/')[2]}")
    assert proof.text.startswith("c2sp.org/tlog-proof")


def test_what_was_heard_counts_when_the_client_leaves(service: Service, client: httpx2.Client) -> None:
    before = used(client)
    wire = Wire(service.url, "conversation")
    wire.say(turn_id(), wave(speak("never mind this part of it")), end=False)
    wire.until("speech.hypothesis")
    wire.socket.socket.close()
    assert _eventually(lambda: used(client) > before)
    assert used(client) - before <= 3


def test_two_hundred_connections_that_are_left_open_disturb_nobody(
    service: Service, client: httpx2.Client
) -> None:
    memory = _memory(service)
    wires = [Wire(service.url, "conversation") for _ in range(200)]
    turn = turn_id()
    for wire in wires[:20]:  # some in the middle of a turn
        wire.say(turn, wave(speak("hm")), end=False)
    with Wire(service.url) as wire:
        wire.say(turn, spoken("go"))
        assert phrases(wire.until("turn.end"))[0]["DisplayText"] == "Go."
    assert client.get("/ready").status_code == 200
    assert _memory(service) - memory < 100 * 1024
    for wire in wires:
        wire.socket.socket.close()
    assert _eventually(lambda: _sockets(service) < 50)


def _memory(service: Service) -> int:
    """Resident KiB."""
    with Path(f"/proc/{service.process.pid}/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def _sockets(service: Service) -> int:
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


def _eventually(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
