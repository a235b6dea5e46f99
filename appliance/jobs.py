"""Jobs: several tasks over one batch of documents, run in the background and kept for 24 hours.

A task's documents go to the engine piece by piece, so that a long job does not hold the queue, and a cancel
takes effect between pieces. Its usage is committed once, when all of its documents are done; only then is
its result shown. Texts are dropped as soon as a task has its result. Jobs live in this process: a restart
forgets them, and what was not answered was not recorded either.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, TypeVar

from appliance.errors import ApplianceError, Busy

_log = logging.getLogger(__name__)

LIFETIME_SECONDS: Final = 24 * 3600

_Result = TypeVar("_Result")


class JobStatus(StrEnum):
    """States of jobs and tasks, by their names in the API."""

    NOT_STARTED = "notStarted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partiallyCompleted"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True once nothing can change any more."""
        return self in _FINAL


_FINAL: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(slots=True, kw_only=True)
class TaskState(Generic[_Result]):
    """One task: what it is, how far it is, and what came of it.

    Attributes:
        kind: Task kind of the API.
        name: `taskName` as the caller gave it.
        project: Project the task named, or None for a prebuilt task.
        deployment: Deployment the task named, or None for a prebuilt task.
        work: Produces the result; dropped, with the texts it holds, when the task has ended.
    """

    kind: str
    name: str | None
    project: str | None
    deployment: str | None
    work: Callable[[], Awaitable[_Result]] | None
    status: JobStatus = JobStatus.NOT_STARTED
    updated: float = 0.0
    result: _Result | None = None
    error: ApplianceError | None = None


@dataclass(slots=True, kw_only=True)
class Job(Generic[_Result]):
    """A submitted job; times are Unix seconds."""

    id: str
    display_name: str | None
    created: float
    updated: float
    tasks: list[TaskState[_Result]]
    cancelled: bool = False
    runner: "asyncio.Task[None] | None" = field(default=None, repr=False)

    @property
    def expires(self) -> float:
        """When the job and its results are forgotten."""
        return self.created + LIFETIME_SECONDS

    @property
    def status(self) -> JobStatus:
        """The job's state, derived from its tasks."""
        states = [task.status for task in self.tasks]
        if not all(state.final for state in states):
            if self.cancelled:
                return JobStatus.CANCELLING
            return (
                JobStatus.NOT_STARTED
                if all(s is JobStatus.NOT_STARTED for s in states)
                else JobStatus.RUNNING
            )
        if JobStatus.CANCELLED in states:
            return JobStatus.CANCELLED
        if JobStatus.FAILED not in states:
            return JobStatus.SUCCEEDED
        return JobStatus.PARTIAL if JobStatus.SUCCEEDED in states else JobStatus.FAILED


class JobStore(Generic[_Result]):
    """Keeps jobs by id and runs them; used from one event loop only.

    Args:
        clock: Wall clock, Unix seconds.
        capacity: Jobs kept at most; beyond it the oldest finished one is forgotten.
    """

    def __init__(self, *, clock: Callable[[], float], capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._jobs: dict[str, Job[_Result]] = {}

    def submit(self, *, display_name: str | None, tasks: Sequence[TaskState[_Result]]) -> Job[_Result]:
        """Start a job.

        Raises:
            Busy: As many jobs as fit are still running.
        """
        self._make_room()
        now = self._clock()
        job = Job(
            id=str(uuid.uuid4()), display_name=display_name, created=now, updated=now, tasks=list(tasks)
        )
        for task in job.tasks:
            task.updated = now
        self._jobs[job.id] = job
        job.runner = asyncio.create_task(self._run(job), name=f"job {job.id}")
        return job

    def get(self, job_id: str) -> Job[_Result] | None:
        """The job of that id, unless it is unknown or expired."""
        self._forget_expired()
        return self._jobs.get(job_id)

    async def cancel(self, job: Job[_Result]) -> bool:
        """Stop a job between documents; False if it had already ended."""
        if job.status.final:
            return False
        job.cancelled = True
        job.updated = self._clock()
        if job.runner is not None:
            job.runner.cancel()
            await asyncio.wait({job.runner}, timeout=0.05)
        return True

    async def close(self, drain_seconds: float) -> None:
        """Wait for running jobs, then cancel what is left."""
        runners = {job.runner for job in self._jobs.values() if job.runner and not job.runner.done()}
        if runners:
            _, late = await asyncio.wait(runners, timeout=drain_seconds)
            for runner in late:
                runner.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)

    async def _run(self, job: Job[_Result]) -> None:
        try:
            for task in job.tasks:
                await self._run_task(job, task)
        except asyncio.CancelledError:
            for task in job.tasks:
                if not task.status.final:
                    task.status, task.work, task.updated = JobStatus.CANCELLED, None, self._clock()
            job.updated = self._clock()

    async def _run_task(self, job: Job[_Result], task: TaskState[_Result]) -> None:
        if task.work is None:
            return
        task.status = JobStatus.RUNNING
        try:
            task.result = await task.work()
            task.status = JobStatus.SUCCEEDED
        except ApplianceError as error:
            task.error, task.status = error, JobStatus.FAILED
        except Exception as error:  # one broken task must not leave its caller waiting for ever
            _log.exception("task %s of job %s failed", job.tasks.index(task), job.id)
            task.error = ApplianceError("The service failed on this task.")
            task.error.__cause__ = error
            task.status = JobStatus.FAILED
        task.work = None
        task.updated = job.updated = self._clock()

    def _make_room(self) -> None:
        self._forget_expired()
        if len(self._jobs) < self._capacity:
            return
        for job in self._jobs.values():
            if job.status.final:
                del self._jobs[job.id]
                return
        raise Busy("Too many jobs are running.")

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._jobs:
            oldest = next(iter(self._jobs.values()))
            if oldest.expires > now:
                return
            if oldest.runner is not None:
                oldest.runner.cancel()
            del self._jobs[oldest.id]
