"""Who holds a job: the statements by which installations of one fleet take, keep, leave and lose jobs.

Each is atomic by itself, on SQLite and on PostgreSQL: one UPDATE whose condition says when it may happen. All
times are those of the database's clock, so that the clocks of hosts need not agree.

    held      owner is set and `claimed_until` has not passed: nobody else touches the job
    left      no owner, or `claimed_until` has passed: whoever takes it first holds it
    recorder  of a task: who may record its usage. Set once, by whoever holds the job; from then on nobody
              else may, whoever holds the job. So usage is recorded by one installation, whatever happens.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, Float, delete, extract, func, literal, or_, update
from sqlmodel import Session, col, exists, select

from appliance.jobs.job import LIFETIME_SECONDS, JobStatus
from appliance.jobs.member import Held, Member
from appliance.jobs.tables import DocumentRow, JobRow, TaskRow

_JULIAN_DAY_OF_1970: Final = 2440587.5
_FINAL: Final = tuple(status.value for status in JobStatus if status.final)


def now(session: Session) -> ColumnElement[float]:
    """Unix seconds by the database's clock."""
    if session.get_bind().dialect.name == "postgresql":
        return cast("ColumnElement[float]", extract("epoch", func.clock_timestamp()).cast(Float))
    return (func.julianday("now") - literal(_JULIAN_DAY_OF_1970)) * literal(86400.0)


def hold_new(session: Session, row: JobRow, tasks: Sequence[TaskRow], member: Member) -> None:
    """Mark a new job that has not ended as held, before its rows are added."""
    row.owner = member.instance
    row.claimed_until = cast("float", now(session) + member.lapse)
    for task in tasks:
        if task.recorder:
            task.recording_since = cast("float", now(session))


def waiting(
    session: Session, member: Member, *, created_after: float, own: bool, limit: int
) -> Sequence[JobRow]:
    """Return jobs that have not ended and that nobody holds; with `own` also what this installation held."""
    query = select(JobRow).where(
        col(JobRow.instance) == member.group, col(JobRow.open), col(JobRow.created) > created_after
    )
    if not member.alone:
        query = query.where(_takeable(session, member, own=own))
    return session.exec(query.order_by(col(JobRow.created), col(JobRow.id)).limit(limit)).all()


def take(session: Session, member: Member, job_id: str) -> bool:
    """Take a job that nobody holds; False if somebody was faster, or it has ended."""
    statement = update(JobRow).where(col(JobRow.id) == job_id, col(JobRow.open))
    if not member.alone:
        statement = statement.where(_takeable(session, member))
    return _done(session, statement.values(owner=member.instance, claimed_until=now(session) + member.lapse))


def keep(session: Session, member: Member, ids: Sequence[str], *, beat: bool) -> Held:
    """Give a sign of life for jobs, and learn which are still held and which are to be ended."""
    own = (col(JobRow.id).in_(ids), col(JobRow.owner) == member.instance)
    if beat and ids:
        session.execute(update(JobRow).where(*own).values(claimed_until=now(session) + member.lapse))
    rows = session.exec(select(JobRow.id, JobRow.cancelled).where(*own)).all() if ids else []
    return Held(
        ids=frozenset(name for name, _ in rows),
        cancelled=frozenset(name for name, cancelled in rows if cancelled),
    )


def leave(session: Session, member: Member, ids: Collection[str]) -> None:
    """Leave jobs to others at once."""
    session.execute(
        update(JobRow)
        .where(col(JobRow.id).in_(ids), col(JobRow.owner) == member.instance)
        .values(owner="", claimed_until=0.0)
    )


def begin_recording(session: Session, member: Member, job_id: str, task_id: str) -> bool:
    """Make this installation the one that records the usage of a task; False if it must not."""
    held = exists().where(col(JobRow.id) == job_id, col(JobRow.owner) == member.instance)
    statement = update(TaskRow).where(
        col(TaskRow.id) == task_id,
        col(TaskRow.status).not_in(_FINAL),
        col(TaskRow.recorder).in_(("", member.instance)),
        held,
    )
    return _done(session, statement.values(recorder=member.instance, recording_since=now(session)))


def undecided_seconds(session: Session, member: Member, job_id: str) -> dict[str, float]:
    """Seconds since others began to record tasks of a job that have no outcome yet, by the tasks' ids."""
    rows = session.exec(
        select(TaskRow.id, now(session) - col(TaskRow.recording_since)).where(
            col(TaskRow.job_id) == job_id,
            col(TaskRow.status).not_in(_FINAL),
            col(TaskRow.recorder).not_in(("", member.instance)),
        )
    )
    return {name: float(seconds) for name, seconds in rows}


def cancel(session: Session, member: Member, job_id: str, *, at: float) -> bool:
    """End a job that nobody holds, or ask whoever holds it to; False if it has ended already."""
    if not _done(
        session,
        update(JobRow).where(col(JobRow.id) == job_id, col(JobRow.open)).values(cancelled=True, updated=at),
    ):
        return False
    if take(session, member, job_id):
        session.execute(
            update(TaskRow)
            .where(col(TaskRow.job_id) == job_id, col(TaskRow.status).not_in(_FINAL))
            .values(status=JobStatus.CANCELLED.value, updated=at)
        )
        close_ended(session, job_id)
    return True


def may_save(member: Member, job_id: str, task_id: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions to write a task's outcome: it has none, and this installation holds or recorded it."""
    if member.alone:
        return (col(TaskRow.id) == task_id,)
    held = exists().where(col(JobRow.id) == job_id, col(JobRow.owner) == member.instance)
    unfinished = col(TaskRow.status).not_in(_FINAL)
    return (col(TaskRow.id) == task_id, unfinished, or_(col(TaskRow.recorder) == member.instance, held))


def close_ended(session: Session, job_id: str) -> int:
    """Close a job all of whose tasks have ended and delete its texts; return how many there were."""
    unfinished = exists().where(col(TaskRow.job_id) == job_id, col(TaskRow.status).not_in(_FINAL))
    if not _done(
        session,
        update(JobRow)
        .where(col(JobRow.id) == job_id, ~unfinished)
        .values(open=False, owner="", claimed_until=0.0),
    ):
        return 0
    gone = session.execute(delete(DocumentRow).where(col(DocumentRow.job_id) == job_id))
    return cast("CursorResult[Any]", gone).rowcount


def adopt(session: Session, member: Member) -> None:
    """Give the jobs of an installation to the fleet that it has joined.

    What it may have recorded of those that have not ended, without saying so, remains its own to record.
    """
    if member.alone:
        return
    unfinished = select(JobRow.id).where(col(JobRow.instance) == member.instance, col(JobRow.open))
    session.execute(
        update(TaskRow)
        .where(col(TaskRow.job_id).in_(unfinished), col(TaskRow.status).not_in(_FINAL))
        .values(recorder=member.instance, recording_since=now(session))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(JobRow).where(col(JobRow.instance) == member.instance).values(instance=member.group)
    )


def oldest(at: float) -> float:
    """Jobs created at or before this are over, Unix seconds; `at` is effective time."""
    return at - LIFETIME_SECONDS


def _takeable(session: Session, member: Member, *, own: bool = True) -> ColumnElement[bool]:
    free = ("", member.instance) if own else ("",)
    return or_(col(JobRow.owner).in_(free), col(JobRow.claimed_until) < now(session))


def _done(session: Session, statement: Any) -> bool:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1
