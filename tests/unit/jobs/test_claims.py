"""Who holds a job and who records a task: one of them, however many ask at once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from appliance.jobs import claims
from appliance.jobs.job import JobStatus
from appliance.jobs.member import Member
from appliance.jobs.store import JobStore


@pytest.fixture
def lapse() -> float:
    """Seconds of silence after which a job is left; long, so that no disk is slow enough to lose one."""
    return 60


@pytest.fixture
def members(any_place: Any, tmp_path: Path, lapse: float) -> list[JobStore]:
    """Four replicas of a fleet, each with a thread and connections of its own."""
    any_place.url = any_place.url or f"sqlite:///{tmp_path / 'site.db'}"
    return [any_place.store(str(number), fleet="site", lapse=lapse) for number in range(4)]


def at_once(stores: list[JobStore], call: Any) -> list[Any]:
    """What each store's call came to, all of them begun in the same instant."""
    ready = threading.Barrier(len(stores))

    def run(store: JobStore) -> Any:
        ready.wait()
        return asyncio.run(call(store))

    with ThreadPoolExecutor(len(stores)) as pool:
        return list(pool.map(run, stores))


def test_of_many_that_take_a_job_in_the_same_instant_one_has_it(members: Any, make_job: Any) -> None:
    for _ in range(10):
        job = make_job()

        async def left_by_its_holder(job: Any = job) -> None:
            await members[0].insert(job)
            await members[0].leave([job.id])

        asyncio.run(left_by_its_holder())
        taken = at_once(members, lambda store, job=job: store.take([job.id]))
        assert sorted(len(jobs) for jobs in taken) == [0, 0, 0, 1]


def test_of_many_that_would_record_a_task_one_may_and_it_for_good(members: Any, make_job: Any) -> None:
    for _ in range(10):
        job = make_job()
        asyncio.run(members[0].insert(job))
        task = job.tasks[0].id

        async def ask(store: JobStore, job: Any = job, task: str = task) -> bool:
            await store.take([job.id])
            return await store.begin_recording(job.id, task)

        first = at_once(members[:1] + members[2:], ask)
        assert first == [True, False, False], "only its holder"
        asyncio.run(members[0].leave([job.id]))
        assert not any(at_once(members, ask)[1:]), "and nobody else after it, whoever holds the job"


@pytest.mark.parametrize("lapse", [1.0])
def test_a_holder_that_is_silent_has_lost_its_job_to_whoever_took_it(members: Any, make_job: Any) -> None:
    async def scenario() -> None:
        one, two = members[:2]
        job = make_job("a", "b")
        await one.insert(job)
        assert await two.left(now=job.created) == []
        assert (await one.keep([job.id], beat=True)).ids == {job.id}
        await asyncio.sleep(1.1)
        (left,) = await two.left(now=job.created)
        assert left.undecided == {}
        (taken,) = await two.take([job.id])
        assert taken.documents == job.documents
        assert (await one.keep([job.id], beat=True)).ids == frozenset()
        assert not await one.begin_recording(job.id, job.tasks[0].id)
        job.tasks[0].status, job.tasks[0].items = JobStatus.SUCCEEDED, [{"from": "one"}]
        await one.save(job)
        assert (await two.get(job.id, now=job.created)).tasks[0].items is None, "what was lost is not written"

    asyncio.run(scenario())


@pytest.mark.parametrize("lapse", [1.0])
def test_an_outcome_whose_usage_is_recorded_is_kept_although_the_job_is_lost(
    members: Any, make_job: Any
) -> None:
    async def scenario() -> None:
        one, two = members[:2]
        job = make_job("a", "b")
        await one.insert(job)
        assert await one.begin_recording(job.id, job.tasks[0].id)
        await asyncio.sleep(1.1)
        (left,) = await two.left(now=job.created)
        assert list(left.undecided) == [job.tasks[0].id]
        assert 0 < left.undecided[job.tasks[0].id] < 60
        await two.take([job.id])
        job.tasks[0].status, job.tasks[0].items = JobStatus.SUCCEEDED, [{"from": "one"}]
        await one.save(job)
        found = await two.get(job.id, now=job.created)
        assert [task.items for task in found.tasks] == [[{"from": "one"}], None]
        assert not found.status.final

    asyncio.run(scenario())


def test_whoever_is_alone_asks_nobody() -> None:
    assert Member(instance="a", group="a", lapse=1).alone
    assert not Member(instance="a", group="fleet/a", lapse=1).alone


def test_time_is_the_databases_in_unix_seconds(members: Any) -> None:
    async def ask(store: JobStore) -> float:
        def at(records: Any) -> float:
            return float(records._session.scalar(select(claims.now(records._session))))

        return await store._do(at)

    first = asyncio.run(ask(members[0]))
    assert 1_600_000_000 < first < 10_000_000_000
    assert 0 <= asyncio.run(ask(members[1])) - first < 60
