"""How often one caller may ask: a bucket of permits for each, refilled steadily."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_NAMES: Final = 10_000
"""Callers remembered. Who asked longest ago is forgotten first, and starts with a full bucket again."""


class RateLimit:
    """Permits for many callers; safe to use from several threads.

    Args:
        burst: Permits a bucket holds: so many calls may come at once.
        per_minute: Permits that come back in a minute.
        clock: Source of monotonic seconds.
    """

    def __init__(self, *, burst: int, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> int:
        """Take a permit of `name` and return 0, or return the whole seconds until there is one."""
        with self._lock:
            now = self._clock()
            permits, since = self._buckets.pop(name, (float(self._burst), now))
            permits = min(self._burst, permits + (now - since) * self._per_second)
            wait_s = 0 if permits >= 1 else math.ceil((1 - permits) / self._per_second)
            self._buckets[name] = (permits if wait_s else permits - 1, now)
            if len(self._buckets) > MAX_NAMES:
                self._buckets.popitem(last=False)
        return wait_s
