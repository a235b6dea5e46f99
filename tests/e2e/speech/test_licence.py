"""Which licence opens the speech service, what a plan includes, and what its operator limits."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from appliance.config.products import SPEECH_TO_TEXT
from license.authority.authority import Authority
from tests.e2e.speech.test_rest import ASKED, VERSION, wav
from tests.support.site import SENTENCE, Service, Site
from tests.support.tones import silence, speak, wave
from tests.support.usp import PATH, Wire, phrases, turn_id

KEY = "speak-friend-and-enter"
NAMED = {"Ocp-Apim-Subscription-Key": KEY}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory, vendor: Authority, tones: Path) -> Iterator[Service]:
    """A service with a small plan that blocks, a key, and little room."""
    site = Site(tmp_path_factory.mktemp("narrow") / "site", vendor)
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 12}, overage="block")
    yield site.start(
        *("Service=speechtotext", f"Mounts:Model={tones}", f"ApiKeys:app={KEY}"),
        *("Speech:Connections=3", "Speech:Turns=1", "Speech:IdleSeconds=1"),
    )
    site.close()


def refused(service: Service, **more: object) -> int:
    with pytest.raises(InvalidStatus) as found:
        Wire(service.url, **more)  # type: ignore[arg-type]
    return int(found.value.response.status_code)


def test_a_licence_for_text_opens_no_speech(
    tmp_path: Path, vendor: Authority, tones: Path, new_site: Callable[..., Site]
) -> None:
    site = Site(tmp_path / "text", vendor)
    site.issue()
    done = site.run("Service=speechtotext", f"Mounts:Model={tones}")
    assert done.returncode == 78
    assert "error: the licence is for ner, not for speech\n" in done.stderr
    assert "hint: this is a licence for ner: add Service=customner, or use one for speech\n" in done.stderr


def test_a_licence_for_speech_opens_no_text(new_site: Callable[..., Site]) -> None:
    done = new_site().run()
    assert done.returncode == 78
    assert "error: the licence is for speech, not for ner\n" in done.stderr
    assert "hint: this is a licence for speech: add Service=speechtotext, or use one for ner\n" in done.stderr


def test_a_text_model_is_refused_with_what_is_supported(new_site: Callable[..., Site]) -> None:
    from tests.support.paths import ENGLISH

    done = new_site().run("Service=speechtotext", f"Mounts:Model={ENGLISH}")
    assert done.returncode == 78
    assert "Hugging Face" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_upgrade_needs_a_key_where_the_operator_set_one(narrow: Service) -> None:
    assert refused(narrow) == 401
    assert refused(narrow, additional_headers={"Authorization": "Bearer wrong"}) == 401
    with Wire(narrow.url, additional_headers=NAMED):
        pass
    with Wire(narrow.url, additional_headers={"Authorization": f"Bearer {KEY}"}):
        pass
    with Wire(narrow.url, query=f"language=en-us&Ocp-Apim-Subscription-Key={KEY}"):
        pass
    with narrow.client() as client:
        assert client.post(PATH.format(mode="interactive"), params=ASKED, content=wav()).status_code == 401


def test_connections_beyond_the_limit_are_told_to_come_back(narrow: Service) -> None:
    wires = [Wire(narrow.url, additional_headers=NAMED) for _ in range(3)]
    assert refused(narrow, additional_headers=NAMED) == 429
    for wire in wires:
        wire.socket.close()


def test_a_client_that_says_nothing_is_cut_off(narrow: Service) -> None:
    with Wire(narrow.url, additional_headers=NAMED) as wire:
        assert wire.closed(5)[0] == 1001
    with Wire(narrow.url, additional_headers=NAMED) as wire:
        wire.say(turn_id(), wave(silence(0.5)), end=False)  # a turn that never ends
        code, reason = wire.closed(5)
    assert code == 1001
    assert "1 seconds" in reason
    with Wire(narrow.url, additional_headers=NAMED) as wire:  # its place is free at once
        wire.say(turn_id(), wave(silence(0.2)), end=False)
        wire.until("turn.start")
        assert wire.closed(5)[0] == 1001


def test_recognitions_beyond_the_limit_are_refused(narrow: Service) -> None:
    with Wire(narrow.url, "conversation", additional_headers=NAMED) as one:
        one.say(turn_id(), wave(silence(0.2)), end=False)
        one.until("turn.start")
        with Wire(narrow.url, additional_headers=NAMED) as two:
            two.say(turn_id(), wave(silence(0.2)), end=False)
            assert two.closed()[0] == 4429


def test_a_plan_that_is_used_up_closes_every_way(narrow: Service) -> None:
    with narrow.client(headers=NAMED) as client:
        answered, until = 0, time.monotonic() + 60
        while answered < 12 and time.monotonic() < until:
            reply = client.post(PATH.format(mode="interactive"), params=ASKED, content=wav())
            if reply.status_code == 429:  # a conversation that another test has left is still being closed
                time.sleep(0.1)
                continue
            if reply.status_code != 200:
                break
            answered += 1
        assert reply.status_code == 403
        assert reply.json()["error"]["innererror"]["code"] == "OutOfQuota"
        meters = client.get("/records/usage-logs/").json()["meters"]
        (meter,) = [one for one in meters if one["name"] == SPEECH_TO_TEXT.meter]
        assert meter["quantity"] <= 12
        rest = 12 - meter["quantity"]
        if rest:  # a turn that needs more than is left gets no answer
            with Wire(narrow.url, additional_headers=NAMED) as wire:
                wire.say(turn_id(), wave(np.concatenate((silence(rest), speak("go"), silence(1.5)))))
                code, reason = wire.closed()
                assert code == 4429
                assert "used up" in reason
                assert not phrases(wire.seen)
            longer = wav(np.concatenate((speak("go"), silence(rest - 0.1))))
            client.post(PATH.format(mode="interactive"), params=ASKED, content=longer)
        used_up = {
            "speech": client.post(PATH.format(mode="interactive"), params=ASKED, content=wav()),
            "file": client.post(
                "/speechtotext/transcriptions:transcribe", params=VERSION, files={"audio": wav()}
            ),
        }
        assert {reply.status_code for reply in used_up.values()} == {403}


def test_a_stop_lets_a_single_turn_end_and_sends_others_away(
    new_site: Callable[..., Site], tones: Path
) -> None:
    service = new_site().start("Service=speechtotext", f"Mounts:Model={tones}")
    single, stream = Wire(service.url), Wire(service.url, "conversation")
    one, two = turn_id(), turn_id()
    single.say(one, wave(speak("go on then")), end=False)
    stream.say(two, wave(speak("and on and on")), end=False)
    single.until("turn.start")
    stream.until("turn.start")
    service.process.send_signal(signal.SIGTERM)
    assert stream.closed()[0] == 1001
    single.audio(one, wave(silence(1.0)))
    assert phrases(single.until("turn.end"))[0]["DisplayText"] == "Go on then."
    assert single.closed()[0] == 1001
    assert service.process.wait(60) == 0
    assert "Traceback" not in service.text()
    assert SENTENCE not in service.text()
