"""The job store: tables in one database, behind one thread, so that the event loop never waits for a disk.

Whatever waits when the thread is free becomes one transaction. On SQLite a commit is durable when it returns
(`synchronous=FULL`), deleted texts are overwritten (`secure_delete`), and the write-ahead log, where they
would otherwise linger, is cut off as soon as nothing else waits.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from sqlalchemy import CursorResult, Engine, delete, func, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Session, col, select

from appliance.errors import JobStoreUnavailable, SettingsError
from appliance.jobs import claims
from appliance.jobs.claims import Held, Member
from appliance.jobs.database import first_line, open_file, open_url, refused
from appliance.jobs.job import Job, JobStatus
from appliance.jobs.tables import (
    DocumentRow,
    JobRow,
    TaskRow,
    document_rows,
    job_from_rows,
    job_row,
    task_rows,
)

_log = logging.getLogger("appliance.jobs.store")
_Result = TypeVar("_Result")

FILE: Final = "jobs.db"
LAPSE_SECONDS: Final = 30.0
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
_GROUP: Final = 256
_SHARED_BY: Final = ("sqlite", "postgresql")

_Work = Callable[[Session], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A job that nobody holds now.

    Attributes:
        job: Without its documents.
        own: Whether this installation held it last.
        undecided: Tasks whose usage another installation began to record, without an outcome yet: the
            seconds since then, by the tasks' ids.
    """

    job: Job
    own: bool
    undecided: dict[str, float]


class JobStore:
    """Jobs of one installation, or of a fleet, in a database. Made by `open`; close it exactly once.

    The coroutines are for one event loop. Each raises `JobStoreUnavailable` when the database does not do
    what it should; the next call tries again.

    Attributes:
        member: Who this is, and with whom it shares its jobs.
        healthy: Whether the database did what it should when it was asked last.
    """

    def __init__(self, engine: Engine, member: Member, *, capacity: int) -> None:
        self._engine = engine
        self.member = member
        self._capacity = capacity
        self._queue: queue.SimpleQueue[tuple[_Work, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._dirty = False
        self.healthy = True
        try:
            if not member.alone and engine.dialect.name not in _SHARED_BY:
                raise SettingsError(
                    f"Jobs:Fleet cannot share jobs in a database of the kind {engine.dialect.name}",
                    hint="use PostgreSQL, or SQLite for processes of one host",
                )
            with Session(engine) as session:
                claims.adopt(session, member)
                self._kept = self._count(session)
                session.commit()
        except BaseException:
            engine.dispose()
            raise
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
            SettingsError: The database cannot be used.
        """
        if fleet and not url:
            raise SettingsError(
                f"Jobs:Fleet={fleet} needs Jobs:Database: where the replicas share their jobs",
                hint="add Jobs:Database=postgresql+psycopg://… to each, or one sqlite:/// file on one host",
            )
        group = f"fleet/{fleet}" if fleet else instance
        member = Member(instance=instance, group=group, lapse=lapse)
        if url:
            try:
                return cls(open_url(url), member, capacity=capacity)
            except SQLAlchemyError as error:
                raise refused("of Jobs:Database", error) from error
        path = directory / FILE
        try:
            return cls(open_file(path), member, capacity=capacity)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            if isinstance(error, OperationalError | OSError):
                raise refused(str(path), error) from error
            # Jobs live for a day and were never promised beyond damage to the disk; their texts must go too.
            _log.error("the job store %s is damaged and begun anew; jobs in it are lost: %s", path, error)
            for suffix in _SUFFIXES:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return cls(open_file(path), member, capacity=capacity)

    async def insert(self, job: Job) -> None:
        """Keep a new job; documents only if it has not ended. It is held from here on."""
        rows = job_row(job, self.member.group), task_rows(job), document_rows(job)

        def work(session: Session) -> None:
            if self._kept >= self._capacity:
                self._forget_oldest(session)
            if rows[0].open:
                claims.hold_new(session, rows[0], rows[1], self.member)
            session.add(rows[0])
            session.add_all([*rows[1], *rows[2]])
            self._kept += 1

        await self._do(work)

    async def save(self, job: Job) -> None:
        """Keep what changed in a job's tasks; its texts are deleted once it has ended.

        In a fleet only what this installation may write is written: see `claims.may_save`.
        """
        row, tasks = job_row(job, self.member.group), task_rows(job)

        def work(session: Session) -> None:
            changed = {"updated": row.updated} | ({"cancelled": True} if row.cancelled else {})
            session.execute(update(JobRow).where(col(JobRow.id) == row.id).values(**changed))
            for task in tasks:
                may = claims.may_save(self.member, row.id, task.id)
                session.execute(
                    update(TaskRow)
                    .where(*may)
                    .values(
                        status=task.status, updated=task.updated, release=task.release, outcome=task.outcome
                    )
                )
            if not row.open:
                self._dirty |= claims.close_ended(session, row.id) > 0

        await self._do(work)

    async def get(self, job_id: str, *, now: float) -> Job | None:
        """Return a job without its documents, unless it is unknown or expired."""

        def work(session: Session) -> Job | None:
            row = session.get(JobRow, job_id)
            if row is None or row.instance != self.member.group or row.created <= claims.oldest(now):
                return None
            job = job_from_rows(row, self._tasks(session, job_id))
            if row.owner not in ("", self.member.instance):
                _show_running(job)
            return job

        return await self._do(work)

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
        after = max(claims.oldest(now), created_after)

        def work(session: Session) -> list[Left]:
            rows = claims.waiting(session, self.member, created_after=after, own=own, limit=limit)
            return [
                Left(
                    job=job_from_rows(row, self._tasks(session, row.id)),
                    own=row.owner == self.member.instance,
                    undecided=claims.undecided_seconds(session, self.member, row.id),
                )
                for row in rows
            ]

        return await self._do(work)

    async def take(self, ids: Sequence[str]) -> list[Job]:
        """Take jobs that nobody holds, and return those that could be taken, with their documents."""

        def work(session: Session) -> list[Job]:
            jobs = []
            for name in ids:
                if not claims.take(session, self.member, name):
                    continue
                row = session.get_one(JobRow, name, populate_existing=True)
                documents = session.exec(
                    select(DocumentRow)
                    .where(col(DocumentRow.job_id) == name)
                    .order_by(col(DocumentRow.position))
                ).all()
                jobs.append(job_from_rows(row, self._tasks(session, name), documents))
            return jobs

        return await self._do(work)

    async def keep(self, ids: Sequence[str], *, beat: bool) -> Held:
        """Learn what became of jobs that are believed to be held, with a sign of life if it is time."""

        def work(session: Session) -> Held:
            parts = [
                claims.keep(session, self.member, ids[start : start + _GROUP], beat=beat)
                for start in range(0, len(ids), _GROUP)
            ]
            return Held(
                ids=frozenset().union(*(part.ids for part in parts)),
                cancelled=frozenset().union(*(part.cancelled for part in parts)),
            )

        return await self._do(work)

    async def leave(self, ids: Collection[str]) -> None:
        """Leave jobs to others at once."""
        await self._do(lambda session: claims.leave(session, self.member, ids))

    async def cancel(self, job_id: str, *, now: float) -> bool:
        """End a job that nobody holds, or have its holder end it; False if it has ended already."""
        return await self._do(lambda session: claims.cancel(session, self.member, job_id, at=now))

    async def begin_recording(self, job_id: str, task_id: str) -> bool:
        """Become the one that records a task's usage; False if this installation must not record it."""
        return await self._do(lambda session: claims.begin_recording(session, self.member, job_id, task_id))

    async def expire(self, *, now: float) -> int:
        """Delete everything of the jobs whose time is over; return how many they were."""

        def work(session: Session) -> int:
            old = select(JobRow.id).where(
                col(JobRow.instance) == self.member.group, col(JobRow.created) <= claims.oldest(now)
            )
            gone = self._forget(session, session.exec(old).all())
            if not self.member.alone:
                self._kept = self._count(session)
            return gone

        return await self._do(work)

    def close(self) -> None:
        """Write what waits and close the database; blocks. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    async def _do(self, work: Callable[[Session], _Result]) -> _Result:
        if self._closed:
            raise JobStoreUnavailable("the job store is closed")
        done: Future[_Result] = Future()
        self._queue.put((work, done))
        return await asyncio.wrap_future(done)

    # What follows runs on the store's thread, inside a transaction that is not committed yet.

    def _count(self, session: Session) -> int:
        statement = select(func.count()).select_from(JobRow)
        return int(session.exec(statement.where(col(JobRow.instance) == self.member.group)).one())

    @staticmethod
    def _tasks(session: Session, job_id: str) -> Sequence[TaskRow]:
        return session.exec(
            select(TaskRow).where(col(TaskRow.job_id) == job_id).order_by(col(TaskRow.position))
        ).all()

    def _forget_oldest(self, session: Session) -> None:
        oldest = (
            select(JobRow.id)
            .where(col(JobRow.instance) == self.member.group, col(JobRow.open).is_(False))
            .order_by(col(JobRow.created))
            .limit(self._kept - self._capacity + 1)
        )
        self._forget(session, session.exec(oldest).all())

    def _forget(self, session: Session, ids: Sequence[str]) -> int:
        for start in range(0, len(ids), _GROUP):
            some = ids[start : start + _GROUP]
            self._delete(session, delete(DocumentRow).where(col(DocumentRow.job_id).in_(some)))
            self._delete(session, delete(TaskRow).where(col(TaskRow.job_id).in_(some)))
            self._delete(session, delete(JobRow).where(col(JobRow.id).in_(some)))
        self._kept -= len(ids)
        return len(ids)

    def _delete(self, session: Session, statement: Any) -> None:
        result = cast("CursorResult[Any]", session.execute(statement))
        self._dirty = self._dirty or result.rowcount > 0

    # What follows is the thread itself.

    def _run(self) -> None:
        while True:
            group, last = self._take()
            if group:
                self._commit(group)
            if self._dirty and (last or self._queue.empty()):
                self._overwrite()
            if last:
                self._engine.dispose()
                self._refuse_rest()
                return

    def _take(self) -> tuple[list[tuple[_Work, Future[Any]]], bool]:
        group: list[tuple[_Work, Future[Any]]] = []
        item = self._queue.get()
        with contextlib.suppress(queue.Empty):
            while item is not None:
                group.append(item)
                if len(group) == _GROUP:
                    return group, False
                item = self._queue.get_nowait()
            return group, True
        return group, False

    def _commit(self, group: Sequence[tuple[_Work, Future[Any]]]) -> None:
        kept = self._kept
        try:
            results = self._transaction([work for work, _ in group])
        except Exception as error:
            # Broad on purpose: the thread must outlive whatever a database driver may raise.
            self._kept = kept
            if len(group) > 1:  # one that cannot be done must not cost the others
                for item in group:
                    self._commit([item])
                return
            self._fail(group[0][1], error)
            return
        if not self.healthy:
            _log.warning("the job store works again")
        self.healthy = True
        for (_, done), result in zip(group, results, strict=True):
            _settle(done, result, None)

    def _transaction(self, works: Sequence[_Work]) -> list[Any]:
        with Session(self._engine, expire_on_commit=False) as session:
            results = [work(session) for work in works]
            session.commit()
        return results

    def _fail(self, done: "Future[Any]", error: Exception) -> None:
        if self.healthy:
            _log.error("the job store does not work: %s", first_line(error))
        self.healthy = False
        _settle(done, None, JobStoreUnavailable("jobs cannot be stored now"))

    def _overwrite(self) -> None:
        """Fold the write-ahead log into the file and empty it: no deleted text is left in either."""
        self._dirty = False
        if self._engine.dialect.name != "sqlite":
            return
        try:
            with self._engine.connect() as connection:
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
            self._dirty = bool(busy)
        except SQLAlchemyError as error:
            self._dirty = True
            _log.warning("deleted texts could not be overwritten yet: %s", first_line(error))

    def _refuse_rest(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    _settle(item[1], None, JobStoreUnavailable("the job store is closed"))


def _settle(done: "Future[Any]", result: Any, error: Exception | None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


def _show_running(job: Job) -> None:
    """A job that another installation holds runs there, although only outcomes are stored."""
    for task in job.tasks:
        if not task.status.final:
            task.status = JobStatus.RUNNING
            return
