"""The tables of the job store, and jobs to rows and back. Used by `appliance.jobs.store` only.

Only what is needed to finish a job or to show its result is kept: texts until the job has ended, results
until it expires. Every row belongs to one installation or to one fleet of them, so that several may share a
database server. A job that has not ended is held by one installation of its fleet (`owner`) for as long as
that gives signs of life (`claimed_until`). A task names the installation that may record its usage
(`recorder`): the fence that keeps it from being counted twice.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, Text, text
from sqlmodel import Field, SQLModel

from appliance.jobs.job import Failure, Job, JobStatus, Source, Task


class JobTable(SQLModel):
    """Base of the tables; their own metadata keeps other databases of this software out."""

    metadata = MetaData()


class JobRow(JobTable, table=True):
    """One job; `open` while a task of it has not ended."""

    __tablename__ = "job"
    __table_args__ = (Index("job_by_age", "instance", "created"),)

    id: str = Field(primary_key=True, max_length=36)
    instance: str = Field(max_length=64)
    """The installation, or its fleet; see `store.JobStore`."""
    owner: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    claimed_until: float = Field(default=0.0, sa_type=Float, sa_column_kwargs={"server_default": text("0")})
    display_name: str | None = Field(default=None, sa_type=Text)
    created: float = Field(sa_type=Float)
    updated: float = Field(sa_type=Float)
    open: bool
    cancelled: bool = False
    ledger_origin: str = Field(max_length=200)
    ledger_size: int = Field(sa_type=BigInteger)


class TaskRow(JobTable, table=True):
    """One task; `outcome` is JSON: its items, or its failure."""

    __tablename__ = "task"

    id: str = Field(primary_key=True, max_length=36)
    job_id: str = Field(max_length=36, index=True)
    position: int
    kind: str = Field(max_length=64)
    name: str | None = Field(default=None, sa_type=Text)
    project: str | None = Field(default=None, sa_type=Text)
    deployment: str | None = Field(default=None, sa_type=Text)
    version: str = Field(sa_type=Text)
    unit: str = Field(max_length=32)
    status: str = Field(max_length=32)
    updated: float = Field(sa_type=Float)
    release: str = Field(sa_type=Text)
    outcome: str | None = Field(default=None, sa_type=Text)
    recorder: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    recording_since: float = Field(default=0.0, sa_type=Float, sa_column_kwargs={"server_default": text("0")})


class DocumentRow(JobTable, table=True):
    """One text of a job that has not ended; as JSON, since not every database keeps every character."""

    __tablename__ = "document"

    job_id: str = Field(primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    content: str = Field(sa_type=Text)


LATER_COLUMNS: Final[tuple[Column[Any], ...]] = tuple(
    JobTable.metadata.tables[table].columns[name]
    for table, name in (
        ("job", "owner"),
        ("job", "claimed_until"),
        ("task", "recorder"),
        ("task", "recording_since"),
    )
)
"""What tables of earlier versions lack; each has a default, so that those versions can go on beside this."""


def job_row(job: Job, instance: str) -> JobRow:
    """Copy a job, without its tasks and documents."""
    origin, size = job.ledger
    return JobRow(
        id=job.id,
        instance=instance,
        display_name=job.display_name,
        created=job.created,
        updated=job.updated,
        open=not job.status.final,
        cancelled=job.cancelled,
        ledger_origin=origin,
        ledger_size=size,
    )


def task_rows(job: Job) -> list[TaskRow]:
    """Copy a job's tasks. A running one is stored as not started: that is what a restart finds."""
    return [
        TaskRow(
            id=task.id,
            job_id=job.id,
            position=position,
            kind=task.kind,
            name=task.name,
            project=task.project,
            deployment=task.deployment,
            version=task.version,
            unit=task.unit,
            status=task.status if task.status.final else JobStatus.NOT_STARTED,
            updated=task.updated,
            release=task.release,
            outcome=_outcome(task),
            recorder=task.recorder,
        )
        for position, task in enumerate(job.tasks)
    ]


def document_rows(job: Job) -> list[DocumentRow]:
    """Copy a job's documents."""
    return [
        DocumentRow(
            job_id=job.id, position=position, content=_json([document.id, document.text, document.language])
        )
        for position, document in enumerate(job.documents)
    ]


def job_from_rows(job: JobRow, tasks: Sequence[TaskRow], documents: Sequence[DocumentRow] = ()) -> Job:
    """Make a job of its rows, given in order."""
    return Job(
        id=job.id,
        display_name=job.display_name,
        created=job.created,
        updated=job.updated,
        tasks=[_task(row) for row in tasks],
        documents=[_source(row) for row in documents],
        cancelled=job.cancelled,
        ledger=(job.ledger_origin, job.ledger_size),
    )


def _outcome(task: Task) -> str | None:
    if task.failure is not None:
        return _json({"failure": {"code": task.failure.code, "message": task.failure.message}})
    return None if task.items is None else _json({"items": list(task.items)})


def _task(row: TaskRow) -> Task:
    outcome: dict[str, Any] = json.loads(row.outcome) if row.outcome else {}
    failure = outcome.get("failure")
    return Task(
        id=row.id,
        kind=row.kind,
        name=row.name,
        project=row.project,
        deployment=row.deployment,
        version=row.version,
        unit=row.unit,
        status=JobStatus(row.status),
        updated=row.updated,
        release=row.release,
        items=outcome.get("items"),
        failure=Failure(**failure) if failure else None,
        recorder=row.recorder,
    )


def _source(row: DocumentRow) -> Source:
    identifier, text, *language = json.loads(row.content)  # earlier versions kept no language
    return Source(id=identifier, text=text, language=language[0] if language else "")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
