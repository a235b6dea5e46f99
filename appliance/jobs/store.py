"""The job store: its records behind one thread, so that the event loop never waits for a disk.

Whatever waits when the thread is free becomes one transaction. On SQLite a commit is durable when it returns
(`synchronous=FULL`), deleted texts are overwritten (`secure_delete`), and the write-ahead log, where they
would otherwise linger, is cut off as soon as nothing else waits.

The file in the state directory is opened by that thread: where it holds jobs, once the service is ready, and
otherwise for the first job, since SQLAlchemy takes a third of a start to import. A database that the settings
name is opened at the start, which fails where it cannot be used.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from appliance.errors import JobStoreUnavailable, SettingsError
from appliance.jobs.job import LIFETIME_SECONDS, Job
from appliance.jobs.member import Held, Left, Member
from appliance.jobs.refusals import first_line, make_private, refused

if TYPE_CHECKING:
    from appliance.jobs.records import JobRecords

_log = logging.getLogger("appliance.jobs.store")
_Result = TypeVar("_Result")

FILE: Final = "jobs.db"
LAPSE_SECONDS: Final = 30.0
_GROUP: Final = 256

_Work = Callable[["JobRecords"], Any]
_Item = tuple[_Work, Future[Any]]


class JobStore:
    """Jobs of one installation, or of a fleet, in a database. Made by `open`; close it exactly once.

    The coroutines are for one event loop. Each raises `JobStoreUnavailable` when the database does not do
    what it should; the next call tries again.

    Args:
        member: Who this is, and with whom it shares its jobs.
        open_records: Opens the database; may block.
        records: The database where it is open already.
        empty: Whether it is known to hold no job; then it is opened to keep one, and not to look for some.

    Attributes:
        member: As given.
        healthy: Whether the database did what it should when it was asked last.
    """

    def __init__(
        self,
        member: Member,
        open_records: "Callable[[], JobRecords]",
        records: "JobRecords | None" = None,
        *,
        empty: bool = False,
    ) -> None:
        self.member = member
        self.healthy = True
        self._open_records = open_records
        self._records = records
        self._empty = empty
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="job-store", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        *,
        directory: Path,
        url: str,
        instance: str,
        capacity: int,
        fleet: str = "",
        lapse: float = LAPSE_SECONDS,
    ) -> "JobStore":
        """Open the store, making its tables the first time.

        Args:
            directory: The state directory; `jobs.db` in it is the database unless `url` names another.
            url: An SQLAlchemy URL, or the empty string.
            instance: This installation.
            capacity: Jobs kept at most; beyond it the oldest finished one is forgotten.
            fleet: Installations that name the same one share their jobs; empty for none: then jobs of others
                in the same database are not seen.
            lapse: Seconds after the last sign of life of a fleet's installation until others take its jobs.

        Raises:
            SettingsError: The database that `url` names cannot be used, or the file cannot be written.
        """
        if fleet and not url:
            raise SettingsError(
                f"Jobs:Fleet={fleet} needs Jobs:Database: where the replicas share their jobs",
                hint="add Jobs:Database=postgresql+psycopg://… to each, or one sqlite:/// file on one host",
            )
        group = f"fleet/{fleet}" if fleet else instance
        member = Member(instance=instance, group=group, lapse=lapse)
        path = directory / FILE

        def open_records() -> "JobRecords":
            from appliance.jobs.records import JobRecords  # noqa: PLC0415  (loaded where it is wanted)

            return JobRecords.open(path, url, member, capacity=capacity)

        if url:
            return cls(member, open_records, open_records())
        try:
            make_private(path)
        except OSError as error:
            raise refused(str(path), error) from error
        return cls(member, open_records, empty=_holds_no_job(path))

    async def opened(self) -> None:
        """Wait until the database is open."""
        if self._records is None:
            await self._do(lambda _: None)

    async def insert(self, job: Job) -> None:
        """Keep a new job; documents only if it has not ended. It is held from here on."""
        kept = _as_it_is(job)
        await self._do(lambda records: records.insert(kept))

    async def save(self, job: Job) -> None:
        """Keep what changed in a job's tasks; its texts are deleted once it has ended.

        In a fleet only what this installation may write is written: see `claims.may_save`.
        """
        kept = _as_it_is(job)
        await self._do(lambda records: records.save(kept))

    async def get(self, job_id: str, *, now: float) -> Job | None:
        """Return a job without its documents, unless it is unknown or expired."""
        return None if self._idle else await self._do(lambda records: records.get(job_id, now=now))

    async def left(
        self, *, now: float, created_after: float = 0.0, own: bool = True, limit: int = 1 << 24
    ) -> list[Left]:
        """Return the jobs that have not ended and that nobody holds, oldest first.

        Args:
            now: Effective time, Unix seconds.
            created_after: Leave out what is as old as this.
            own: Whether those that this installation held in an earlier run, or holds now, are wanted too.
            limit: How many at most.
        """
        if self._idle:
            return []
        after = max(now - LIFETIME_SECONDS, created_after)
        return await self._do(lambda records: records.left(created_after=after, own=own, limit=limit))

    async def take(self, ids: Sequence[str]) -> list[Job]:
        """Take jobs that nobody holds, and return those that could be taken, with their documents."""
        return await self._do(lambda records: records.take(ids))

    async def keep(self, ids: Sequence[str], *, beat: bool) -> Held:
        """Learn what became of jobs that are believed to be held, with a sign of life if it is time."""
        return await self._do(lambda records: records.keep(ids, beat=beat))

    async def leave(self, ids: Collection[str]) -> None:
        """Leave jobs to others at once."""
        await self._do(lambda records: records.leave(ids))

    async def cancel(self, job_id: str, *, now: float) -> bool:
        """End a job that nobody holds, or have its holder end it; False if it has ended already."""
        return await self._do(lambda records: records.cancel(job_id, now=now))

    async def begin_recording(self, job_id: str, task_id: str) -> bool:
        """Become the one that records a task's usage; False if this installation must not record it."""
        return await self._do(lambda records: records.begin_recording(job_id, task_id))

    async def expire(self, *, now: float) -> int:
        """Delete everything of the jobs whose time is over; return how many they were."""
        return 0 if self._idle else await self._do(lambda records: records.expire(now=now))

    def close(self) -> None:
        """Write what waits and close the database; blocks. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    @property
    def _idle(self) -> bool:
        """Whether there is no job yet, and the database is not open."""
        return self._empty and self._records is None and not self._closed

    async def _do(self, work: "Callable[[JobRecords], _Result]") -> _Result:
        if self._closed:
            raise JobStoreUnavailable("the job store is closed")
        done: Future[_Result] = Future()
        self._queue.put((work, done))
        return await asyncio.wrap_future(done)

    # What follows is the thread itself.

    def _run(self) -> None:
        while True:
            group, last = self._take()
            if group:
                self._commit(group)
            if self._records is not None and (last or self._queue.empty()):
                self._records.overwrite()
            if last:
                self._end()
                return

    def _take(self) -> tuple[list[_Item], bool]:
        group: list[_Item] = []
        item = self._queue.get()
        with contextlib.suppress(queue.Empty):
            while item is not None:
                group.append(item)
                if len(group) == _GROUP:
                    return group, False
                item = self._queue.get_nowait()
            return group, True
        return group, False

    def _commit(self, group: Sequence[_Item]) -> None:
        try:
            if self._records is None:
                self._records = self._open_records()
            results = self._records.transaction([work for work, _ in group])
        except Exception as error:
            # Broad on purpose: the thread must outlive whatever a database driver may raise.
            if len(group) > 1 and self._records is not None:  # one that fails must not cost the others
                for item in group:
                    self._commit([item])
                return
            for _, done in group:
                self._fail(done, error)
            return
        if not self.healthy:
            _log.warning("the job store works again")
        self.healthy = True
        for (_, done), result in zip(group, results, strict=True):
            _settle(done, result, None)

    def _fail(self, done: "Future[Any]", error: Exception) -> None:
        if self.healthy:
            _log.error("the job store does not work: %s", first_line(error))
        self.healthy = False
        _settle(done, None, JobStoreUnavailable("jobs cannot be stored now"))

    def _end(self) -> None:
        """Close the database, and refuse what came after the end."""
        if self._records is not None:
            self._records.close()
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    _settle(item[1], None, JobStoreUnavailable("the job store is closed"))


def _holds_no_job(path: Path) -> bool:
    """Whether a file is that of a store without jobs; a damaged one, or one in use, is not known to be."""
    if not path.stat().st_size:
        return not path.with_name(f"{path.name}-wal").exists()
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT 1 FROM job LIMIT 1").fetchone() is None
    except sqlite3.Error:
        return False


def _as_it_is(job: Job) -> Job:
    """Copy a job as it is now: it goes on changing while the copy waits to be written."""
    return replace(job, tasks=[copy(task) for task in job.tasks], documents=[*job.documents])


def _settle(done: "Future[Any]", result: Any, error: Exception | None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
