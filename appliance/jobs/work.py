"""What a task's work is to the runner: done, interrupted, and proven to be counted."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from appliance.jobs.job import Item, Source, Task

_Result = TypeVar("_Result")

Claim = Callable[[], Awaitable[None]]
"""Becomes the one installation that may record a task's usage; raises `Interrupted` where another is."""


class Interrupted(Exception):
    """The job was cancelled or the service stops; what was being computed is dropped."""


class Interrupt:
    """Lets a task's waits be ended from outside, but only those that may be."""

    def __init__(self) -> None:
        self._set = False
        self._running: asyncio.Future[Any] | None = None

    def set(self) -> None:
        """End the wait in progress and every later one."""
        self._set = True
        if self._running is not None:
            self._running.cancel()

    async def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for something that may be dropped half-way.

        Raises:
            Interrupted: It was.
        """
        if self._set:
            work.close()
            raise Interrupted
        task: asyncio.Task[_Result] = asyncio.ensure_future(work)
        self._running = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._set:
                raise Interrupted from None
            raise
        finally:
            self._running = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a task came to: an item for each document, and the model release that answered."""

    items: Sequence[Item]
    release: str


class Work(Protocol):
    """Does one task: computes, and makes its usage durable unless it is already."""

    def usage_id(self, task: Task, documents: Sequence[Source]) -> str:
        """What its usage is recorded under; may take as long as hashing the documents."""
        ...

    def serves(self, task: Task) -> bool:
        """Whether the model that it asks for is here."""
        ...

    async def __call__(
        self, task: Task, documents: Sequence[Source], *, interrupt: Interrupt, recorded: bool, claim: Claim
    ) -> Outcome:
        """Return the outcome; raise an `ApplianceError` if there is none, or `Interrupted`.

        Unless its usage is `recorded`, `claim` is awaited last before it is.
        """
        ...
