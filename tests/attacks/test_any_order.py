"""Any of the attacks, kills, full disks, clocks, licences and directories put back, in any order."""

import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from websockets.exceptions import ConnectionClosed, InvalidStatus

from appliance.api.speech.results import TICKS
from appliance.config.products import SPEECH_TO_TEXT
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.evidence.log.entry import UsedFields
from tests.support.any_order import DAY, SEEN, AnyOrder
from tests.support.site import SENTENCE, VERSION
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import Wire as SpeechWire
from tests.support.usp import turn_id
from tests.support.wire import Wire, post

_log = logging.getLogger(__name__)

JOBS = "/language/analyze-text/jobs"
REFUSED = (403, 429, 503)
FINAL = ("succeeded", "failed", "cancelled", "partiallyCompleted")
SPOKEN = np.concatenate((speak("two words"), silence(1.0), speak("and more"), silence(0.6)))
SPOKEN_SECONDS = -(-len(SPOKEN) // RATE)


def documents(units: int) -> list[dict[str, str]]:
    return [{"id": str(number), "text": SENTENCE} for number in range(units)]


class TextInAnyOrder(AnyOrder):
    """Requests and jobs; a request has fewer units than a job, and each of a job's records has a colon."""

    product, meter, plan = "ner", TEXT_RECORDS, 40

    def __init__(self) -> None:
        self.jobs: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.asked_jobs: Counter[int] = Counter()
        super().__init__()

    def ask(self, units: int) -> int:
        """Ask for so many units; the status of the reply."""
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": documents(units)}}
        with self.up().client() as client:
            reply = client.post("/language/:analyze-text", params=VERSION, json=body)
        if reply.status_code == 200:
            self.note("answered")
            assert reply.headers["Usage-Record"] not in self.model.answered
            self.model.answered[reply.headers["Usage-Record"]] = units
        else:
            self.note(f"refused: {reply.status_code} {reply.json()['error']['innererror']['code']}")
            assert reply.status_code in REFUSED, reply.text
            # Where the disk failed in between, the entry may be there although nobody was answered.
            self.model.cut[units] += reply.status_code == 503
        return reply.status_code

    def serves(self) -> bool:
        return self.ask(1) == 200

    @rule(units=st.integers(1, 4))
    def request(self, units: int) -> None:
        self.ask(units)

    @rule(units=st.integers(1, 4), wait=st.floats(0, 0.03), killed=st.booleans())
    def request_and_leave(self, units: int, wait: float, killed: bool) -> None:
        self.note("left a request")
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": documents(units)}}
        wire = Wire(self.up().url)
        wire.send(post(json.dumps(body).encode()))
        self.model.cut[units] += 1
        time.sleep(wait)
        if killed:
            self.kill()
        wire.close()

    @rule(units=st.integers(5, 25), wait=st.floats(0, 0.5), killed=st.booleans())
    def submit_job(self, units: int, wait: float, killed: bool) -> None:
        body = {
            "analysisInput": {"documents": documents(units)},
            "tasks": [{"kind": "EntityRecognition", "taskName": "one"}],
        }
        with self.up().client() as client:
            reply = client.post(JOBS, params=VERSION, json=body)
        self.note(f"job {reply.status_code}")
        if reply.status_code == 202:
            self.asked_jobs[units] += 1
            self.jobs[reply.headers["operation-location"].partition("?")[0].rpartition("/")[2]] = units
        else:
            assert reply.status_code in REFUSED, reply.text
            self.asked_jobs[units] += reply.status_code == 503
        time.sleep(wait)
        if killed:
            self.kill()

    @precondition(lambda self: self.jobs)
    @rule(which=st.integers(0, 9))
    def cancel_job(self, which: int) -> None:
        self.note("cancelled a job")
        job = sorted(self.jobs)[which % len(self.jobs)]
        with self.up().client() as client:
            reply = client.post(f"{JOBS}/{job}:cancel", params=VERSION)
        assert reply.status_code in (202, 400, 404, 503), reply.text

    @precondition(lambda self: self.jobs)
    @rule()
    def look_at_jobs(self) -> None:
        self.look()

    def look(self) -> bool:
        """Look at every job; whether all have ended."""
        ended = True
        with self.up().client() as client:
            for job, units in list(self.jobs.items()):
                reply = client.get(f"{JOBS}/{job}", params=VERSION)
                if reply.status_code == 404:  # expired, or the state directory was put back
                    del self.jobs[job]
                    continue
                assert reply.status_code in (200, 503), reply.text
                status = reply.json()["status"] if reply.status_code == 200 else ""
                if status == "succeeded":
                    self.done[job] = units
                if status in FINAL:
                    self.note(f"job {status}")
                    del self.jobs[job]
                else:
                    ended = False
        return ended

    def settle(self) -> None:
        end = time.monotonic() + 60
        while not self.look():
            assert time.monotonic() < end, "a job does not end"
            time.sleep(0.05)

    def compare(self, there: dict[str, UsedFields]) -> None:
        assert len({use.request_id for use in there.values()}) == len(there) or self.put_back
        jobs = Counter(use.quantity for use in there.values() if ":" in use.request_id)
        assert jobs <= self.asked_jobs
        if not self.put_back:
            assert Counter(self.done.values()) <= jobs, "who has the results of a job was counted"
        requests = {key: use.quantity for key, use in there.items() if ":" not in use.request_id}
        assert {key: requests.pop(key, 0) for key in self.model.answered} == self.model.answered
        assert Counter(requests.values()) <= self.model.cut


class SpeechInAnyOrder(AnyOrder):
    """Turns of speech: heard to the end, left, broken off."""

    product, meter, plan = "speech", SPEECH_TO_TEXT.meter, 60
    model_folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.words = ("Service=speechtotext", f"Mounts:Model={self.model_folder}")
        self.said: list[tuple[int, int]] = []

    def talk(self, mode: str, messages: int, *, killed: bool = False) -> bool:
        """Speak and listen to so many messages; whether the turn was heard to its end."""
        service = self.up()
        try:
            wire = SpeechWire(service.url, mode)
        except InvalidStatus as refused:
            self.note(f"refused: {refused.response.status_code}")
            assert refused.response.status_code in REFUSED
            return False
        ended = False
        wire.say(turn_id(), wave(SPOKEN))
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            for _ in range(messages):
                if wire.receive(20)[0] == "turn.end":
                    ended = True
                    break
        self.note("turn heard" if ended else "turn left")
        if killed:
            self.kill()
        wire.socket.socket.close()
        bodies = [body for _, body in wire.seen]
        for body in bodies:
            if "UsageRecord" in body:
                assert body["UsageRecord"] not in self.model.answered
                self.model.answered[body["UsageRecord"]] = 0
        said = max((body.get("Offset", 0) + body.get("Duration", 0) for body in bodies), default=0)
        self.said.append((int(said / TICKS), SPOKEN_SECONDS))
        return ended

    def serves(self) -> bool:
        return self.talk("interactive", 100)

    @rule(mode=st.sampled_from(("interactive", "conversation", "dictation")))
    def turn(self, mode: str) -> None:
        self.talk(mode, 100)

    @rule(
        mode=st.sampled_from(("interactive", "conversation")),
        messages=st.integers(0, 12),
        killed=st.booleans(),
    )
    def leave(self, mode: str, messages: int, killed: bool) -> None:
        self.talk(mode, messages, killed=killed)

    def compare(self, there: dict[str, UsedFields]) -> None:
        assert set(self.model.answered) <= set(there)
        units = sum(use.quantity for use in there.values())
        assert units <= sum(most for _, most in self.said)
        if not self.put_back:
            assert units >= sum(least for least, _ in self.said)


Alive = TypeVar("Alive", bound=AnyOrder)


def speech(tones: Path) -> type[SpeechInAnyOrder]:
    return type("Speech", (SpeechInAnyOrder,), {"model_folder": tones})


def go(machine: type[AnyOrder], *, examples: int, steps: int) -> None:
    """Let so many appliances live through so many steps each, the same ones each time."""
    SEEN.clear()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # what fails is told step by step; making it shorter would take hours
            suppress_health_check=list(HealthCheck),
        ),
    )
    _log.info("%d times %d steps: %s", examples, steps, dict(sorted(SEEN.items())))


@contextlib.contextmanager
def living(machine: Callable[[], Alive]) -> Iterator[Alive]:
    """An appliance to which the test itself does what happens; all is well with it in the end."""
    alive = machine()
    try:
        yield alive
    except BaseException:
        alive.exits.close()
        raise
    alive.teardown()


@pytest.mark.e2e
def test_text_is_counted_right_after_one_of_each() -> None:
    with living(TextInAnyOrder) as text:
        text.request(3)
        text.submit_job(12, 0.0, killed=True)
        text.take_copy()
        text.request_and_leave(2, 0.01, killed=False)
        text.renew("ends")
        text.let_time_pass(DAY)
        text.request(1)
        text.restore(0, ("license", "state"), killed=True)
        text.look_at_jobs()
        if text.disk:
            text.fill_disk()
        text.request(4)
        text.carry()
        text.restore(0, ("output",), killed=False)
        text.move_clock(-3600)
        text.request(2)
        text.carry()


@pytest.mark.e2e
def test_speech_is_counted_right_after_one_of_each(tones: Path) -> None:
    with living(speech(tones)) as spoken:
        spoken.turn("conversation")
        spoken.leave("interactive", 4, killed=True)
        spoken.renew()
        spoken.leave("conversation", 3, killed=False)
        spoken.carry()


@pytest.mark.e2e
@pytest.mark.slow
def test_text_is_counted_right_for_an_hour() -> None:
    go(TextInAnyOrder, examples=60, steps=40)


@pytest.mark.e2e
@pytest.mark.slow
def test_speech_is_counted_right_for_an_hour(tones: Path) -> None:
    go(speech(tones), examples=50, steps=30)
