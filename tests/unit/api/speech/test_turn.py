"""What a turn promises when something behind it fails: no answer without its record, the right close code."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.api.speech.admission import SpeechAdmission, SpeechLimits
from appliance.api.speech.errors import close_frame
from appliance.api.speech.parameters import RecognitionOptions
from appliance.api.speech.turn import Turn
from appliance.errors import ApplianceError, LicenseRefusal, UsageStoreUnavailable
from appliance.ledger.ledger import Receipt, UsageRecord
from appliance.pipeline.audio_meter import TurnMeter
from appliance.pipeline.deployments import Deployments
from appliance.pipeline.pipeline import Recorded
from appliance.pipeline.units import whole_seconds
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.recognition.engine import SpeechEngine
from tests.support.tones import silence, speak, wave
from tests.support.usp import header


class Books:
    """Stands for the pipeline: notes units in the order they are recorded, or refuses."""

    def __init__(self, refusal: ApplianceError | None = None) -> None:
        self.units: list[int] = []
        self.refusal = refusal

    def check(self, units: int = 0) -> None:
        pass

    async def record(self, units: int, *, request_id: str) -> Recorded:
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        self.units.append(units)
        receipt = Receipt(origin="log", first=len(self.units), count=1)
        usage = UsageRecord(meter="seconds", quantity=units, billed=units, request_id=request_id)
        return Recorded(receipt=receipt, usage=usage, admission=None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine(tones: Path) -> SpeechEngine:
    return SpeechEngine.load(SpeechFolder.open(tones), threads=1)


def run(engine: SpeechEngine, books: Books, parts: Sequence[bytes], **asked: Any) -> tuple[list[str], Any]:
    """Say something in one turn; the texts that were sent, with the error that ended it."""
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    async def turn() -> BaseException | None:
        admission = SpeechAdmission(pipeline=books, deployments=Deployments(), limits=SpeechLimits())  # type: ignore[arg-type]
        admission.open(engine, locale="en-US")
        ended = asyncio.Event()
        one = Turn("ab", RecognitionOptions(**asked), admission=admission, send=send)
        for part in parts:
            await one.hear(part, ended=lambda _: ended.set())
        await asyncio.wait_for(ended.wait(), 60)
        try:
            one.result()
        except ApplianceError as error:
            return error
        return None

    return sent, asyncio.run(turn())


SPOKEN = header() + wave(np.concatenate((silence(0.2), speak("left"), silence(1.0))))


@pytest.mark.parametrize("mode", ["interactive", "conversation"])
@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (UsageStoreUnavailable("the disk is full"), 1013),
        (LicenseRefusal("the licence has expired", code="Expired"), 1008),
        (LicenseRefusal("the plan is used up", code="OutOfQuota"), 4429),
    ],
)
def test_no_phrase_leaves_without_its_record(
    engine: SpeechEngine, mode: str, refusal: ApplianceError, code: int
) -> None:
    sent, error = run(engine, Books(refusal), [SPOKEN, b""], mode=mode)
    assert error is refusal
    assert close_frame(error)[0] == code
    assert not any("Path:speech.phrase" in text for text in sent)


def test_a_record_is_made_before_each_phrase_and_sums_to_whole_seconds(engine: SpeechEngine) -> None:
    books = Books()
    sound = np.concatenate([part for _ in range(4) for part in (speak("up"), silence(0.9))])
    sent, error = run(engine, books, [header() + wave(sound), b""], mode="conversation")
    assert error is None
    bodies = [json.loads(text.partition("\r\n\r\n")[2]) for text in sent if "Path:speech.phrase" in text]
    assert [body.get("UsageRecord") for body in bodies] == ["log/1", "log/2", "log/3", "log/4", None]
    assert sum(books.units) == whole_seconds(len(sound) / 16_000) == 5


def test_a_meter_rounds_a_turn_up_once() -> None:
    async def count(ends: Sequence[float]) -> list[int]:
        books = Books()
        meter = TurnMeter(books, "id")  # type: ignore[arg-type]
        for end in ends:
            await meter.record(end)
        await meter.settle(ends[-1])
        return books.units

    assert asyncio.run(count([0.4, 0.8, 1.0, 3.2, 3.9])) == [1, 0, 0, 3, 0]
    assert asyncio.run(count([7.2])) == [8]
