"""What a service did in the last hour: its own counters, read every few seconds and kept in memory."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from prometheus_client.core import Metric

from appliance.observability.instruments import Instruments

_log = logging.getLogger("appliance.history")

SAMPLE_SECONDS: Final = 5.0
HOUR: Final = 3600
MOST_POINTS: Final = 120
"""Points of a chart: each stands for half a minute of an hour."""

QUIET: Final = frozenset(
    {
        "admin",
        "endpoint",
        "file",
        "index",
        "metrics",
        "models",
        "none",
        "proof",
        "openapi",
        "ready",
        "search",
        "status",
        "usage",
        "usage_by_day",
        "usage_of_month",
    }
)
"""Endpoints that answer people and probes about the service; what they ask is no load."""
_FAILED: Final = 500
_REFUSED: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The counters at one instant.

    Attributes:
        at: Unix second by the machine's clock.
        requests: Replies since the start, those about the service itself left out.
        errors: Those of them with a status of 500 or above.
        refused: Those with status 429.
        buckets: Replies by their upper bound in seconds, cumulative, as of the histogram.
        queue: Work that waits for a model.
        memory: Resident bytes of the process.
        connections: Open connections.
    """

    at: float
    requests: int
    errors: int
    refused: int
    buckets: Mapping[float, int]
    queue: int
    memory: int
    connections: int


class History:
    """The samples of the last hour.

    Args:
        take: Takes one sample.
    """

    def __init__(self, take: Callable[[], Sample]) -> None:
        self._take = take
        self._samples: deque[Sample] = deque(maxlen=int(HOUR / SAMPLE_SECONDS) + 1)

    async def run(self) -> None:
        """Take a sample every few seconds. Runs until cancelled."""
        while True:
            try:
                self._samples.append(self._take())
            except Exception:  # whatever it is, the charts have a gap and the next sample is seconds away
                _log.exception("the counters could not be read")
            await asyncio.sleep(SAMPLE_SECONDS)

    def points(self) -> list[dict[str, Any]]:
        """Return the hour in a few points, oldest first; see `points_of`."""
        return points_of([*self._samples, self._take()])


def points_of(samples: list[Sample]) -> list[dict[str, Any]]:
    """Return at most `MOST_POINTS` points between samples.

    Each has `at` (Unix seconds), `seconds` it stands for, `requests`, `errors`, `refused` in them, `median`
    and `p95` (seconds a reply took, as the upper bound of its bucket; null without replies), and `queue`,
    `memory`, `connections` at its end.
    """
    step = max(1, -(-(len(samples) - 1) // MOST_POINTS))
    chosen = [*samples[:-1:step], samples[-1]] if len(samples) > 1 else samples
    return [_point(before, after) for before, after in pairwise(chosen)]


def _point(before: Sample, after: Sample) -> dict[str, Any]:
    grown = {bound: count - before.buckets.get(bound, 0) for bound, count in after.buckets.items()}
    return {
        "at": int(after.at),
        "seconds": round(after.at - before.at, 1),
        "requests": after.requests - before.requests,
        "errors": after.errors - before.errors,
        "refused": after.refused - before.refused,
        "median": _quantile(grown, 0.5),
        "p95": _quantile(grown, 0.95),
        "queue": after.queue,
        "memory": after.memory,
        "connections": after.connections,
    }


def _quantile(buckets: Mapping[float, int], share: float) -> float | None:
    """Return the least finite bound under which a share of the replies lies; the largest for the rest."""
    if not buckets or not max(buckets.values()):
        return None
    wanted = share * max(buckets.values())
    finite = sorted(bound for bound in buckets if bound != float("inf"))
    return next((bound for bound in finite if buckets[bound] >= wanted), finite[-1] if finite else None)


def take_sample(instruments: Instruments, *, queue: int, memory: int, connections: int) -> Sample:
    """Read the counters of a service.

    Args:
        instruments: Its counters.
        queue: Work that waits for a model.
        memory: Resident bytes.
        connections: Open connections.
    """
    requests = errors = refused = 0
    for labels, value in _values(instruments.requests.collect(), "_total"):
        if labels["endpoint"] not in QUIET:
            requests += int(value)
            errors += int(value) if _status(labels) >= _FAILED else 0
            refused += int(value) if _status(labels) == _REFUSED else 0
    buckets: dict[float, int] = {}
    for labels, value in _values(instruments.seconds.collect(), "_bucket"):
        if labels["endpoint"] not in QUIET:
            bound = float(labels["le"])
            buckets[bound] = buckets.get(bound, 0) + int(value)
    return Sample(
        at=time.time(),
        requests=requests,
        errors=errors,
        refused=refused,
        buckets=buckets,
        queue=queue,
        memory=memory,
        connections=connections,
    )


def _values(metrics: Iterable[Metric], suffix: str) -> Iterable[tuple[Mapping[str, str], float]]:
    for metric in metrics:
        for sample in metric.samples:
            if sample.name.endswith(suffix):
                yield sample.labels, sample.value


def _status(labels: Mapping[str, str]) -> int:
    status = labels["status"]
    return int(status) if status.isdecimal() else 0
