"""What is taken up again: jobs that a stop, a crash or another replica left, and what of them is counted.

Usage that this installation began to record is looked for in its own ledger. Where another one began to, only
that one knows, or a `Witness` that may read its ledger; until then the job waits, but not for ever.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from appliance.errors import ApplianceError, UsageUndecided
from appliance.jobs.job import Failure, Job, JobStatus, Task
from appliance.jobs.store import JobStore, Left
from appliance.jobs.work import Witness, Work

_log = logging.getLogger("appliance.jobs.runner")

Recorded = Callable[[Collection[str], tuple[str, int]], set[str]]
"""`recorded(ids, since)`: which of these request ids the usage ledger holds; may block."""


class TakeUp:
    """Takes jobs that nobody holds, and decides what of them is counted.

    Args:
        store: Where jobs are kept.
        work: What a task does.
        recorded: Looks up in the ledger what was already counted.
        witness: Looks into the ledgers of others of a fleet; None where none can be read.
        undecided: Seconds after which nobody waits any more for another installation's ledger.
        describe: Turns the error of a task into what its caller is told.
        clock: Effective time, Unix seconds.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        work: Work,
        recorded: Recorded,
        witness: Witness | None,
        undecided: float,
        describe: Callable[[ApplianceError], Failure],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._work = work
        self._recorded = recorded
        self._witness = witness
        self._undecided = undecided
        self._describe = describe
        self._clock = clock

    def wants(self, left: Left) -> bool:
        """Whether this installation of a fleet can go on with a job: its models are here, its usage clear."""
        unfinished = [task for task in left.job.tasks if not task.status.final]
        clear = all(
            left.undecided.get(task.id, self._undecided + 1) > self._undecided or self._knows(task)
            for task in unfinished
        )
        return clear and (left.job.cancelled or all(self._work.serves(task) for task in unfinished))

    async def take(self, left: Sequence[Left]) -> list[tuple[Job, set[str]]]:
        """Take jobs; return those that are to be run, each with the ids of its tasks that are counted.

        Raises:
            JobStoreUnavailable: They cannot be taken now.
        """
        undecided = {one.job.id: one.undecided for one in left}
        jobs = await self._store.take(list(undecided))
        if not jobs:
            return []
        counted = await asyncio.to_thread(self._counted_here, jobs)
        _log.info("jobs resumed: %d; tasks already counted: %d", len(jobs), len(counted))
        taken = []
        for job in jobs:
            found = {task.id for task in job.tasks} & counted
            waits = False
            for task in job.tasks:
                if task.id in undecided[job.id] and not task.status.final:
                    verdict = await self._decide(job, task, undecided[job.id][task.id])
                    waits |= verdict is None
                    found |= {task.id} if verdict else set()
            if waits:
                await self._store.leave([job.id])
            else:
                taken.append((job, found))
        return taken

    async def _decide(self, job: Job, task: Task, seconds: float) -> bool | None:
        """Whether another installation counted a task; None while that may still come out."""
        counted = None
        if self._witness is not None and self._knows(task):
            counted = await asyncio.to_thread(self._witness.counted, task.recorder, task, job.documents)
        if counted is False:
            await self._store.free_recorder(task.id, task.recorder)
            task.recorder = ""
        elif counted is None and seconds > self._undecided:
            error = UsageUndecided("The replica that was recording the usage of this task is gone.")
            task.failure, task.status = self._describe(error), JobStatus.FAILED
            task.updated = job.updated = self._clock()
            await self._store.save(job)
            return False
        return counted

    def _knows(self, task: Task) -> bool:
        return self._witness is not None and self._witness.knows(task.recorder)

    def _counted_here(self, jobs: Sequence[Job]) -> set[str]:
        """Ids of the tasks that this ledger proves were counted, exactly as they are stored."""
        member = self._store.member
        ids = {
            self._work.usage_id(task, job.documents): task.id
            for job in jobs
            for task in job.tasks
            if not task.status.final and (member.alone or task.recorder == member.instance)
        }
        if not ids:
            return set()
        # Where another installation's log stood at the submission says nothing of this one.
        own = member.alone or all(f"/{member.instance}/" in job.ledger[0] for job in jobs)
        since = min((job.created, job.ledger) for job in jobs)[1] if own else ("", 0)
        return {ids[found] for found in self._recorded(ids.keys(), since)}
