"""Jobs of the authoring API: kept in the store, run on the event loop, cancelled one by one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from appliance.authoring.store import AuthoringStore
from appliance.authoring.tables import JobRow
from appliance.errors import ApplianceError
from appliance.request_ids import uuid7

_log = logging.getLogger("appliance.authoring.jobs")

SOON_SECONDS: Final = 0.3
MAX_WAITING: Final = 100
ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})

Work = Callable[[JobRow], Awaitable[None]]


class JobFailed(ApplianceError):
    """The job's work is refused; carries what its `errors` say.

    Args:
        errors: `code` and `message` of each.
    """

    code = "InvalidRequest"

    def __init__(self, *errors: dict[str, str]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors


class AuthoringJobs:
    """Runs jobs and keeps what becomes of them.

    Args:
        store: Where they are kept.
        clock: Unix seconds.
    """

    def __init__(self, store: AuthoringStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._live: dict[str, JobRow] = {}

    @property
    def waiting(self) -> int:
        """Jobs that have not ended."""
        return len(self._tasks)

    async def submit(self, kind: str, project: str, work: Work, target: str = "", **outcome: Any) -> JobRow:
        """Keep a job and begin it; what is quick has ended when this returns."""
        now = self._clock()
        job = JobRow(
            id=uuid7(), project=project, kind=kind, target=target, created=now, updated=now, outcome=outcome
        )
        await self._store.put(job)
        task = asyncio.create_task(self._run(job, work))
        self._tasks[job.id] = task
        self._live[job.id] = job
        task.add_done_callback(lambda _: self._ended(job))
        await asyncio.wait([task], timeout=SOON_SECONDS)
        return job

    def live(self, job: JobRow) -> JobRow:
        """Return the job as it is now, where it runs: its progress is not stored step by step."""
        return self._live.get(job.id, job)

    def _ended(self, job: JobRow) -> None:
        self._tasks.pop(job.id, None)
        self._live.pop(job.id, None)

    async def save(self, job: JobRow, **changes: Any) -> None:
        """Keep what changed."""
        for name, value in changes.items():
            setattr(job, name, value)
        job.updated = self._clock()
        await self._store.put(job)

    async def cancel(self, job: JobRow) -> bool:
        """Ask a job to end; false if it has ended."""
        task = self._tasks.get(job.id)
        if task is None or self.live(job).status in ENDED:
            return False
        task.cancel()
        return True

    async def close(self) -> None:
        """End every job; the next start says that they were interrupted."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel("closing")
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: JobRow, work: Work) -> None:
        try:
            await self.save(job, status="running")
            await work(job)
            await self.save(job, status="succeeded")
        except asyncio.CancelledError as reason:
            if reason.args != ("closing",):
                await asyncio.shield(self.save(job, status="cancelled"))
        except JobFailed as error:
            await self.save(job, status="failed", errors=list(error.errors))
        except ApplianceError as error:
            message = f"{error.message} ({error.hint})" if error.hint else error.message
            await self.save(job, status="failed", errors=[{"code": error.code, "message": message}])
        except Exception:
            _log.exception("an authoring job failed")
            failure = {"code": "InternalServerError", "message": "The service failed on this job."}
            await self.save(job, status="failed", errors=[failure])
