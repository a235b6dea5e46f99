"""A connection is counted in whole seconds, rounded up once."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ledger.ledger import Receipt, UsageRecord
from appliance.pipeline.audio_meter import AudioMeter
from appliance.pipeline.pipeline import Recorded
from appliance.pipeline.units import whole_seconds


class Books:
    """Stands for the pipeline: notes units."""

    def __init__(self) -> None:
        self.units: list[int] = []
        self.asked: list[int] = []

    def check(self, units: int = 0) -> None:
        self.asked.append(units)

    async def record(self, units: int, *, request_id: str) -> Recorded:
        self.units.append(units)
        return Recorded(
            receipt=Receipt(origin="log", first=1, count=1),
            usage=UsageRecord(meter="Seconds", quantity=units, billed=units, request_id=request_id),
            admission=None,  # type: ignore[arg-type]
        )


def made() -> tuple[Books, AudioMeter]:
    books = Books()
    return books, AudioMeter(books)  # type: ignore[arg-type]


async def turn(meter: AudioMeter, ends: Sequence[float], *, again: float = 0.0) -> None:
    for end in ends:
        await meter.record(end, request_id="id")
    await meter.settle(ends[-1], request_id="id")
    meter.end_turn(ends[-1] - again)


@pytest.mark.parametrize(
    ("ends", "units"), [([0.4, 0.8, 1.0, 3.2, 3.9], [1, 0, 0, 3, 0]), ([7.2], [8]), ([0.0], [0])]
)
def test_a_turn_is_rounded_up_once(ends: list[float], units: list[int]) -> None:
    async def count() -> list[int]:
        books, meter = made()
        await turn(meter, ends)
        return books.units

    assert asyncio.run(count()) == units


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 1.0)), min_size=1, max_size=30))
def test_a_connection_never_counts_more_than_it_was_sent_and_audio_sent_again_not_twice(
    turns: list[tuple[float, float]],
) -> None:
    async def count() -> int:
        books, meter = made()
        for heard, share in turns:
            await turn(meter, [heard / 2, heard], again=heard * share)
        return sum(books.units)

    new = [heard * (1 - share) for heard, share in turns]
    ends = [sum(new[:at]) + heard for at, (heard, _) in enumerate(turns)]
    assert abs(asyncio.run(count()) - max(map(whole_seconds, ends))) <= 1e-6
    assert max(map(whole_seconds, ends)) <= whole_seconds(sum(heard for heard, _ in turns) + 1e-9) + 0


def test_the_gate_is_asked_for_what_is_not_counted_yet() -> None:
    async def ask() -> list[int]:
        books, meter = made()
        meter.check()
        await meter.record(1.5, request_id="id")
        for seconds in (1.5, 2.0, 2.1, 4.0):
            meter.check(seconds)
        return books.asked

    assert asyncio.run(ask()) == [1, 0, 0, 1, 2]
