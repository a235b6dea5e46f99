"""The records of the job store: what is written and read, in transactions on one database.

Used by `appliance.jobs.store` only, which imports this module when the database is opened, and says when.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Engine, delete, func, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Session, col, select

from appliance.errors import SettingsError
from appliance.jobs import claims
from appliance.jobs.database import open_file, open_url
from appliance.jobs.job import Job, JobStatus
from appliance.jobs.member import Held, Left, Member
from appliance.jobs.refusals import first_line, refused
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

_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
_GROUP: Final = 256
_SHARED_BY: Final = ("sqlite", "postgresql")


class JobRecords:
    """The jobs of an installation, or of a fleet, in an open database; for one thread.

    Whatever reads or writes does so in the transaction of `transaction`.
    """

    def __init__(self, engine: Engine, member: Member, *, capacity: int) -> None:
        self._engine = engine
        self._member = member
        self._capacity = capacity
        self._session = Session(engine, expire_on_commit=False)
        self._dirty = False
        try:
            if not member.alone and engine.dialect.name not in _SHARED_BY:
                raise SettingsError(
                    f"Jobs:Fleet cannot share jobs in a database of the kind {engine.dialect.name}",
                    hint="use PostgreSQL, or SQLite for processes of one host",
                )
            with self._session as session:
                claims.adopt(session, member)
                self._kept = self._count()
                session.commit()
        except BaseException:
            engine.dispose()
            raise

    @classmethod
    def open(cls, path: Path, url: str, member: Member, *, capacity: int) -> "JobRecords":
        """Open the database, making its tables the first time; a damaged file is begun anew.

        Args:
            path: The file that is the database unless `url` names another.
            url: An SQLAlchemy URL, or the empty string.
            member: Whose jobs these are.
            capacity: Jobs kept at most.

        Raises:
            SettingsError: The database cannot be used.
        """
        if url:
            try:
                return cls(open_url(url), member, capacity=capacity)
            except SQLAlchemyError as error:
                raise refused("of Jobs:Database", error) from error
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

    def transaction(self, works: Sequence[Callable[["JobRecords"], Any]]) -> list[Any]:
        """Do what is to be done in one transaction, all or nothing; return what each came to."""
        kept = self._kept
        try:
            with self._session as session:
                results = [work(self) for work in works]
                session.commit()
        except BaseException:
            self._kept = kept
            raise
        return results

    def overwrite(self) -> None:
        """Fold the write-ahead log into the file and empty it: no deleted text is left in either."""
        if not self._dirty:
            return
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

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    # What follows is done inside a transaction; see the coroutines of `JobStore`.

    def insert(self, job: Job) -> None:
        """Keep a new job; documents only if it has not ended. It is held from here on."""
        row, tasks = job_row(job, self._member.group), task_rows(job)
        if self._kept >= self._capacity:
            self._forget_oldest()
        if row.open:
            claims.hold_new(self._session, row, tasks, self._member)
        self._session.add_all([row, *tasks, *document_rows(job)])
        self._kept += 1

    def save(self, job: Job) -> None:
        """Keep what changed in a job's tasks; its texts are deleted once it has ended."""
        session, row = self._session, job_row(job, self._member.group)
        changed = {"updated": row.updated} | ({"cancelled": True} if row.cancelled else {})
        session.execute(update(JobRow).where(col(JobRow.id) == row.id).values(**changed))
        for task in task_rows(job):
            session.execute(
                update(TaskRow)
                .where(*claims.may_save(self._member, row.id, task.id))
                .values(status=task.status, updated=task.updated, release=task.release, outcome=task.outcome)
            )
        if not row.open:
            self._dirty |= claims.close_ended(session, row.id) > 0

    def get(self, job_id: str, *, now: float) -> Job | None:
        """Return a job without its documents, unless it is unknown or expired."""
        row = self._session.get(JobRow, job_id)
        if row is None or row.instance != self._member.group or row.created <= claims.oldest(now):
            return None
        job = job_from_rows(row, self._tasks(job_id))
        if row.owner not in ("", self._member.instance):
            _show_running(job)
        return job

    def left(self, *, created_after: float, own: bool, limit: int) -> list[Left]:
        """Return the jobs that have not ended and that nobody holds, oldest first."""
        session, member = self._session, self._member
        rows = claims.waiting(session, member, created_after=created_after, own=own, limit=limit)
        return [
            Left(
                job=job_from_rows(row, self._tasks(row.id)),
                own=row.owner == member.instance,
                undecided=claims.undecided_seconds(session, member, row.id),
            )
            for row in rows
        ]

    def take(self, ids: Sequence[str]) -> list[Job]:
        """Take jobs that nobody holds, and return those that could be taken, with their documents."""
        jobs = []
        for name in ids:
            if not claims.take(self._session, self._member, name):
                continue
            row = self._session.get_one(JobRow, name, populate_existing=True)
            documents = self._session.exec(
                select(DocumentRow).where(col(DocumentRow.job_id) == name).order_by(col(DocumentRow.position))
            ).all()
            jobs.append(job_from_rows(row, self._tasks(name), documents))
        return jobs

    def keep(self, ids: Sequence[str], *, beat: bool) -> Held:
        """Learn what became of jobs that are believed to be held, with a sign of life if it is time."""
        parts = [
            claims.keep(self._session, self._member, ids[start : start + _GROUP], beat=beat)
            for start in range(0, len(ids), _GROUP)
        ]
        return Held(
            ids=frozenset().union(*(part.ids for part in parts)),
            cancelled=frozenset().union(*(part.cancelled for part in parts)),
        )

    def leave(self, ids: Collection[str]) -> None:
        """Leave jobs to others at once."""
        claims.leave(self._session, self._member, ids)

    def cancel(self, job_id: str, *, now: float) -> bool:
        """End a job that nobody holds, or have its holder end it; False if it has ended already."""
        return claims.cancel(self._session, self._member, job_id, at=now)

    def begin_recording(self, job_id: str, task_id: str) -> bool:
        """Become the one that records a task's usage; False if this installation must not record it."""
        return claims.begin_recording(self._session, self._member, job_id, task_id)

    def expire(self, *, now: float) -> int:
        """Delete everything of the jobs whose time is over; return how many they were."""
        old = select(JobRow.id).where(
            col(JobRow.instance) == self._member.group, col(JobRow.created) <= claims.oldest(now)
        )
        gone = self._forget(self._session.exec(old).all())
        if not self._member.alone:
            self._kept = self._count()
        return gone

    def _count(self) -> int:
        statement = select(func.count()).select_from(JobRow)
        return int(self._session.exec(statement.where(col(JobRow.instance) == self._member.group)).one())

    def _tasks(self, job_id: str) -> Sequence[TaskRow]:
        return self._session.exec(
            select(TaskRow).where(col(TaskRow.job_id) == job_id).order_by(col(TaskRow.position))
        ).all()

    def _forget_oldest(self) -> None:
        oldest = (
            select(JobRow.id)
            .where(col(JobRow.instance) == self._member.group, col(JobRow.open).is_(False))
            .order_by(col(JobRow.created))
            .limit(self._kept - self._capacity + 1)
        )
        self._forget(self._session.exec(oldest).all())

    def _forget(self, ids: Sequence[str]) -> int:
        for start in range(0, len(ids), _GROUP):
            some = ids[start : start + _GROUP]
            self._delete(delete(DocumentRow).where(col(DocumentRow.job_id).in_(some)))
            self._delete(delete(TaskRow).where(col(TaskRow.job_id).in_(some)))
            self._delete(delete(JobRow).where(col(JobRow.id).in_(some)))
        self._kept -= len(ids)
        return len(ids)

    def _delete(self, statement: Any) -> None:
        result = cast("CursorResult[Any]", self._session.execute(statement))
        self._dirty = self._dirty or result.rowcount > 0


def _show_running(job: Job) -> None:
    """A job that another installation holds runs there, although only outcomes are stored."""
    for task in job.tasks:
        if not task.status.final:
            task.status = JobStatus.RUNNING
            return
