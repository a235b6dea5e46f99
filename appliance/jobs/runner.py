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

In a fleet whoever takes a job holds it by signs of life, and others take over what lapses (`claims`). Usage
lies in the ledger of one installation, which the others cannot read. So before it is recorded the task is
marked as that installation's to record, for good:

    the holder died                          then
    before the mark                          another does the task and records it
    after the mark, before the result        only the holder can know whether it recorded: the task waits for
                                             it to be started again; after ten minutes it fails, and nobody
                                             does it any more
    after the result                         nothing is left to do
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from appliance.errors import ApplianceError, Busy, JobStoreUnavailable, Stopping
from appliance.jobs.job import Failure, Job, JobStatus, Source, Task
from appliance.jobs.member import Left
from appliance.jobs.store import JobStore
from appliance.jobs.take_up import Recorded, TakeUp
from appliance.jobs.work import Interrupt, Interrupted, Work

_log = logging.getLogger("appliance.jobs.runner")

QUICK_SECONDS: Final = 0.25
TEND_SECONDS: Final = 30.0
_TAKEN_AT_ONCE: Final = 8  # the rest of a fleet wants some too
_LOOKED_AT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of a fleet.

    Attributes:
        look: Between two looks at what others left or cancelled.
        beat: Between two signs of life.
        undecided: After which nobody waits any more for an installation that began to record usage.
    """

    look: float = 2.0
    beat: float = 10.0
    undecided: float = 600.0

    @classmethod
    def of(cls, lapse: float) -> "Pace":
        """The pace at which a replica that is silent for so many seconds is given up."""
        return cls(look=min(2.0, lapse / 10), beat=lapse / 3, undecided=20 * lapse)


@dataclass(slots=True, eq=False, kw_only=True)
class _Active:
    """A job in memory: from submission until its end is durable."""

    job: Job
    interrupt: Interrupt = field(default_factory=Interrupt)
    runner: "asyncio.Task[None] | None" = None
    stored: bool = False
    unsaved: bool = False
    lost: bool = False


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
        pace: Of a fleet.
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
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._alone = store.member.alone
        self._pace = pace or Pace()
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
        self._taking: TakeUp | None = None
        self._held_before = True
        self._read_on = 0.0
        self._tending: asyncio.Task[None] | None = None
        self._holding: asyncio.Task[None] | None = None
        self._stopping = False

    async def resume(self, recorded: Recorded) -> None:
        """Go on with what the last stop or crash left behind; once, when the models are loaded.

        Args:
            recorded: Looks up in the ledger what was already counted.
        """
        self._taking = TakeUp(
            store=self._store,
            work=self._work,
            recorded=recorded,
            undecided=self._pace.undecided,
            describe=self._describe,
            clock=self._clock,
        )
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="job expiry")
        self._begin_to_hold()

    async def _take(self, taking: TakeUp) -> None:
        left = await (self._store.left(now=self._clock()) if self._alone else self._left_by_others(taking))
        left = [one for one in left if one.job.id not in self._active.keys() | self._cancelled_early]
        for job, counted in await taking.take(left):
            self._recorded |= counted
            if job.id not in self._cancelled_early and job.id not in self._active:
                self._start(_Active(job=job, stored=True))
        if self._alone:
            self._taking = None

    async def _left_by_others(self, taking: TakeUp) -> list[Left]:
        """A few of the jobs that nobody holds and that can be done here; at first also those held before.

        One look reads a page of them. Where none of a page can be done here, the next look reads on.
        """
        looked = await self._store.left(
            now=self._clock(), created_after=self._read_on, own=self._held_before, limit=_LOOKED_AT
        )
        new = [one for one in looked if one.job.id not in self._active]
        self._held_before = any(one.own for one in new)
        wanted = [one for one in new if taking.wants(one)]
        self._read_on = looked[-1].job.created if len(looked) == _LOOKED_AT and not wanted else 0.0
        room = 0 if self._held >= self._characters else self._capacity - len(self._active)
        return wanted[: max(0, min(room, _TAKEN_AT_ONCE))]

    async def submit(
        self, *, display_name: str | None, documents: Sequence[Source], tasks: list[Task]
    ) -> Job:
        """Take a job: it has ended, or is stored, when this returns.

        Raises:
            Busy: More is waiting than fits.
            Stopping: The service drains.
            JobStoreUnavailable: The job could not be stored, and will not be run.
        """
        await self._store.opened()  # nothing may be counted that cannot be kept
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
            await self._insert(active)  # for the same reason
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
        if active is not None and not active.lost:
            return active.job if active.job.expires > self._clock() else None
        return await self._store.get(job_id, now=self._clock())

    async def cancel(self, job: Job) -> bool:
        """Stop a job between two pieces of work; False if it had already ended."""
        active = self._active.get(job.id)
        if job.status.final:
            return False
        if active is None or active.runner is None:
            return await self._cancel_stored(job)
        self._end(active)
        await asyncio.wait({active.runner}, timeout=QUICK_SECONDS)
        return True

    async def close(self, drain_seconds: float) -> None:
        """Interrupt what runs; what is just being counted is finished, for so many seconds at most."""
        self._stopping = True
        for task in (self._tending, self._holding):
            if task is not None:
                task.cancel()
        for active in self._active.values():
            active.interrupt.set()
        runners = {a.runner for a in self._active.values() if a.runner is not None and not a.runner.done()}
        if runners:
            await asyncio.wait(runners, timeout=max(1.0, drain_seconds))
        await self._save_rest()
        await self._leave_rest()
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
        self._begin_to_hold()

    def _end(self, active: _Active) -> None:
        """End a job that runs here, since its caller wants no more of it."""
        active.job.cancelled = True
        active.job.updated = self._clock()
        active.interrupt.set()

    async def _cancel_stored(self, job: Job) -> bool:
        """End a job that was left behind and has not been taken up yet, or have its holder end it."""
        if self._alone:
            self._cancelled_early.add(job.id)
        if not await self._store.cancel(job.id, now=self._clock()):
            return False
        job.cancelled = True
        return True

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
                if job.cancelled or active.lost:
                    raise Interrupted
                await self._run_task(active, task)
            except Interrupted:
                if active.lost:  # whoever has it now goes on
                    self._forget(active)
                    return
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
                claim=partial(self._claim, active, task),
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

    async def _claim(self, active: _Active, task: Task) -> None:
        """Become the one installation that records a task's usage, if there are others."""
        if self._alone:
            return
        task.recorder = self._store.member.instance  # a job that is stored from here on says so
        while active.stored:
            try:
                if not await self._store.begin_recording(active.job.id, task.id):
                    self._lose(active)
                    raise Interrupted
            except JobStoreUnavailable:
                await active.interrupt.run(asyncio.sleep(self._pace.look))
            else:
                return

    def _lose(self, active: _Active) -> None:
        """Let go of a job that another installation holds now."""
        _log.warning("job %s is held by another replica now", active.job.id)
        active.lost = True
        active.interrupt.set()

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
                if self._taking is not None and self._alone:
                    await self._take(self._taking)
                now = self._clock()
                for active in [a for a in self._active.values() if a.job.expires <= now]:
                    active.job.cancelled = True
                    active.interrupt.set()
                await self._save_rest()
                await self._store.expire(now=now)
            except JobStoreUnavailable:
                _log.debug("job maintenance failed; it will be retried")
            await asyncio.sleep(TEND_SECONDS)

    def _begin_to_hold(self) -> None:
        if not self._alone and self._holding is None and not self._stopping:
            self._holding = asyncio.create_task(self._hold(), name="job claims")

    async def _hold(self) -> None:
        """Hold what runs here, hear what was cancelled elsewhere, take what others left."""
        loop = asyncio.get_running_loop()
        beat_at = 0.0
        while True:
            beat = loop.time() >= beat_at
            try:
                await self._keep(beat=beat)
                beat_at = loop.time() + self._pace.beat if beat else beat_at
                if self._taking is not None and not self._stopping:
                    await self._take(self._taking)
            except JobStoreUnavailable:
                _log.debug("jobs could not be held; it will be retried")
            await asyncio.sleep(self._pace.look)

    async def _keep(self, *, beat: bool) -> None:
        ids = [key for key, active in self._active.items() if active.stored and not active.job.status.final]
        if not ids:
            return
        held = await self._store.keep(ids, beat=beat)
        for active in [self._active[key] for key in ids if key in self._active]:
            if active.job.status.final or active.lost:
                continue
            if active.job.id not in held.ids:
                self._lose(active)
            elif active.job.id in held.cancelled and not active.job.cancelled:
                self._end(active)

    async def _leave_rest(self) -> None:
        """Leave to the fleet what was interrupted; not what may still be recorded here."""
        ids = [key for key, active in self._active.items() if active.stored and _ended(active.runner)]
        if ids and not self._alone:
            with contextlib.suppress(JobStoreUnavailable):
                await self._store.leave(ids)

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
