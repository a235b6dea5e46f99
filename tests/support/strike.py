"""Cancel a coroutine's task at a chosen one of its waits, so that a test can go through all of them."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class Strike:
    """Cancels once, at the wait of this number.

    Args:
        number: Of the wait, from 0.
        late: Cancel when what is waited for is there and the task does not know it yet; else, at once.
    """

    def __init__(self, number: int, *, late: bool) -> None:
        self._number = number
        self._late = late
        self._waits = 0

    @property
    def fell(self) -> bool:
        """Whether there was a wait of that number."""
        return self._waits > self._number

    async def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run something in the current task, to be cancelled at its wait."""
        return await self._pass_on(work)

    def on_tasks(self, wanted: Callable[[str], bool]) -> Callable[..., "asyncio.Task[Any]"]:
        """A task factory whose tasks of certain names are to be cancelled."""

        def make(
            loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
        ) -> "asyncio.Task[Any]":
            # Up to 3.12, the name is given to the task after it was made.
            async def named() -> Any:
                task = asyncio.current_task()
                assert task is not None
                return await (self.run(work) if wanted(task.get_name()) else work)

            return asyncio.Task(named(), loop=loop, **more)

        return make

    @coroutine
    def _pass_on(self, work: Coroutine[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        error: BaseException | None = None
        while True:
            try:
                waited = work.send(None) if error is None else work.throw(error)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            if self._waits == self._number:
                self._cancel(waited)
            self._waits += 1
            try:
                yield waited
                error = None
            except BaseException as thrown:
                error = thrown

    def _cancel(self, waited: "asyncio.Future[Any] | None") -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._late and waited is not None:
            waited.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()
