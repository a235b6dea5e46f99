"""Counters and histograms as plain numbers; each may be filled from any thread.

The library that writes them for Prometheus takes part of a start to import, so it reads them at a scrape.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar


class Count:
    """A number that only grows.

    Attributes:
        created: Unix time of its beginning.
        value: How far it has come.
    """

    __slots__ = ("_lock", "created", "value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.created = time.time()
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Add to it."""
        with self._lock:
            self.value += amount


class Spread:
    """How observed amounts are spread over buckets.

    Args:
        bounds: The largest amount of each bucket but the last, ascending; the last has no bound.

    Attributes:
        created: Unix time of its beginning.
        total: Sum of the amounts.
    """

    __slots__ = ("_bounds", "_counts", "_lock", "created", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._lock = threading.Lock()
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.created = time.time()
        self.total = 0.0

    def observe(self, amount: float) -> None:
        """Count one amount."""
        with self._lock:
            self._counts[bisect_left(self._bounds, amount)] += 1
            self.total += amount

    def buckets(self) -> list[tuple[float, int]]:
        """Return each bound with the number of amounts up to it; infinity last, with all of them."""
        with self._lock:
            counts = list(self._counts)
        return list(zip((*self._bounds, float("inf")), accumulate(counts), strict=True))


_Part = TypeVar("_Part", Count, Spread)


class _Family(Generic[_Part]):
    """Numbers of one name, by the values of its labels.

    Args:
        name: What a scrape calls it.
        text: What it counts.
        labels: Names of its labels.
        new: Makes one of its numbers.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str], new: Callable[[], _Part]) -> None:
        self.name = name
        self.text = text
        self.label_names = tuple(labels)
        self._new: Callable[[], _Part] = new
        self._lock = threading.Lock()
        self._parts: dict[tuple[str, ...], _Part] = {}
        if not labels:
            self.labels()

    def labels(self, *values: str) -> _Part:
        """Return the number with these labels, which begins at the first call."""
        part = self._parts.get(values)
        if part is not None:
            return part
        if len(values) != len(self.label_names):
            raise ValueError(f"{self.name} has the labels {', '.join(self.label_names) or 'none'}")
        with self._lock:
            return self._parts.setdefault(values, self._new())

    def parts(self) -> Iterator[tuple[dict[str, str], _Part]]:
        """Yield every number with its labels."""
        with self._lock:
            parts = list(self._parts.items())
        for values, part in parts:
            yield dict(zip(self.label_names, values, strict=True)), part


class Counter(_Family[Count]):
    """Counts, by label; see `Count`.

    Args:
        name: What a scrape calls it, without `_total`.
        text: What it counts.
        labels: Names of its labels.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, text, labels, Count)

    def inc(self, amount: int = 1) -> None:
        """Add to the count without labels."""
        self.labels().inc(amount)


class Histogram(_Family[Spread]):
    """Spreads, by label; see `Spread`.

    Args:
        name: What a scrape calls it.
        text: What is observed.
        labels: Names of its labels.
        buckets: The largest amount of each bucket but the last, ascending.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> None:
        super().__init__(name, text, labels, lambda: Spread(buckets))

    def observe(self, amount: float) -> None:
        """Count one amount in the spread without labels."""
        self.labels().observe(amount)
