"""What is taken up again: jobs that a stop, a crash or another replica left, and what of them is counted.

Usage that this installation began to record is looked for in its own ledger. Where another one began to, only
that one can know: the job waits until it is back, but not for ever.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from appliance.errors import ApplianceError, UsageUndecided
from appliance.jobs.job import Failure, Job, JobStatus
from appliance.jobs.member import Left
from appliance.jobs.store import JobStore
from appliance.jobs.work import Work

_log = logging.getLogger("appliance.jobs.runner")

Recorded = Callable[[Collection[str], tuple[str, int]], set[str]]
"""`recorded(ids, since)`: which of these request ids the usage ledger holds; may block."""


class TakeUp:
    """Takes jobs that nobody holds, and decides what of them is counted.

    Args:
        store: Where jobs are kept.
        work: What a task does.
        recorded: Looks up in the ledger what was already counted.
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
        undecided: float,
        describe: Callable[[ApplianceError], Failure],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._work = work
        self._recorded = recorded
        self._undecided = undecided
        self._describe = describe
        self._clock = clock

    def wants(self, left: Left) -> bool:
        """Whether this installation of a fleet can go on with a job: its models are here, its usage clear."""
        unfinished = [task for task in left.job.tasks if not task.status.final]
        clear = all(seconds > self._undecided for seconds in left.undecided.values())
        return clear and (left.job.cancelled or all(self._work.serves(task) for task in unfinished))

    async def take(self, left: Sequence[Left]) -> list[tuple[Job, set[str]]]:
        """Take jobs; return those that are to be run, each with the ids of its tasks that are counted.

        Raises:
            JobStoreUnavailable: They cannot be taken now.
        """
        undecided = {one.job.id: one.undecided for one in left}
        jobs = await self._store.take(list(undecided)) if undecided else []
        if not jobs:
            return []
        counted = await asyncio.to_thread(self._counted_here, jobs)
        _log.info("jobs resumed: %d; tasks already counted: %d", len(jobs), len(counted))
        for job in jobs:
            await self._give_up(job, undecided[job.id])
        return [(job, {task.id for task in job.tasks} & counted) for job in jobs]

    async def _give_up(self, job: Job, undecided: Mapping[str, float]) -> None:
        """Fail the tasks of which nobody will say any more whether they are counted."""
        error = UsageUndecided("The replica that was recording the usage of this task is gone.")
        lost = [task for task in job.tasks if task.id in undecided and not task.status.final]
        for task in lost:
            task.failure, task.status = self._describe(error), JobStatus.FAILED
            task.updated = job.updated = self._clock()
        if lost:
            await self._store.save(job)

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
