"""The JSON that callers get, as pydantic models: the OpenAPI document shows them, tests hold replies to them.

Replies are built as plain dictionaries where they are made, because that is several times faster than
building models; `tests/appliance` parses every kind of reply with these models, strictly.
"""

# ruff: noqa: N815 (names of the wire format)

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class InnerError(_Reply):
    """The precise reason; official clients show this one."""

    code: str
    message: str


class Error(_Reply):
    """A refusal."""

    code: str
    message: str
    target: str | None = None
    innererror: InnerError | None = None


class ErrorResponse(_Reply):
    """Body of every 4xx and 5xx reply."""

    error: Error


class Entity(_Reply):
    """One entity; `text` is the exact slice of the document."""

    text: str
    category: str
    offset: int
    length: int = Field(ge=1)
    confidenceScore: float = Field(ge=0, le=1)


class DocumentStatistics(_Reply):
    """Length of a document in text elements, and the text records it is metered as."""

    charactersCount: int
    transactionsCount: int


class DocumentWarning(_Reply):
    """Something about a document that may make its result less reliable."""

    code: str
    message: str
    targetRef: str | None = None


class DocumentResult(_Reply):
    """The entities of one document, sorted by offset."""

    id: str
    entities: list[Entity]
    warnings: list[DocumentWarning]
    statistics: DocumentStatistics | None = None


class DocumentError(_Reply):
    """Why one document has no result."""

    id: str
    error: Error


class Statistics(_Reply):
    """Counts over the documents of a reply."""

    documentsCount: int
    validDocumentsCount: int
    erroneousDocumentsCount: int
    transactionsCount: int


class PrebuiltResults(_Reply):
    """Results of an `EntityRecognition` call or task."""

    documents: list[DocumentResult]
    errors: list[DocumentError]
    statistics: Statistics | None = None
    modelVersion: str


class CustomResults(_Reply):
    """Results of a `CustomEntityRecognition` task."""

    documents: list[DocumentResult]
    errors: list[DocumentError]
    statistics: Statistics | None = None
    projectName: str
    deploymentName: str


class AnalyzeTextResult(_Reply):
    """Body of a synchronous answer."""

    kind: Literal["EntityRecognitionResults"]
    results: PrebuiltResults


class TaskResult(_Reply):
    """One finished task of a job; a failed task has no results."""

    kind: Literal["EntityRecognitionLROResults", "CustomEntityRecognitionLROResults"]
    taskName: str | None = None
    lastUpdateDateTime: str
    status: Literal["succeeded", "failed", "cancelled"]
    results: CustomResults | PrebuiltResults | None = None


class Tasks(_Reply):
    """The tasks of a job; while it runs, `items` holds the finished ones."""

    completed: int
    failed: int
    inProgress: int
    total: int
    items: list[TaskResult]


class JobState(_Reply):
    """A job. Both names of its last change are sent, since published clients read one or the other."""

    jobId: str
    displayName: str | None = None
    createdDateTime: str
    lastUpdatedDateTime: str
    lastUpdateDateTime: str
    expirationDateTime: str
    status: Literal[
        "notStarted", "running", "succeeded", "partiallyCompleted", "failed", "cancelled", "cancelling"
    ]
    errors: list[Error]
    tasks: Tasks
    nextLink: str | None = None


class LegacyTaskResult(_Reply):
    """One finished task of a legacy job; each fact under the names that one or another client reads."""

    lastUpdateDateTime: str
    status: Literal["succeeded", "failed", "cancelled"]
    state: Literal["succeeded", "failed", "cancelled"]
    taskName: str
    name: str
    results: CustomResults | PrebuiltResults | None = None


class LegacyLists(_Reply):
    """The finished tasks of a legacy job by kind."""

    customEntityRecognitionTasks: list[LegacyTaskResult] | None = None
    entityRecognitionTasks: list[LegacyTaskResult] | None = None


class LegacyDetails(_Reply):
    """The job once more, as v3.1-preview.ct.1 has it."""

    name: str | None = None
    lastUpdateDateTime: str
    status: str


class LegacyTaskStates(LegacyLists):
    """The tasks of a legacy job; `details` and `tasks` only in v3.1-preview.ct.1."""

    completed: int
    failed: int
    inProgress: int
    total: int
    details: LegacyDetails | None = None
    tasks: LegacyLists | None = None


class LegacyJobState(_Reply):
    """A legacy job."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    jobId: str
    displayName: str | None = None
    createdDateTime: str
    lastUpdatedDateTime: str
    lastUpdateDateTime: str
    expirationDateTime: str
    status: Literal[
        "notStarted", "running", "succeeded", "partiallyCompleted", "failed", "cancelled", "cancelling"
    ]
    errors: list[Error]
    tasks: LegacyTaskStates
    nextLink: str | None = Field(default=None, alias="@nextLink")


class LegacyResults(PrebuiltResults):
    """Body of a legacy synchronous answer."""


class Ready(_Reply):
    """Whether a query would be answered now."""

    service: str
    ready: Literal["ready", "notReady"]
    message: str


class RefusedLicense(_Reply):
    """A licence file that was found and is not in force."""

    file: str
    code: str
    message: str
    hint: str


class NextLicense(_Reply):
    """A licence that waits for its first day."""

    id: str
    serial: int
    notBefore: str
    expires: str


class LicenseStatus(_Reply):
    """The licence in force."""

    id: str
    serial: int
    customer: str
    product: str
    state: str
    notBefore: str
    expires: str
    terminates: str
    reportBy: str
    daysLeft: int
    graceDaysLeft: int
    tier: str
    models: list[str]
    issuer: str
    root: str
    refused: list[RefusedLicense]
    next: NextLicense | None = None


class PlannedMeter(_Reply):
    """What the plan includes of one meter in the period in progress."""

    name: str
    included: int
    used: int
    percent: int
    from_: str = Field(alias="from")
    until: str


class PlanStatus(_Reply):
    """The plan."""

    tier: str
    overage: str
    meters: list[PlannedMeter]


class ClockStatus(_Reply):
    """The time that the licence is judged by, and the machine's own."""

    effective: str
    wall: str
    state: Literal["ok", "held", "behind"]


class Notice(_Reply):
    """Something an operator should know."""

    code: str
    message: str
    hint: str


class ModelStatus(_Reply):
    """A model being served."""

    projectName: str
    deploymentName: str
    name: str
    release: str


class Model(_Reply):
    """A model under the names callers use; one that could not be loaded says why."""

    projectName: str
    deploymentName: str
    status: Literal["ready", "failed"]
    default: bool
    name: str | None = None
    modelVersion: str | None = None
    language: str | None = None
    description: str | None = None
    categories: list[str] | None = None
    reason: str | None = None
    hint: str | None = None


class Models(_Reply):
    """Every model of this service."""

    models: list[Model]


class Mismatch(_Reply):
    """A place where the ledger is not what the licence says it was."""

    code: str
    origin: str
    size: int
    message: str


class LedgerStatus(_Reply):
    """The usage ledger."""

    origin: str
    size: int
    signed: int
    healthy: bool
    mismatches: list[Mismatch]


class Status(_Reply):
    """State of the service; asking costs nothing."""

    service: str
    apiStatus: str
    apiStatusMessage: str
    version: str
    license: LicenseStatus
    plan: PlanStatus
    clock: ClockStatus
    notices: list[Notice]
    models: list[ModelStatus]
    ledger: LedgerStatus


class Meter(_Reply):
    """What one meter counted: used, and counted against the plan."""

    name: str
    quantity: int
    billedUnit: int


class Usage(_Reply):
    """Usage report, in the shape the containers give it."""

    type: Literal["CommerceUsageResponse"]
    apiType: str
    serviceName: str
    meters: list[Meter]


class DayUsage(_Reply):
    """Text records of one UTC day."""

    date: str
    quantity: int


class DailyUsage(_Reply):
    """Text records of a month, for the days that had any."""

    days: list[DayUsage]


MODELS = (
    ErrorResponse,
    AnalyzeTextResult,
    JobState,
    LegacyJobState,
    LegacyResults,
    Models,
    Ready,
    Status,
    Usage,
    DailyUsage,
)
"""The bodies that operations answer with."""
