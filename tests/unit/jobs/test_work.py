"""What may be interrupted is, at once; what may not goes on."""

import asyncio

import pytest

from appliance.jobs.work import Interrupt, Interrupted


def test_an_interrupt_ends_the_wait_in_progress_and_every_later_one() -> None:
    async def scenario() -> None:
        interrupt = Interrupt()
        waiting = asyncio.create_task(interrupt.run(asyncio.sleep(60)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        interrupt.set()
        with pytest.raises(Interrupted):
            await waiting
        with pytest.raises(Interrupted):
            await interrupt.run(asyncio.sleep(60))

    asyncio.run(scenario())


def test_a_cancelled_task_is_cancelled_and_not_interrupted() -> None:
    async def scenario() -> None:
        waiting = asyncio.create_task(Interrupt().run(asyncio.sleep(60)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


def test_what_is_not_interrupted_returns_its_result() -> None:
    assert asyncio.run(Interrupt().run(asyncio.sleep(0, "done"))) == "done"
