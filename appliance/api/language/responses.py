"""The JSON that callers of the Language API get, as pydantic models; see `appliance.api.responses`.

The OpenAPI document shows them, and the tests hold replies to them.
"""

# ruff: noqa: N815 (names of the wire format)

from typing import Literal

from pydantic import ConfigDict, Field

from appliance.api.operations import responses as operations
from appliance.api.responses import Error, ErrorResponse, Reply


class Entity(Reply):
    """One entity; `text` is the exact slice of the document."""

    text: str
    category: str
    offset: int
    length: int = Field(ge=1)
    confidenceScore: float = Field(ge=0, le=1)


class DocumentStatistics(Reply):
    """Length of a document in text elements, and the text records it is metered as."""

    charactersCount: int
    transactionsCount: int


class DocumentWarning(Reply):
    """Something about a document that may make its result less reliable."""

    code: str
    message: str
    targetRef: str | None = None


class DocumentResult(Reply):
    """The entities of one document, sorted by offset."""

    id: str
    entities: list[Entity]
    warnings: list[DocumentWarning]
    statistics: DocumentStatistics | None = None


class DocumentError(Reply):
    """Why one document has no result."""

    id: str
    error: Error


class Statistics(Reply):
    """Counts over the documents of a reply."""

    documentsCount: int
    validDocumentsCount: int
    erroneousDocumentsCount: int
    transactionsCount: int


class PrebuiltResults(Reply):
    """Results of an `EntityRecognition` call or task."""

    documents: list[DocumentResult]
    errors: list[DocumentError]
    statistics: Statistics | None = None
    modelVersion: str


class CustomResults(Reply):
    """Results of a `CustomEntityRecognition` task."""

    documents: list[DocumentResult]
    errors: list[DocumentError]
    statistics: Statistics | None = None
    projectName: str
    deploymentName: str


class AnalyzeTextResult(Reply):
    """Body of a synchronous answer."""

    kind: Literal["EntityRecognitionResults"]
    results: PrebuiltResults


class TaskResult(Reply):
    """One finished task of a job; a failed task has no results."""

    kind: Literal["EntityRecognitionLROResults", "CustomEntityRecognitionLROResults"]
    taskName: str | None = None
    lastUpdateDateTime: str
    status: Literal["succeeded", "failed", "cancelled"]
    results: CustomResults | PrebuiltResults | None = None


class Tasks(Reply):
    """The tasks of a job; while it runs, `items` holds the finished ones."""

    completed: int
    failed: int
    inProgress: int
    total: int
    items: list[TaskResult]


class JobState(Reply):
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


class LegacyTaskResult(Reply):
    """One finished task of a legacy job; each fact under the names that one or another client reads."""

    lastUpdateDateTime: str
    status: Literal["succeeded", "failed", "cancelled"]
    state: Literal["succeeded", "failed", "cancelled"]
    taskName: str
    name: str
    results: CustomResults | PrebuiltResults | None = None


class LegacyLists(Reply):
    """The finished tasks of a legacy job by kind."""

    customEntityRecognitionTasks: list[LegacyTaskResult] | None = None
    entityRecognitionTasks: list[LegacyTaskResult] | None = None


class LegacyDetails(Reply):
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


class LegacyJobState(Reply):
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


MODELS = (
    ErrorResponse,
    AnalyzeTextResult,
    JobState,
    LegacyJobState,
    LegacyResults,
    *operations.MODELS,
)
"""The bodies that the operations of the text service answer with."""
