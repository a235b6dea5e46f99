"""Who may ask the model next: of all the tasks that wait, the one that has had the fewest turns.

A job of a thousand pieces and a job of one piece that arrive together end in the order a person would expect,
and a hundred long jobs share the model evenly. Short synchronous requests do not pass here at all: what keeps
the model's own queue short for them is that only a few turns are out at once.
"""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator


class Turns:
    """A fixed number of turns; used from one event loop only.

    Args:
        lanes: Turns that may be out at once; enough to keep every core busy, few enough to keep the model's
            queue short.
    """

    def __init__(self, lanes: int) -> None:
        self._free = lanes
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    @contextlib.asynccontextmanager
    async def turn(self, had: int) -> AsyncIterator[None]:
        """Wait for a turn and hold it inside the `with`.

        Args:
            had: Turns this task has had already; fewer go first, then whoever came first.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(had)
        try:
            yield
        finally:
            self._release()

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return sum(not future.done() for _, _, future in self._waiting)

    async def _wait(self, had: int) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (had, next(self._arrivals), future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # the turn was given in the same instant
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return
        self._free += 1
