import asyncio
from collections.abc import Awaitable, Callable

import pytest

from appliance.errors import ApplianceError, Busy
from appliance.jobs import LIFETIME_SECONDS, Job, JobStatus, JobStore, TaskState


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def task(work: Callable[[], Awaitable[str]]) -> TaskState[str]:
    return TaskState(kind="K", name="0", project="p", deployment="d", work=work)


async def answer() -> str:
    return "done"


async def refuse() -> str:
    raise ApplianceError("no")


async def break_down() -> str:
    raise RuntimeError("bug")


async def forever() -> str:
    await asyncio.Event().wait()
    return "never"


async def finished(store: JobStore[str], *works: Callable[[], Awaitable[str]]) -> Job[str]:
    job = store.submit(display_name=None, tasks=[task(work) for work in works])
    assert job.runner is not None
    await job.runner
    return job


def store(clock: Clock | None = None, capacity: int = 10) -> JobStore[str]:
    return JobStore(clock=clock or Clock(), capacity=capacity)


@pytest.mark.parametrize(
    ("works", "status"),
    [
        ([answer], JobStatus.SUCCEEDED),
        ([answer, refuse], JobStatus.PARTIAL),
        ([break_down, answer], JobStatus.PARTIAL),
        ([refuse], JobStatus.FAILED),
    ],
)
def test_a_jobs_status_follows_from_its_tasks(
    works: list[Callable[[], Awaitable[str]]], status: JobStatus
) -> None:
    assert asyncio.run(finished(store(), *works)).status is status


def test_a_task_that_breaks_leaves_the_next_one_to_run_and_shows_nothing_of_the_bug() -> None:
    job = asyncio.run(finished(store(), break_down, answer))
    assert job.tasks[0].error is not None
    assert "bug" not in job.tasks[0].error.message
    assert job.tasks[1].result == "done"


def test_the_work_of_a_finished_task_is_dropped_with_its_texts() -> None:
    job = asyncio.run(finished(store(), answer, refuse))
    assert [t.work for t in job.tasks] == [None, None]


def test_a_cancelled_job_keeps_finished_tasks_and_marks_the_others() -> None:
    async def scenario() -> Job[str]:
        jobs = store()
        job = jobs.submit(display_name=None, tasks=[task(answer), task(forever), task(answer)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await jobs.cancel(job)
        assert not await jobs.cancel(job), "a job that has ended cannot be cancelled"
        return job

    job = asyncio.run(scenario())
    assert [t.status for t in job.tasks] == ["succeeded", "cancelled", "cancelled"]
    assert job.status is JobStatus.CANCELLED


def test_a_job_is_forgotten_after_its_lifetime_and_not_before() -> None:
    async def scenario() -> None:
        clock = Clock()
        jobs = store(clock)
        job = await finished(jobs, answer)
        clock.now = job.expires - 1
        assert jobs.get(job.id) is job
        clock.now += 1
        assert jobs.get(job.id) is None
        assert job.expires == job.created + LIFETIME_SECONDS

    asyncio.run(scenario())


def test_a_full_store_forgets_the_oldest_finished_job_and_refuses_when_all_are_running() -> None:
    async def scenario() -> None:
        jobs = store(capacity=2)
        running = jobs.submit(display_name=None, tasks=[task(forever)])
        done = await finished(jobs, answer)
        another = jobs.submit(display_name=None, tasks=[task(forever)])
        assert jobs.get(done.id) is None
        assert jobs.get(running.id) is running
        with pytest.raises(Busy):
            jobs.submit(display_name=None, tasks=[task(answer)])
        await jobs.close(0)
        assert running.status is another.status is JobStatus.CANCELLED

    asyncio.run(scenario())


def test_closing_waits_for_running_jobs() -> None:
    async def scenario() -> Job[str]:
        async def soon() -> str:
            await asyncio.sleep(0.02)
            return "late"

        jobs = store()
        job = jobs.submit(display_name=None, tasks=[task(soon)])
        await jobs.close(5)
        return job

    assert asyncio.run(scenario()).tasks[0].result == "late"
