"""A fleet's jobs: shown, ended and taken over by any replica, and counted by one, on both databases."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from appliance.jobs.job import Job, JobStatus
from appliance.jobs.runner import Jobs
from tests.unit.jobs.conftest import LAPSE


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < end, "it never came true"
        await asyncio.sleep(0.01)


async def seen(jobs: Jobs, job: Job, seconds: float = 20.0) -> Job:
    """The job once it has ended, as this replica shows it."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        found = await jobs.get(job.id)
        assert found is not None
        if found.status.final:
            return found
        assert asyncio.get_running_loop().time() < end, "the job never ended"
        await asyncio.sleep(0.05)  # each look is a query


def test_any_replica_shows_a_job_that_another_one_took(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one, two = await site.start("one"), await site.start("two")
        job = await submit(one.jobs, "quick", "long")
        found = await two.jobs.get(job.id)
        assert found is not None
        assert [task.status for task in found.tasks] == ["notStarted", "running"] or (
            found.status is JobStatus.RUNNING
        )
        one.machine.go.set()
        done = await seen(two.jobs, job)
        assert done.tasks[1].items == [{"document": {"id": "0"}}]
        assert two.machine.done == []
        await asyncio.gather(one.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())


def test_a_job_is_held_for_as_long_as_its_holder_lives(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one, two = await site.start("one"), await site.start("two")
        job = await submit(one.jobs, "long")
        two.machine.go.set()
        await asyncio.sleep(1.2)  # three lapses
        assert two.machine.done == []
        one.machine.go.set()
        await seen(two.jobs, job)
        assert (len(one.machine.counted), len(two.machine.counted)) == (1, 0)
        await asyncio.gather(one.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())


def test_the_jobs_of_a_replica_that_died_are_taken_over_and_counted_once(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one, two, three = [await site.start(name) for name in ("one", "two", "three")]
        jobs = [await submit(one.jobs, "quick", "long") for _ in range(3)]
        one.die()
        for replica in (two, three):
            replica.machine.go.set()
        for job in jobs:
            assert (await seen(three.jobs, job)).status is JobStatus.SUCCEEDED
        counted = [*one.machine.counted, *two.machine.counted, *three.machine.counted]
        assert sorted(counted) == sorted(task.id for job in jobs for task in job.tasks)
        await asyncio.gather(two.jobs.close(1), three.jobs.close(1))

    asyncio.run(scenario())


def test_a_replica_that_stops_leaves_its_jobs_at_once(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        site.place.clock.now += 0
        one = await site.start("one")
        job = await submit(one.jobs, "long")
        await one.jobs.close(1)
        store = site.place.store("two", fleet="site", lapse=30.0)
        assert [left.job.id for left in await store.left(now=site.place.clock.now)] == [job.id]
        two = await site.start("two")
        two.machine.go.set()
        assert (await seen(two.jobs, job)).status is JobStatus.SUCCEEDED
        await two.jobs.close(1)

    asyncio.run(scenario())


def test_a_cancel_at_another_replica_reaches_the_holder(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one, two = await site.start("one"), await site.start("two")
        job = await submit(one.jobs, "quick", "long", "quick")
        found = await two.jobs.get(job.id)
        assert found is not None
        assert await two.jobs.cancel(found)
        done = await seen(two.jobs, job)
        assert [task.status for task in done.tasks] == ["succeeded", "cancelled", "cancelled"]
        assert one.jobs.running == 0
        assert not await two.jobs.cancel(done), "it has ended already"
        assert one.machine.counted == [job.tasks[0].id]
        await asyncio.gather(one.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())


def test_a_job_that_nobody_holds_is_cancelled_by_whoever_is_asked(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one = await site.start("one")
        job = await submit(one.jobs, "long")
        await one.jobs.close(1)
        machine = type(one.machine)(models=set())  # it cannot go on with the job itself
        two = await site.start("two", machine)
        found = await two.jobs.get(job.id)
        assert found is not None
        assert await two.jobs.cancel(found)
        assert (await seen(two.jobs, job, 1.0)).status is JobStatus.CANCELLED
        await two.jobs.close(1)

    asyncio.run(scenario())


def test_a_replica_without_the_model_leaves_the_job_to_one_that_has_it(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one = await site.start("one")
        job = await submit(one.jobs, "long")
        await one.jobs.close(1)
        kind = type(one.machine)
        without, having = kind(models={"quick"}), kind(models={"long"})
        two = await site.start("two", without)
        await asyncio.sleep(0.2)
        assert two.jobs.running == 0
        three = await site.start("three", having)
        having.go.set()
        assert (await seen(two.jobs, job)).status is JobStatus.SUCCEEDED
        assert (len(without.counted), len(having.counted)) == (0, 1)
        await asyncio.gather(two.jobs.close(1), three.jobs.close(1))

    asyncio.run(scenario())


def test_jobs_that_no_replica_can_do_do_not_stand_in_the_way_of_others(
    site: Any, submit: Any, make_job: Any
) -> None:
    async def scenario() -> None:
        one = await site.start("one")
        for number in range(150):
            await one.store.insert(make_job("unknown", created=site.place.clock.now - 1000 + number))
        job = await submit(one.jobs, "long")
        await one.jobs.close(1)
        store = site.place.store("one again", fleet="site", lapse=LAPSE)
        await store.leave([left.job.id for left in await store.left(now=site.place.clock.now)])
        two = await site.start("two", type(one.machine)(models={"long"}))
        two.machine.go.set()
        assert (await seen(two.jobs, job)).status is JobStatus.SUCCEEDED
        assert two.machine.done == [job.tasks[0].id]
        await two.jobs.close(1)

    asyncio.run(scenario())


def test_a_replica_that_was_held_up_beyond_its_claim_neither_counts_nor_overwrites(
    site: Any, submit: Any
) -> None:
    """As by `docker pause`: no sign of life, and then it goes on where it was."""

    async def scenario() -> None:
        one = await site.start("one")
        job = await submit(one.jobs, "long")
        one.jobs._holding.cancel()
        two = await site.start("two")
        two.machine.go.set()
        done = await seen(two.jobs, job)
        assert done.status is JobStatus.SUCCEEDED
        one.machine.go.set()
        await until(lambda: one.jobs.running == 0)
        assert one.machine.counted == []
        assert two.machine.counted == [job.tasks[0].id]
        found = await one.jobs.get(job.id)
        assert found is not None
        assert found.tasks == done.tasks
        await asyncio.gather(one.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())


@pytest.mark.parametrize("moment", ["dies before counting", "slow disk"])
def test_a_task_whose_recorder_died_waits_for_it_and_is_counted_once(
    site: Any, submit: Any, moment: str
) -> None:
    """`slow disk`: it is in the ledger and not in the database. The other is not."""

    async def scenario() -> None:
        one, two = await site.start("one"), await site.start("two")
        job = await submit(one.jobs, moment)
        await until(lambda: job.tasks[0].recorder == "one")
        one.die()
        await asyncio.sleep(1.0)
        assert two.machine.done == []
        assert two.jobs.running == 0
        again = type(one.machine)(ledger=list(one.machine.ledger))
        again.counting.set()
        back = await site.start("one", again)
        if moment == "dies before counting":
            await until(lambda: back.jobs.running == 1)
            assert again.counted == []
        else:
            assert (await seen(two.jobs, job)).status is JobStatus.SUCCEEDED
            assert len(one.machine.counted) == 1
            assert again.counted == []
        await asyncio.gather(back.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())


def test_a_task_whose_recorder_never_comes_back_fails_and_nobody_counts_it(site: Any, submit: Any) -> None:
    async def scenario() -> None:
        one = await site.start("one")
        two = await site.start("two", undecided=0.8)
        job = await submit(one.jobs, "slow disk", "quick")
        one.die()
        done = await seen(two.jobs, job)
        assert [task.status for task in done.tasks] == ["failed", "succeeded"]
        assert done.tasks[0].failure is not None
        assert done.tasks[0].failure.code == "UsageUndecided"
        assert two.machine.counted == [job.tasks[1].id]
        again = type(one.machine)(ledger=list(one.machine.ledger))
        back = await site.start("one", again)
        await asyncio.sleep(0.2)
        assert again.done == [], "what has failed is not done again"
        await asyncio.gather(back.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())


def test_jobs_of_an_installation_go_with_it_into_a_fleet(site: Any, machine: Any, submit: Any) -> None:
    async def scenario() -> None:
        alone = machine()
        jobs = site.place.jobs(alone, store=site.place.store("one"))
        done, waiting = await submit(jobs), await submit(jobs, "slow disk")
        site.place.stores[-1].close()
        again = machine()
        again.ledger = list(alone.ledger)
        one, two = await site.start("one", again), await site.start("two")
        assert (await seen(two.jobs, done)).status is JobStatus.SUCCEEDED
        assert (await seen(one.jobs, waiting)).status is JobStatus.SUCCEEDED
        assert [*again.counted, *two.machine.counted] == []
        await asyncio.gather(one.jobs.close(1), two.jobs.close(1))

    asyncio.run(scenario())
