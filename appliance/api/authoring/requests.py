"""Bodies of the authoring API: what clients send, keys in any letter case."""

from typing import Literal, TypeVar

from pydantic import BaseModel, Field
from starlette.requests import Request

from appliance.api.authentication import caller_name
from appliance.api.errors import Problem, invalid_request
from appliance.authoring.retraining import Terms
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from appliance.datasets.project_file import Description, ProjectSettings, parse_wire
from appliance.datasets.wire import Name, Wire

_Model = TypeVar("_Model", bound=BaseModel)
_SHOWN = 20
_LONGEST_ID = 64


class ProjectChanges(Wire):
    """Body of `PATCH /projects/{name}`; what is absent stays."""

    projectName: Name | None = None  # noqa: N815 (names of the wire format)
    projectKind: Name | None = None  # noqa: N815
    storageInputContainerName: Name | None = None  # noqa: N815
    language: Name | None = None
    description: Description | None = None
    multilingual: bool | None = None
    settings: ProjectSettings | None = None


class EvaluationOptions(Wire):
    """How documents are split: by the file (`manual`), or by percentage."""

    kind: Literal["percentage", "manual"] = "percentage"
    trainingSplitPercentage: int | None = Field(default=None, ge=1, le=99)  # noqa: N815
    testingSplitPercentage: int | None = Field(default=None, ge=1, le=99)  # noqa: N815


class Training(Wire):
    """Body of `:train`."""

    modelLabel: Name  # noqa: N815
    trainingConfigVersion: Name = "latest"  # noqa: N815
    evaluationOptions: EvaluationOptions | None = None  # noqa: N815


class TrainedModel(Wire):
    """Body of `PUT` for a deployment or an exported model."""

    trainedModelLabel: Name  # noqa: N815


class Swap(Wire):
    """Body of `:swap`."""

    firstDeploymentName: Name  # noqa: N815
    secondDeploymentName: Name  # noqa: N815


def training_terms(request: Request) -> Terms:
    """Return who asks for a training, and which model it may replace.

    `If-None-Match: *` says none, `If-Match` the one with this id, neither any. The same
    `Repeatability-Request-ID` is the same training.
    """
    headers = request.headers
    return Terms(
        by=caller_name(request.scope),
        request=headers.get("repeatability-request-id", "")[:_LONGEST_ID],
        replaces=headers.get("if-match", "").strip().strip('"').removeprefix("*"),
        new=headers.get("if-none-match", "").strip() == "*",
    )


def read(model: type[_Model], body: bytes) -> _Model:
    """Read a body.

    Raises:
        Problem: A 400 that names every field that is wrong, and no content.
    """
    try:
        return parse_wire(model, body.removeprefix(b"\xef\xbb\xbf"), "The body")
    except (LabellingMistakes, DatasetError) as error:
        raise invalid(error) from None


def invalid(error: DatasetError) -> Problem:
    """Return the 400 of a body that cannot be read."""
    reason = error.message
    if isinstance(error, LabellingMistakes):
        reason = "; ".join(mistake.reason for mistake in error.mistakes[:_SHOWN])
    return invalid_request("Invalid Request.", inner=("InvalidRequestBodyFormat", reason))
