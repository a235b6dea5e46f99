import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.jobs.fair_turns import Turns


def test_a_short_job_overtakes_long_ones_that_came_before_it() -> None:
    async def scenario() -> list[str]:
        turns = Turns(1)
        order: list[str] = []

        async def work(name: str, pieces: int) -> None:
            for had in range(pieces):
                async with turns.turn(had):
                    await asyncio.sleep(0)
            order.append(name)

        longs = [asyncio.create_task(work(f"long {n}", 50)) for n in range(20)]
        await asyncio.sleep(0.001)
        await work("short", 1)
        await asyncio.gather(*longs)
        return order

    assert asyncio.run(scenario())[0] == "short"


def test_long_jobs_share_evenly() -> None:
    async def scenario() -> list[int]:
        turns = Turns(2)
        served = [0] * 10

        async def work(number: int) -> None:
            for had in range(1_000):
                async with turns.turn(had):
                    await asyncio.sleep(0)
                    served[number] += 1

        tasks = [asyncio.create_task(work(number)) for number in range(10)]
        while sum(served) < 500:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        return served

    served = asyncio.run(scenario())
    assert max(served) - min(served) <= 2


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30), st.integers(1, 4))
def test_no_turn_is_lost_or_given_twice_whoever_leaves(callers: list[tuple[int, bool]], lanes: int) -> None:
    async def scenario() -> None:
        turns = Turns(lanes)
        out = 0

        async def work(had: int) -> None:
            nonlocal out
            async with turns.turn(had):
                out += 1
                assert out <= lanes
                await asyncio.sleep(0)
                out -= 1

        tasks = []
        for had, leaves in callers:
            tasks.append(asyncio.create_task(work(had)))
            await asyncio.sleep(0)
            if leaves:
                tasks[-1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert turns.waiting == 0
        for _ in range(lanes):
            turns_left = turns.turn(0)
            await asyncio.wait_for(turns_left.__aenter__(), 60)

    asyncio.run(scenario())
