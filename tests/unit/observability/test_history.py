"""The last hour in few points: what is counted, what is left out, and how samples become points."""

import asyncio
import contextlib

import pytest

from appliance.observability.history import (
    HOUR,
    MOST_POINTS,
    SAMPLE_SECONDS,
    History,
    Sample,
    points_of,
    take_sample,
)
from appliance.observability.instruments import Instruments


def sample(n: int, **changed: object) -> Sample:
    facts: dict[str, object] = {
        "at": n * SAMPLE_SECONDS,
        "requests": 10 * n,
        "errors": n // 2,
        "refused": 0,
        "buckets": {0.01: 9 * n, 0.1: 10 * n, float("inf"): 10 * n},
        "queue": n,
        "memory": 1_000 + n,
        "connections": 3,
    }
    return Sample(**{**facts, **changed})  # type: ignore[arg-type]


def served(instruments: Instruments, endpoint: str, status: int, seconds: float) -> None:
    instruments.requests.labels(endpoint, str(status)).inc()
    instruments.seconds.labels(endpoint).observe(seconds)


def test_replies_are_counted_by_what_became_of_them_and_questions_about_the_service_are_not() -> None:
    instruments = Instruments()
    for status in (200, 200, 429, 500, 503):
        served(instruments, "analyze_text", status, 0.015)
    served(instruments, "status", 200, 9.0)
    served(instruments, "admin", 500, 9.0)
    found = take_sample(instruments, queue=7, memory=11, connections=2)
    assert (found.requests, found.errors, found.refused) == (5, 2, 1)
    assert (found.queue, found.memory, found.connections) == (7, 11, 2)
    assert found.buckets[0.01] == 0
    assert found.buckets[0.02] == found.buckets[float("inf")] == 5


def test_an_hour_is_told_in_few_points_and_nothing_is_lost_between_them() -> None:
    samples = [sample(n) for n in range(int(HOUR / SAMPLE_SECONDS) + 1)]
    points = points_of(samples)
    assert 2 <= len(points) <= MOST_POINTS + 1
    assert sum(point["requests"] for point in points) == samples[-1].requests
    assert sum(point["errors"] for point in points) == samples[-1].errors
    assert sum(point["seconds"] for point in points) == pytest.approx(HOUR)
    assert points[-1]["queue"] == samples[-1].queue


def test_times_are_the_bounds_under_which_a_share_of_the_replies_lies() -> None:
    (point,) = points_of([sample(0), sample(1)])
    assert (point["median"], point["p95"]) == (0.01, 0.1)
    slow = {0.01: 0, 0.1: 0, float("inf"): 10}
    (point,) = points_of([sample(0), sample(1, buckets=slow)])
    assert point["p95"] == 0.1, "above the largest bound"


def test_an_interval_without_replies_has_no_times() -> None:
    (point,) = points_of([sample(1), sample(1, at=10.0)])
    assert (point["requests"], point["median"], point["p95"]) == (0, None, None)


@pytest.mark.parametrize("count", [0, 1])
def test_before_two_samples_there_is_no_point(count: int) -> None:
    assert points_of([sample(n) for n in range(count)]) == []


def test_samples_are_taken_from_the_start_on_and_one_that_fails_ends_nothing() -> None:
    taken = iter([sample(1), None, sample(2)])

    def take() -> Sample:
        found = next(taken)
        if found is None:
            raise OSError("no counters")
        return found

    async def a_moment(history: History) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(history.run(), 0.05)

    history = History(take)
    asyncio.run(a_moment(history))
    asyncio.run(a_moment(history))
    (point,) = history.points()
    assert point["requests"] == 10
