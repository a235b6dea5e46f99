"""The job store: tables in one database, behind one thread, so that the event loop never waits for a disk.

Whatever waits when the thread is free becomes one transaction. On SQLite a commit is durable when it returns
(`synchronous=FULL`), deleted texts are overwritten (`secure_delete`), and the write-ahead log, where they
would otherwise linger, is cut off as soon as nothing else waits.
"""

import asyncio
import contextlib
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from sqlalchemy import CursorResult, Engine, create_engine, delete, event, func, make_url, update
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, col, select

from appliance.errors import JobStoreUnavailable, SettingsError
from appliance.jobs.job import LIFETIME_SECONDS, Job
from appliance.jobs.tables import (
    DocumentRow,
    JobRow,
    JobTable,
    TaskRow,
    document_rows,
    job_from_rows,
    job_row,
    task_rows,
)

_log = logging.getLogger("appliance.jobs.store")
_Result = TypeVar("_Result")

FILE: Final = "jobs.db"
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
_GROUP: Final = 256
_MAKING_TABLES: Final = 0x6A6F6273  # "jobs": key of the lock under which tables are made
_BUSY_SECONDS: Final = 5
_AGAIN_SECONDS: Final = 0.02
_EXAMPLE: Final = "write it as SQLAlchemy does, such as Jobs:Database=sqlite:////var/lib/appliance/jobs.db"

_Work = Callable[[Session], Any]


class JobStore:
    """Jobs of one installation in a database. Made by `open`; close it exactly once.

    The coroutines are for one event loop. Each raises `JobStoreUnavailable` when the database does not do
    what it should; the next call tries again.
    """

    def __init__(self, engine: Engine, *, instance: str, capacity: int) -> None:
        self._engine = engine
        self._instance = instance
        self._capacity = capacity
        self._queue: queue.SimpleQueue[tuple[_Work, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._dirty = False
        self.healthy = True
        try:
            with Session(engine) as session:
                statement = select(func.count()).select_from(JobRow).where(col(JobRow.instance) == instance)
                self._kept = int(session.exec(statement).one())
        except BaseException:
            engine.dispose()
            raise
        self._thread = threading.Thread(target=self._run, name="job-store", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, *, directory: Path, url: str, instance: str, capacity: int) -> "JobStore":
        """Open the store, making its tables the first time.

        Args:
            directory: The state directory; `jobs.db` in it is the database unless `url` names another.
            url: An SQLAlchemy URL, or the empty string.
            instance: This installation; jobs of others in the same database are not seen.
            capacity: Jobs kept at most; beyond it the oldest finished one is forgotten.

        Raises:
            SettingsError: The database cannot be used.
        """
        if url:
            return cls(_named(url), instance=instance, capacity=capacity)
        path = directory / FILE
        try:
            return cls(_sqlite(path), instance=instance, capacity=capacity)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            if isinstance(error, OperationalError | OSError):
                raise _refused(str(path), error) from error
            # Jobs live for a day and were never promised beyond damage to the disk; their texts must go too.
            _log.error("the job store %s is damaged and begun anew; jobs in it are lost: %s", path, error)
            for suffix in _SUFFIXES:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return cls(_sqlite(path), instance=instance, capacity=capacity)

    async def insert(self, job: Job) -> None:
        """Keep a new job; documents only if it has not ended."""
        rows = job_row(job, self._instance), task_rows(job), document_rows(job)

        def work(session: Session) -> None:
            if self._kept >= self._capacity:
                self._forget_oldest(session)
            session.add(rows[0])
            session.add_all([*rows[1], *rows[2]])
            self._kept += 1

        await self._do(work)

    async def save(self, job: Job) -> None:
        """Keep what changed in a job's tasks; its texts are deleted once it has ended."""
        row, tasks, ended = job_row(job, self._instance), task_rows(job), job.status.final

        def work(session: Session) -> None:
            session.execute(
                update(JobRow)
                .where(col(JobRow.id) == row.id)
                .values(updated=row.updated, open=row.open, cancelled=row.cancelled)
            )
            for task in tasks:
                session.execute(
                    update(TaskRow)
                    .where(col(TaskRow.id) == task.id)
                    .values(
                        status=task.status, updated=task.updated, release=task.release, outcome=task.outcome
                    )
                )
            if ended:
                self._delete(session, delete(DocumentRow).where(col(DocumentRow.job_id) == row.id))

        await self._do(work)

    async def get(self, job_id: str, *, now: float) -> Job | None:
        """Return a job without its documents, unless it is unknown or expired."""

        def work(session: Session) -> Job | None:
            row = session.get(JobRow, job_id)
            if row is None or row.instance != self._instance or row.created + LIFETIME_SECONDS <= now:
                return None
            return job_from_rows(row, self._tasks(session, job_id))

        return await self._do(work)

    async def unfinished(self, *, now: float) -> list[Job]:
        """Return the jobs that a stop or a crash left behind, oldest first, with their documents."""

        def work(session: Session) -> list[Job]:
            rows = session.exec(
                select(JobRow)
                .where(
                    col(JobRow.instance) == self._instance,
                    col(JobRow.open),
                    col(JobRow.created) > now - LIFETIME_SECONDS,
                )
                .order_by(col(JobRow.created), col(JobRow.id))
            ).all()
            jobs = []
            for row in rows:
                documents = session.exec(
                    select(DocumentRow)
                    .where(col(DocumentRow.job_id) == row.id)
                    .order_by(col(DocumentRow.position))
                ).all()
                jobs.append(job_from_rows(row, self._tasks(session, row.id), documents))
            return jobs

        return await self._do(work)

    async def expire(self, *, now: float) -> int:
        """Delete everything of the jobs whose time is over; return how many they were."""

        def work(session: Session) -> int:
            old = select(JobRow.id).where(
                col(JobRow.instance) == self._instance, col(JobRow.created) <= now - LIFETIME_SECONDS
            )
            return self._forget(session, session.exec(old).all())

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

    @staticmethod
    def _tasks(session: Session, job_id: str) -> Sequence[TaskRow]:
        return session.exec(
            select(TaskRow).where(col(TaskRow.job_id) == job_id).order_by(col(TaskRow.position))
        ).all()

    def _forget_oldest(self, session: Session) -> None:
        oldest = (
            select(JobRow.id)
            .where(col(JobRow.instance) == self._instance, col(JobRow.open).is_(False))
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
            _log.error("the job store does not work: %s", _first_line(error))
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
            _log.warning("deleted texts could not be overwritten yet: %s", _first_line(error))

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


def _sqlite(path: Path) -> Engine:
    """Open an SQLite file that only its owner can read, whatever the umask."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    return _prepared(
        create_engine(
            f"sqlite:///{path}",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS},
        )
    )


def _named(text: str) -> Engine:
    try:
        url = make_url(text)
        if url.get_backend_name() == "sqlite" and url.database:
            return _sqlite(Path(url.database))
        return _prepared(create_engine(url, pool_pre_ping=True, pool_size=1))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise SettingsError(f"Jobs:Database cannot be used: {_first_line(error)}", hint=_EXAMPLE) from error
    except (SQLAlchemyError, OSError) as error:
        raise _refused(make_url(text).render_as_string(hide_password=True), error) from error


def _prepared(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
    try:
        _make_tables(engine)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
                if verdict != "ok":
                    raise DatabaseError("PRAGMA quick_check", None, Exception(str(verdict)))
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_tables(engine: Engine) -> None:
    """Make the tables that are missing, one process after the other: several may begin with nothing."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))
        JobTable.metadata.create_all(connection)


def _on_connect(connection: Any, _record: object) -> None:
    _switch_to_wal(connection)
    for pragma in ("synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _switch_to_wal(connection: Any) -> None:
    """Where several switch a new file at once, SQLite refuses some without waiting."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _refused(where: str, error: Exception) -> SettingsError:
    return SettingsError(
        f"the job store {where} cannot be used: {_first_line(error)}",
        hint="check its owner, free space and Jobs:Database",
    )


def _first_line(error: Exception) -> str:
    """Say what failed without the statement and its parameters, which may hold a customer's text."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
