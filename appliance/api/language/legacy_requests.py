"""The JSON that legacy clients send: Text Analytics v3.1, v3.2-preview.2 and v3.1-preview.ct.1.

Names follow `TextAnalytics.json` of the published descriptions; v3.1-preview.ct.1 has none, so what its
articles and clients are known to send is accepted beside it. Unknown fields are ignored, and null counts
as left out.
"""

# ruff: noqa: N815 (names of the wire format)

from typing import Annotated, Any, Final

from pydantic import AliasChoices, Field

from appliance.api.language.requests import AnalysisInput, Identifier, Input, InputDocument, Name, Unit


class LegacyDocuments(Input):
    """Body of `POST /text/analytics/{version}/entities/recognition/general`."""

    documents: tuple[InputDocument, ...]


class LegacyEntityParameters(Input):
    """Parameters of a prebuilt task."""

    modelVersion: Name = Field(
        default="latest", validation_alias=AliasChoices("model-version", "modelVersion")
    )
    stringIndexType: Unit = "TextElements_v8"
    loggingOptOut: bool = False


ModelId = Annotated[str, Field(max_length=201)]  # two names and what parts them


class LegacyCustomParameters(Input):
    """Parameters of a custom task: project and deployment, or the `modelId` of the oldest clients."""

    project: Name | None = Field(
        default=None, validation_alias=AliasChoices("project-name", "projectName", "project")
    )
    deployment: Name | None = Field(
        default=None, validation_alias=AliasChoices("deployment-name", "deploymentName", "deployment")
    )
    modelId: ModelId | None = Field(default=None, validation_alias=AliasChoices("modelId", "model-id"))
    stringIndexType: Unit = "TextElements_v8"
    loggingOptOut: bool = False


class LegacyEntityTask(Input):
    """One prebuilt task."""

    parameters: LegacyEntityParameters = LegacyEntityParameters()
    taskName: Identifier | None = Field(default=None, validation_alias=AliasChoices("taskName", "name"))


class LegacyCustomTask(Input):
    """One custom task."""

    parameters: LegacyCustomParameters
    taskName: Identifier | None = Field(default=None, validation_alias=AliasChoices("taskName", "name"))


OTHER_TASKS: Final = (
    "entityRecognitionPiiTasks",
    "keyPhraseExtractionTasks",
    "entityLinkingTasks",
    "sentimentAnalysisTasks",
    "extractiveSummarizationTasks",
    "customSingleClassificationTasks",
    "customMultiClassificationTasks",
)
"""Lists that official clients send empty; a task in one of them is not served here."""


Unserved = Annotated[
    tuple[Any, ...] | None, Field(description="Not served: must be empty.", json_schema_extra={"maxItems": 0})
]


class LegacyTasks(Input):
    """The tasks of a job, by kind; the lists of other kinds must be empty."""

    entityRecognitionTasks: tuple[LegacyEntityTask, ...] = Field(default=(), max_length=100)
    customEntityRecognitionTasks: tuple[LegacyCustomTask, ...] = Field(default=(), max_length=100)
    entityRecognitionPiiTasks: Unserved = None
    keyPhraseExtractionTasks: Unserved = None
    entityLinkingTasks: Unserved = None
    sentimentAnalysisTasks: Unserved = None
    extractiveSummarizationTasks: Unserved = None
    customSingleClassificationTasks: Unserved = None
    customMultiClassificationTasks: Unserved = None

    def unserved(self) -> list[str]:
        """Kinds that were asked for and are not served."""
        return [name for name in OTHER_TASKS if getattr(self, name)]


class LegacyAnalyzeInput(Input):
    """Body of `POST /text/analytics/{version}/analyze`."""

    displayName: Identifier | None = None
    analysisInput: AnalysisInput
    tasks: LegacyTasks
