"""Runs jobs, ends them, and resumes after a restart what a stop or a crash interrupted.

A short job has ended before its submission is answered, and its texts never touch the disk. Any other job is
stored before it is answered. Its usage counts exactly once, whenever the process dies:

    died before                              then at the next start
    the job was stored                       nobody was told of it, and it is gone
    a task's usage was durable               the task is done again and counted
    the task's result was durable            its usage is found in the ledger under the task's own id
                                             and a digest of its texts, so it is done again and not counted
    anything later                           nothing is left to do

A stop does not wait for long jobs: it interrupts them between two pieces of work, and they go on at the next
start.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from appliance.errors import ApplianceError, Busy, JobStoreUnavailable, Stopping
from appliance.jobs.job import Failure, Item, Job, JobStatus, Source, Task
from appliance.jobs.store import JobStore

_log = logging.getLogger("appliance.jobs.runner")
_Result = TypeVar("_Result")

QUICK_SECONDS: Final = 0.25
TEND_SECONDS: Final = 30.0

Recorded = Callable[[Collection[str], tuple[str, int]], set[str]]
"""`recorded(ids, since)`: which of these request ids the usage ledger holds; may block."""


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

    async def __call__(
        self, task: Task, documents: Sequence[Source], *, interrupt: Interrupt, recorded: bool
    ) -> Outcome:
        """Return the outcome; raise an `ApplianceError` if there is none, or `Interrupted`."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class _Active:
    """A job in memory: from submission until its end is durable."""

    job: Job
    interrupt: Interrupt = field(default_factory=Interrupt)
    runner: "asyncio.Task[None] | None" = None
    stored: bool = False
    unsaved: bool = False


class Jobs:
    """The jobs of this service; used from one event loop only.

    Args:
        store: Where jobs are kept.
        work: What a task does.
        describe: Turns the error of a task into what its caller is told.
        clock: Effective time, Unix seconds.
        mark: Origin and size of the usage log now.
        capacity: Jobs that may wait or run at once.
        characters: Code points that all waiting and running jobs may hold.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        work: Work,
        describe: Callable[[ApplianceError], Failure],
        clock: Callable[[], float],
        mark: Callable[[], tuple[str, int]],
        capacity: int,
        characters: int,
    ) -> None:
        self._store = store
        self._work = work
        self._describe = describe
        self._clock = clock
        self._mark = mark
        self._capacity = capacity
        self._characters = characters
        self._held = 0
        self._active: dict[str, _Active] = {}
        self._recorded: set[str] = set()
        self._cancelled_early: set[str] = set()
        self._lookup: Recorded | None = None
        self._tending: asyncio.Task[None] | None = None
        self._stopping = False

    async def resume(self, recorded: Recorded) -> None:
        """Go on with what the last stop or crash left behind; once, when the models are loaded.

        Args:
            recorded: Looks up in the ledger what was already counted.
        """
        self._lookup = recorded
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="job expiry")

    async def _take_up(self, recorded: Recorded) -> None:
        jobs = [job for job in await self._store.unfinished(now=self._clock()) if job.id not in self._active]
        if jobs:
            self._recorded |= await asyncio.to_thread(self._counted_before, jobs, recorded)
            _log.info("jobs resumed: %d; tasks already counted: %d", len(jobs), len(self._recorded))
        for job in jobs:
            if job.id not in self._cancelled_early and job.id not in self._active:
                self._start(_Active(job=job, stored=True))
        self._lookup = None

    def _counted_before(self, jobs: Sequence[Job], recorded: Recorded) -> set[str]:
        """Ids of the tasks that the ledger proves were counted, exactly as they are stored."""
        ids = {
            self._work.usage_id(task, job.documents): task.id
            for job in jobs
            for task in job.tasks
            if not task.status.final
        }
        since = min((job.created, job.ledger) for job in jobs)[1]
        return {ids[found] for found in recorded(ids.keys(), since)}

    async def submit(
        self, *, display_name: str | None, documents: Sequence[Source], tasks: list[Task]
    ) -> Job:
        """Take a job: it has ended, or is stored, when this returns.

        Raises:
            Busy: More is waiting than fits.
            Stopping: The service drains.
            JobStoreUnavailable: The job could not be stored, and will not be run.
        """
        size = sum(len(document.text) for document in documents)
        if self._stopping:
            raise Stopping("The service is stopping.")
        if len(self._active) >= self._capacity or (self._active and self._held + size > self._characters):
            raise Busy("Too many jobs are waiting.")
        now = self._clock()
        job = Job(
            id=str(uuid.uuid4()),
            display_name=display_name,
            created=now,
            updated=now,
            tasks=tasks,
            documents=list(documents),
            ledger=self._mark(),
        )
        for task in tasks:
            task.updated = now
        active = _Active(job=job)
        if not self._store.healthy:
            await self._insert(active)  # nothing may be counted that cannot be kept
        self._start(active)
        if active.runner is not None:
            # The official client polls once at once and then after seconds: a short job is finished first.
            await asyncio.wait({active.runner}, timeout=QUICK_SECONDS)
        if not active.stored:
            await self._insert(active)
        self._leave(active)
        return job

    async def get(self, job_id: str) -> Job | None:
        """The job of that id, unless it is unknown or expired.

        Raises:
            JobStoreUnavailable: It cannot be looked up now.
        """
        active = self._active.get(job_id)
        if active is not None:
            return active.job if active.job.expires > self._clock() else None
        return await self._store.get(job_id, now=self._clock())

    async def cancel(self, job: Job) -> bool:
        """Stop a job between two pieces of work; False if it had already ended."""
        active = self._active.get(job.id)
        if job.status.final:
            return False
        if active is None or active.runner is None:
            await self._cancel_early(job)
            return True
        active.job.cancelled = True
        active.job.updated = self._clock()
        active.interrupt.set()
        await asyncio.wait({active.runner}, timeout=QUICK_SECONDS)
        return True

    async def close(self, drain_seconds: float) -> None:
        """Interrupt what runs; what is just being counted is finished, for so many seconds at most."""
        self._stopping = True
        if self._tending is not None:
            self._tending.cancel()
        for active in self._active.values():
            active.interrupt.set()
        runners = {a.runner for a in self._active.values() if a.runner is not None and not a.runner.done()}
        if runners:
            await asyncio.wait(runners, timeout=max(1.0, drain_seconds))
        await self._save_rest()
        await asyncio.to_thread(self._store.close)

    @property
    def running(self) -> int:
        """Jobs that have not ended, or whose end is not durable yet."""
        return len(self._active)

    def _start(self, active: _Active) -> None:
        job = active.job
        self._held += job.characters
        self._active[job.id] = active
        active.runner = asyncio.create_task(self._run(active), name=f"job {job.id}")

    async def _cancel_early(self, job: Job) -> None:
        """End a job that was left behind and has not been taken up yet."""
        self._cancelled_early.add(job.id)
        job.cancelled = True
        for task in job.tasks:
            if not task.status.final:
                task.status, task.updated = JobStatus.CANCELLED, self._clock()
        await self._store.save(job)

    async def _insert(self, active: _Active) -> None:
        active.stored = True  # from here on, what changes is saved; the store keeps the order of calls
        try:
            await self._store.insert(active.job)
        except JobStoreUnavailable:
            active.interrupt.set()
            self._forget(active)
            raise

    async def _run(self, active: _Active) -> None:
        job = active.job
        for task in job.tasks:
            if task.status.final:
                continue
            try:
                if job.cancelled:
                    raise Interrupted
                await self._run_task(active, task)
            except Interrupted:
                if not job.cancelled:
                    task.status = JobStatus.NOT_STARTED  # the next start goes on with it
                    return
                task.status = JobStatus.CANCELLED
            task.updated = job.updated = self._clock()
            if job.status.final:
                self._drop_texts(job)
            await self._save(active)
        self._leave(active)

    async def _run_task(self, active: _Active, task: Task) -> None:
        task.status = JobStatus.RUNNING
        try:
            outcome = await self._work(
                task,
                active.job.documents,
                interrupt=active.interrupt,
                recorded=task.id in self._recorded,
            )
            task.items, task.release = outcome.items, outcome.release
            task.status = JobStatus.SUCCEEDED
        except ApplianceError as error:
            if isinstance(error, Stopping):
                raise Interrupted from error
            task.failure, task.status = self._describe(error), JobStatus.FAILED
        except Interrupted:
            raise
        except Exception:  # one broken task must not leave its caller waiting for ever
            _log.exception("a task of job %s failed", active.job.id)
            task.failure = self._describe(ApplianceError("The service failed on this task."))
            task.status = JobStatus.FAILED

    async def _save(self, active: _Active) -> None:
        if not active.stored:
            return
        try:
            await self._store.save(active.job)
            active.unsaved = False
        except JobStoreUnavailable:
            active.unsaved = True  # kept in memory, and tried again

    def _leave(self, active: _Active) -> None:
        """Let go of a job whose end is durable: from here on the store answers for it."""
        if active.stored and not active.unsaved and active.job.status.final and _ended(active.runner):
            self._forget(active)

    def _forget(self, active: _Active) -> None:
        if self._active.pop(active.job.id, None) is not None:
            self._drop_texts(active.job)
            self._recorded.difference_update(task.id for task in active.job.tasks)

    def _drop_texts(self, job: Job) -> None:
        self._held -= job.characters
        job.documents = []

    async def _tend(self) -> None:
        while True:
            try:
                if self._lookup is not None:
                    await self._take_up(self._lookup)
                now = self._clock()
                for active in [a for a in self._active.values() if a.job.expires <= now]:
                    active.job.cancelled = True
                    active.interrupt.set()
                await self._save_rest()
                await self._store.expire(now=now)
            except JobStoreUnavailable:
                _log.debug("job maintenance failed; it will be retried")
            await asyncio.sleep(TEND_SECONDS)

    async def _save_rest(self) -> None:
        for active in [a for a in self._active.values() if a.unsaved]:
            await self._save(active)
            self._leave(active)


def _ended(runner: "asyncio.Task[None] | None") -> bool:
    """Whether a job's own coroutine is over, or is the one that asks."""
    if runner is None or runner.done():
        return True
    with contextlib.suppress(RuntimeError):
        return asyncio.current_task() is runner
    return False
