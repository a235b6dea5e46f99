"""What a job is. A value of the event loop: the store copies it into rows, the edge turns it into JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

LIFETIME_SECONDS: Final = 24 * 3600

Item = Mapping[str, Any]
"""What became of one document, in JSON values only; what is in it is the edge's business."""


class JobStatus(StrEnum):
    """States of jobs and tasks, by their names in the API."""

    NOT_STARTED = "notStarted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partiallyCompleted"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True once nothing can change any more."""
        return self in _FINAL


_FINAL: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document as it was sent; kept until the last task that needs it has ended."""

    id: str
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a task has no results."""

    code: str
    message: str


@dataclass(slots=True, kw_only=True)
class Task:
    """One task: what it asks for, how far it is, and what came of it.

    Attributes:
        id: UUID; its usage stands in the ledger under this identifier, which makes it count exactly once.
        kind: Task kind of the API.
        name: `taskName` as the caller gave it.
        project: Project the task names, or None for a prebuilt task.
        deployment: Deployment the task names, or None for a prebuilt task.
        version: Model version that a prebuilt task asks for.
        unit: Unit of offsets, by its name in the API.
        updated: Unix seconds of the last change.
        release: Model release that answered.
        items: What became of each document, in their order.
        failure: Why there are no items.
        recorder: The installation that alone may record its usage; empty as long as none began to.
    """

    id: str
    kind: str
    name: str | None
    project: str | None
    deployment: str | None
    version: str
    unit: str
    status: JobStatus = JobStatus.NOT_STARTED
    updated: float = 0.0
    release: str = ""
    items: Sequence[Item] | None = None
    failure: Failure | None = None
    recorder: str = ""


@dataclass(slots=True, kw_only=True)
class Job:
    """A submitted job.

    Attributes:
        id: UUID that the caller asks by.
        display_name: As the caller gave it.
        created: Unix seconds of effective time, like all times here.
        updated: When anything last changed.
        tasks: In the order of the request.
        documents: What the tasks read; empty once all of them have ended.
        cancelled: Whether the caller asked for its end.
        ledger: The usage log when the job was submitted: origin and number of entries.
    """

    id: str
    display_name: str | None
    created: float
    updated: float
    tasks: list[Task]
    documents: list[Source] = field(default_factory=list, repr=False)
    cancelled: bool = False
    ledger: tuple[str, int] = ("", 0)

    @property
    def expires(self) -> float:
        """When the job and its results are forgotten."""
        return self.created + LIFETIME_SECONDS

    @property
    def status(self) -> JobStatus:
        """The job's state, derived from its tasks."""
        states = {task.status for task in self.tasks}
        if not all(state.final for state in states):
            if self.cancelled:
                return JobStatus.CANCELLING
            return JobStatus.NOT_STARTED if states == {JobStatus.NOT_STARTED} else JobStatus.RUNNING
        if JobStatus.CANCELLED in states:
            return JobStatus.CANCELLED
        if JobStatus.FAILED not in states:
            return JobStatus.SUCCEEDED
        return JobStatus.PARTIAL if JobStatus.SUCCEEDED in states else JobStatus.FAILED

    @property
    def characters(self) -> int:
        """Code points of all documents."""
        return sum(len(document.text) for document in self.documents)
