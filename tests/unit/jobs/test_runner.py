"""Jobs run, end, survive and count once; the store is the real one on a real disk."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import Busy, JobStoreUnavailable, Stopping
from appliance.jobs.job import LIFETIME_SECONDS, Job, JobStatus
from appliance.jobs.runner import Jobs

SECRET = "Frau Mueller-Luedenscheidt"


async def ended(jobs: Jobs, job: Job) -> Job:
    for _ in range(60_000):
        found = await jobs.get(job.id)
        assert found is not None
        if found.status.final and not jobs.running:
            return found
        await asyncio.sleep(0.001)
    raise AssertionError("the job never ended")


@pytest.mark.parametrize(
    ("versions", "status"),
    [
        (["quick"], JobStatus.SUCCEEDED),
        (["quick", "refused"], JobStatus.PARTIAL),
        (["broken", "quick"], JobStatus.PARTIAL),
        (["refused"], JobStatus.FAILED),
    ],
)
def test_a_jobs_status_follows_from_its_tasks(
    place: Any, machine: Any, submit: Any, versions: list[str], status: JobStatus
) -> None:
    async def scenario() -> None:
        jobs = place.jobs(machine())
        job = await submit(jobs, *versions)
        stored = await jobs.get(job.id)
        assert stored is not None
        assert stored is not job, "a job that has ended is answered from the store"
        assert stored.status is job.status is status
        await jobs.close(1)

    asyncio.run(scenario())


def test_a_task_that_breaks_leaves_the_next_one_to_run_and_shows_nothing_of_the_bug(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        jobs = place.jobs(machine())
        job = await submit(jobs, "broken", "quick")
        assert job.tasks[0].failure is not None
        assert "bug" not in job.tasks[0].failure.message
        assert job.tasks[1].items == [{"document": {"id": "0"}}]
        await jobs.close(1)

    asyncio.run(scenario())


def test_the_texts_of_a_short_job_never_touch_the_disk(place: Any, machine: Any, submit: Any) -> None:
    async def scenario() -> None:
        jobs = place.jobs(machine())
        job = await submit(jobs, text=SECRET)
        assert job.documents == []
        assert jobs.running == 0
        assert b"denscheidt" not in place.bytes_on_disk()
        await jobs.close(1)

    asyncio.run(scenario())


def test_the_texts_of_a_long_job_are_gone_from_the_disk_when_it_has_ended(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = place.jobs(works)
        needle = b"denscheidt"
        job = await submit(jobs, "long", "quick", text=SECRET)
        assert needle in place.bytes_on_disk()
        works.go.set()
        await ended(jobs, job)
        for _ in range(6_000):
            if needle not in place.bytes_on_disk():
                break
            await asyncio.sleep(0.01)
        assert needle not in place.bytes_on_disk(), "neither in the database nor in its write-ahead log"
        await jobs.close(1)

    asyncio.run(scenario())


def test_a_cancelled_job_keeps_finished_tasks_and_marks_the_others(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = place.jobs(works)
        job = await submit(jobs, "quick", "long", "quick")
        assert job.status is JobStatus.RUNNING
        assert await jobs.cancel(job)
        assert not await jobs.cancel(job), "a job that has ended cannot be cancelled"
        stored = await ended(jobs, job)
        assert [t.status for t in stored.tasks] == ["succeeded", "cancelled", "cancelled"]
        assert stored.status is JobStatus.CANCELLED
        assert works.counted == [job.tasks[0].id], "what was cancelled is not counted"
        await jobs.close(1)

    asyncio.run(scenario())


def test_a_cancel_that_comes_while_usage_is_written_comes_too_late(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = place.jobs(works)
        job = await submit(jobs, "slow disk", "quick")
        cancelling = asyncio.create_task(jobs.cancel(job))
        await asyncio.sleep(0.01)
        assert job.status is JobStatus.CANCELLING
        works.counting.set()
        assert await cancelling
        assert [t.status for t in job.tasks] == ["succeeded", "cancelled"]
        assert works.counted == [job.tasks[0].id], "counted, so its result is shown"
        await jobs.close(1)

    asyncio.run(scenario())


def test_a_stop_interrupts_a_long_job_and_the_next_start_finishes_it(
    any_place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        first, second = machine(), machine()
        jobs = any_place.jobs(first)
        job = await submit(jobs, "quick", "long", "quick")
        await jobs.close(1)
        with pytest.raises(Stopping):
            await submit(jobs)
        second.counted, second.ledger = list(first.counted), list(first.ledger)
        again = any_place.jobs(second)
        waiting = await again.get(job.id)
        assert waiting is not None
        assert waiting.status is JobStatus.RUNNING
        await again.resume(second.recorded)
        second.go.set()
        found = await ended(again, job)
        assert found.status is JobStatus.SUCCEEDED
        assert first.counted == [job.tasks[0].id]
        assert sorted(second.counted) == sorted(t.id for t in job.tasks)
        assert job.tasks[0].id not in second.done, "what had ended is not done again"
        await again.close(1)

    asyncio.run(scenario())


def test_a_task_that_died_between_count_and_result_is_done_again_and_not_counted_again(
    any_place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        first, second = machine(), machine()
        jobs = any_place.jobs(first)
        job = await submit(jobs, "slow disk", text=SECRET)
        assert first.counted == [job.tasks[0].id]
        # The process dies here: nothing of what it would still do reaches the disk.
        store = any_place.stores[0]
        store.close()
        second.counted, second.ledger = list(first.counted), list(first.ledger)
        again = any_place.jobs(second)
        await again.resume(second.recorded)
        found = await ended(again, job)
        assert found.status is JobStatus.SUCCEEDED
        assert second.done == [job.tasks[0].id]
        assert second.counted == first.counted
        first.counting.set()
        await again.close(1)

    asyncio.run(scenario())


def test_a_job_cancelled_before_it_is_taken_up_again_is_not_run(
    any_place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        jobs = any_place.jobs(machine())
        job = await submit(jobs, "long")
        await jobs.close(1)
        works = machine()
        again = any_place.jobs(works)
        waiting = await again.get(job.id)
        assert waiting is not None
        assert await again.cancel(waiting)
        await again.resume(works.recorded)
        works.go.set()
        assert (await ended(again, job)).status is JobStatus.CANCELLED
        assert works.done == []
        await again.close(1)

    asyncio.run(scenario())


def test_a_job_is_forgotten_after_its_lifetime_and_not_before(
    any_place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = any_place.jobs(works)
        done, running = await submit(jobs), await submit(jobs, "long")
        any_place.clock.now += LIFETIME_SECONDS - 1
        assert await jobs.get(done.id)
        assert await jobs.get(running.id)
        any_place.clock.now += 1
        assert await jobs.get(done.id) is None
        assert await jobs.get(running.id) is None
        await jobs.resume(works.recorded)  # also begins to look after expired jobs
        for _ in range(6_000):
            if not jobs.running:
                break
            await asyncio.sleep(0.01)
        assert jobs.running == 0, "it does not go on computing for nobody"
        await jobs.close(1)

    asyncio.run(scenario())


def test_more_than_fits_is_refused_and_one_job_always_fits(place: Any, machine: Any, submit: Any) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = place.jobs(works, characters=10)
        job = await submit(jobs, "long", text="x" * 50)
        with pytest.raises(Busy):
            await submit(jobs, text="x")
        works.go.set()
        await ended(jobs, job)
        await submit(jobs, text="x")
        await jobs.close(1)

    asyncio.run(scenario())


def change(directory: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(directory / "jobs.db")) as connection:
        connection.execute(statement)


def test_while_its_file_cannot_be_opened_nothing_is_counted_and_later_jobs_are_taken(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = place.jobs(works)  # found writable, and not opened before the first job
        file = place.directory / "jobs.db"
        file.unlink()
        file.mkdir()
        await jobs.resume(works.recorded)
        for _ in range(2):
            with pytest.raises(JobStoreUnavailable):
                await submit(jobs)
        assert works.counted == []
        file.rmdir()
        job = await submit(jobs)
        assert job.status is JobStatus.SUCCEEDED
        assert works.counted == [job.tasks[0].id]
        await jobs.close(1)

    asyncio.run(scenario())


def test_without_its_database_no_job_is_accepted_and_none_that_ran_is_lost(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        works = machine()
        jobs = place.jobs(works)
        job = await submit(jobs, "long")
        change(place.directory, "ALTER TABLE task RENAME TO hidden")
        works.go.set()
        for _ in range(60_000):
            if job.status.final:
                break
            await asyncio.sleep(0.001)
        with pytest.raises(JobStoreUnavailable):
            await submit(jobs)
        counted = list(works.counted)
        with pytest.raises(JobStoreUnavailable):
            await submit(jobs)
        assert works.counted == counted, "nothing is counted that cannot be kept"
        kept = await jobs.get(job.id)
        assert kept is not None
        assert kept.status is JobStatus.SUCCEEDED, "its result is in memory"
        change(place.directory, "ALTER TABLE hidden RENAME TO task")
        assert (await submit(jobs)).status is JobStatus.SUCCEEDED
        await jobs.close(1)
        again = place.jobs(machine())
        stored = await again.get(job.id)
        assert stored is not None
        assert stored.status is JobStatus.SUCCEEDED
        await again.close(1)

    asyncio.run(scenario())
