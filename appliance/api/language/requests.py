"""The JSON that callers send, as pydantic models: they parse the requests and are the OpenAPI document.

Names and rules are those of the Language API description (`analyzetext.json`, 2022-05-01 and 2023-04-01).
Unknown fields are ignored, and an optional field that is null counts as left out, as in the service.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from starlette.requests import Request

from appliance.api.body import read_json_body
from appliance.api.errors import Problem, invalid_body, invalid_request
from appliance.api.off_loop import run_off_loop

UNITS = ("TextElements_v8", "TextElement_v8", "UnicodeCodePoint", "Utf16CodeUnit")
Unit = Annotated[
    str,
    Field(
        max_length=32,
        description="Unit of offset and length; read in any letter case.",
        json_schema_extra={"enum": list(UNITS)},
    ),
]
Identifier = Annotated[str, Field(max_length=512)]
"""Names that a caller gives and reads again, and ids: they are stored with a job and not billed."""

Name = Annotated[str, Field(max_length=100)]
"""Names of projects, deployments, versions and languages."""

_Model = TypeVar("_Model", bound=BaseModel)


def _null_is_empty(value: Any) -> Any:
    return "" if value is None else value


def _aliases(field: FieldInfo) -> list[Any]:
    return field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else []


# The service does not tell null from the empty string in what a document must have.
_Required = Annotated[str, BeforeValidator(_null_is_empty)]


class Input(BaseModel):
    """What every object of a request keeps to."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, data: Any) -> Any:
        if not isinstance(data, dict) or None not in data.values():
            return data
        optional = {
            spelling
            for name, field in cls.model_fields.items()
            if not field.is_required()
            for spelling in (name, *_aliases(field))
        }
        return {name: value for name, value in data.items() if value is not None or name not in optional}


class InputDocument(Input):
    """One document to analyse."""

    id: _Required = Field(
        min_length=1,
        max_length=512,
        description="Unique within the request; repeated in the answer.",
        examples=["1"],
    )
    text: _Required = Field(examples=["Ada Lovelace wrote to Charles Babbage from London in 1843."])
    language: Name | None = Field(
        default=None,
        description="BCP 47 tag. Chooses synonyms and expressions of a custom model; the network reads every "
        "text alike, and one in a language it was not made for is answered with a warning.",
    )


class AnalysisInput(Input):
    """The documents of a request."""

    documents: tuple[InputDocument, ...]


class EntityRecognitionParameters(Input):
    """Parameters of the prebuilt kind, which the default deployment answers."""

    modelVersion: Name = "latest"  # noqa: N815 (names of the wire format)
    stringIndexType: Unit = "TextElements_v8"  # noqa: N815
    loggingOptOut: bool = False  # noqa: N815


class CustomEntityRecognitionParameters(Input):
    """Parameters of the custom kind: which project and deployment shall answer."""

    projectName: Name  # noqa: N815
    deploymentName: Name  # noqa: N815
    stringIndexType: Unit = "TextElements_v8"  # noqa: N815
    loggingOptOut: bool = False  # noqa: N815


class EntityRecognitionTask(Input):
    """One `EntityRecognition` task of a job."""

    kind: Literal["EntityRecognition"]
    taskName: Identifier | None = None  # noqa: N815
    parameters: EntityRecognitionParameters = EntityRecognitionParameters()


class CustomEntityRecognitionTask(Input):
    """One `CustomEntityRecognition` task of a job."""

    kind: Literal["CustomEntityRecognition"]
    taskName: Identifier | None = None  # noqa: N815
    parameters: CustomEntityRecognitionParameters


Task = Annotated[EntityRecognitionTask | CustomEntityRecognitionTask, Field(discriminator="kind")]


class AnalyzeTextJobsInput(Input):
    """Body of `POST /language/analyze-text/jobs`."""

    displayName: Identifier | None = None  # noqa: N815
    analysisInput: AnalysisInput  # noqa: N815
    tasks: tuple[Task, ...] = Field(min_length=1, max_length=100)


class AnalyzeTextInput(Input):
    """Body of `POST /language/:analyze-text`."""

    kind: Literal["EntityRecognition"]
    analysisInput: AnalysisInput  # noqa: N815
    parameters: EntityRecognitionParameters = EntityRecognitionParameters()


async def parse(model: type[_Model], request: Request, limit: int) -> _Model:
    """Read the body of a call, of at most `limit` bytes.

    Raises:
        Problem: 413, or a 400 as of `parse_body`.
    """
    body = await read_json_body(request, limit)
    return await run_off_loop(len(body), parse_body, model, body)


def parse_body(model: type[_Model], body: bytes) -> _Model:
    """Read a body of any bytes into `model`.

    Raises:
        Problem: A 400 that names the field; for JSON errors it names the position. Never shows content.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    kind = first["type"]
    if kind == "json_invalid":
        return invalid_body(f"The body is not valid JSON: {first.get('ctx', {}).get('error', 'unreadable')}.")
    if "documents" in first["loc"] and first["loc"][-1] == "id" and kind in {"missing", "string_too_short"}:
        return invalid_request(
            "Invalid Document in request.",
            inner=("InvalidDocument", "At least one document is missing an Id attribute."),
        )
    if where in {"analysisInput", "analysisInput.documents", "documents"}:
        return invalid_request(
            "Invalid document in request.",
            inner=("MissingInputDocuments", f"Missing input documents: {where}: {first['msg']}."),
        )
    if kind in {"literal_error", "union_tag_invalid", "union_tag_not_found"}:
        return invalid_request(
            "Invalid parameter in request",
            inner=(
                "InvalidParameterValue",
                f"{where}: kind is not supported here; use EntityRecognition or, in jobs, "
                "CustomEntityRecognition.",
            ),
        )
    return invalid_body(f"{where}: {first['msg']}." if where else f"{first['msg']}.")
