"""Whoever cancels an answer, at whichever of its waits: what is recorded is what the plan was charged, once.

The ledger, admission and the edge are the real ones; only the recogniser of texts is a stand-in.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from appliance.api.language.documents import Limits
from appliance.api.language.execution import DocumentWork
from appliance.api.language.routes import ANALYZE, LanguageApi, LanguageLimits
from appliance.api.speech.admission import SpeechAdmission, SpeechLimits
from appliance.api.speech.parameters import RecognitionOptions
from appliance.api.speech.turn import Turn
from appliance.config.products import SPEECH_TO_TEXT
from appliance.jobs.fair_turns import Turns
from appliance.jobs.job import Source, Task
from appliance.jobs.usage_id import UsageIds
from appliance.jobs.work import Interrupt
from appliance.ledger.floor.recorded import recorded_requests
from appliance.ledger.ledger import Ledger
from appliance.licensing.admission import AdmissionControl
from appliance.ner.engine import Recognized
from appliance.ner.text_request import TextRequest
from appliance.pipeline.audio_meter import AudioMeter
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.pipeline.pipeline import TEXT_RECORDS, Pipeline
from appliance.pipeline.units import whole_seconds
from appliance.request_ids import uuid7
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.recognition.engine import SpeechEngine
from license.evidence.log.entry import UsedFields, parse_use
from license.licenses.verify import AuthenticLicense
from tests.support.ledger import NOON, Machine, Vendor
from tests.support.speech_site import tones
from tests.support.strike import Strike
from tests.support.tones import silence, speak, wave
from tests.support.usp import header

__all__ = ["tones"]

TEXT = "x" * 2500
RECORDS = 3
MOST_WAITS = 400
SPOKEN = np.concatenate((silence(0.1), speak("left"), silence(0.9)))


class Echo:
    """Finds nothing, after a while."""

    async def recognize(
        self, requests: Sequence[TextRequest], *, background: bool = False
    ) -> list[Recognized]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [Recognized() for _ in requests]


@dataclass
class Books:
    """A ledger and the gate in front of it."""

    machine: Machine
    ledger: Ledger
    meter: str = TEXT_RECORDS

    def __post_init__(self) -> None:
        self.gate = AdmissionControl(manager=self, now=lambda: NOON, used=self.ledger.used, meter=self.meter)
        self.pipeline = Pipeline(admission=self.gate, usage=self.ledger, meter=self.meter)
        self.begin = len(self.machine.texts())

    @property
    def current(self) -> AuthenticLicense:
        return self.machine.licensed

    def recorded(self) -> list[UsedFields]:
        """What was recorded since these books were opened; checked against what the plan was charged."""
        uses = [use for text in self.machine.texts()[self.begin :] if (use := parse_use(text))]
        assert self.gate.reserved == 0
        assert self.gate.settled == sum(use.billed for use in uses) == sum(use.quantity for use in uses)
        return uses


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Callable[..., Books]]:
    machine = Machine(tmp_path / "machine", Vendor(tmp_path / "roots"))
    ledger = machine.open()
    yield lambda meter=TEXT_RECORDS: Books(machine, ledger, meter)
    ledger.close()


def deployments() -> Deployments:
    made = Deployments()
    made.set([Deployment(project="p", name="d", model="m", release="1", recognizer=Echo())])
    return made


def at_every_wait(attempt: Callable[[Strike], None]) -> None:
    """Cancel at the first wait, the second, and so on until none is left; each early and late."""
    for late in (False, True):
        for number in range(MOST_WAITS):
            strike = Strike(number, late=late)
            attempt(strike)
            if not strike.fell:
                break
        else:
            raise AssertionError("it waits without end")
        assert number > 0


async def post(strike: Strike, app: Starlette, body: object) -> list[int]:
    """Ask as a server does; the statuses that were answered."""
    statuses = []
    request = {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return request

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http", "method": "POST", "path": ANALYZE, "query_string": b"api-version=2023-04-01",
        "headers": [(b"content-type", b"application/json")], "state": {"request_id": uuid7()},
    }  # fmt: skip
    task = asyncio.create_task(strike.run(app(scope, receive, send)))
    await asyncio.wait({task})
    if not task.cancelled():
        assert task.exception() is None
    return statuses


async def freely() -> None:
    """What an installation without others awaits before it records."""


def test_a_request_cancelled_at_any_wait_is_charged_as_it_is_recorded(books: Callable[..., Books]) -> None:
    seen = set()

    def attempt(strike: Strike) -> None:
        kept = books()
        limits = LanguageLimits(body_bytes=100_000, request=Limits(documents=5))
        api = LanguageApi(
            pipeline=kept.pipeline,
            deployments=deployments(),
            jobs=None,  # type: ignore[arg-type]
            limits=limits,
            warned=lambda _: None,
        )
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": TEXT}]}}
        statuses = asyncio.run(post(strike, Starlette(routes=api.routes()), body))
        uses = kept.recorded()
        assert [use.quantity for use in uses] in ([], [RECORDS])
        assert len(uses) >= len(statuses)
        seen.add((len(uses), len(statuses)))

    at_every_wait(attempt)
    assert seen == {(0, 0), (1, 0), (1, 1)}


def test_a_task_of_a_job_cancelled_at_any_wait_counts_once_however_often_it_is_taken_up(
    books: Callable[..., Books],
) -> None:
    documents = [Source(id=str(number), text=TEXT) for number in range(7)]

    def attempt(strike: Strike) -> None:
        kept = books()
        ids = UsageIds(bytes(32))
        work = DocumentWork(
            pipeline=kept.pipeline, deployments=deployments(), turns=Turns(2), ids=ids, warned=lambda _: None
        )
        task = Task(
            id=uuid7(),
            kind="CustomEntityRecognition",
            name="",
            project="p",
            deployment="d",
            version="latest",
            unit="TextElements_v8",
        )

        def recorded() -> bool:
            key = ids.of(task, documents)
            return key in recorded_requests(kept.machine.directory, [key], since=("", 0))

        async def run() -> None:
            first = strike.run(work(task, documents, interrupt=Interrupt(), recorded=False, claim=freely))
            await asyncio.gather(asyncio.create_task(first), return_exceptions=True)
            counted = kept.recorded()
            assert recorded() is bool(counted)
            again = await work(task, documents, interrupt=Interrupt(), recorded=recorded(), claim=freely)
            assert len(again.items) == len(documents)

        asyncio.run(run())
        assert [use.quantity for use in kept.recorded()] == [RECORDS * len(documents)]

    at_every_wait(attempt)


def _set(event: asyncio.Event, _: Turn) -> None:
    event.set()


@pytest.mark.parametrize("mode", ["interactive", "conversation"])
def test_a_turn_cancelled_at_any_wait_is_counted_once_and_the_next_one_goes_on_from_there(
    books: Callable[..., Books], tones: Path, mode: str
) -> None:
    engine = SpeechEngine.load(SpeechFolder.open(tones), threads=1)
    sound = header() + wave(SPOKEN)
    length = len(SPOKEN) / 16_000

    async def turns(strike: Strike, kept: Books) -> list[float]:
        said: list[float] = []

        async def send(text: str) -> None:
            await asyncio.sleep(0)
            body = json.loads(text.partition("\r\n\r\n")[2])
            said.append((body.get("Offset", 0) + body.get("Duration", 0)) / 1e7)
            assert sum(use.quantity for use in kept.recorded()) >= int(said[-1])

        asyncio.get_running_loop().set_task_factory(strike.on_tasks(lambda name: name.startswith("turn")))
        admission = SpeechAdmission(pipeline=kept.pipeline, deployments=Deployments(), limits=SpeechLimits())
        admission.open(engine, locale="en-US")
        meter = AudioMeter(kept.pipeline)
        heard = []
        for _ in range(2):
            said.clear()
            ended = asyncio.Event()
            turn = Turn("ab", RecognitionOptions(mode=mode), admission=admission, meter=meter, send=send)
            await turn.hear(sound, ended=partial(_set, ended))
            await turn.hear(b"", ended=lambda _: None)
            await asyncio.wait_for(ended.wait(), 60)
            heard.append(max(said, default=0.0))
        return heard

    def attempt(strike: Strike) -> None:
        kept = books(SPEECH_TO_TEXT.meter)
        said = asyncio.run(turns(strike, kept))
        units = sum(use.quantity for use in kept.recorded())
        # A single recognition sends what is behind its phrase again.
        assert units <= whole_seconds(2 * length)
        assert units >= whole_seconds(said[1])
        if mode == "conversation" and not strike.fell:
            assert units == whole_seconds(2 * length)

    at_every_wait(attempt)
