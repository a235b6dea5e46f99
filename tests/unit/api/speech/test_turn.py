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
from appliance.pipeline.audio_meter import AudioMeter
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
        meter = AudioMeter(admission.pipeline)
        one = Turn("ab", RecognitionOptions(**asked), admission=admission, meter=meter, send=send)
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
    assert not any(
        name in text for text in sent for name in ("speech.phrase", "speech.hypothesis", "Detected")
    )


def test_a_record_is_made_before_each_phrase_and_sums_to_whole_seconds(engine: SpeechEngine) -> None:
    books = Books()
    sound = np.concatenate([part for _ in range(4) for part in (speak("up"), silence(0.9))])
    sent, error = run(engine, books, [header() + wave(sound), b""], mode="conversation")
    assert error is None
    bodies = [json.loads(text.partition("\r\n\r\n")[2]) for text in sent if "Path:speech.phrase" in text]
    numbers = [int(body["UsageRecord"].removeprefix("log/")) for body in bodies[:-1]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 4
    assert "UsageRecord" not in bodies[-1]
    assert sum(books.units) == whole_seconds(len(sound) / 16_000) == 5
