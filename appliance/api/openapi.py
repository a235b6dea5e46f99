"""The OpenAPI 3.1 document, made from the models that parse the requests and describe the replies."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api import replies
from appliance.api.schemas import AnalyzeTextInput, AnalyzeTextJobsInput
from appliance.version import VERSION

_REQUESTS: Final[tuple[type[BaseModel], ...]] = (AnalyzeTextInput, AnalyzeTextJobsInput)
_VERSION_PARAMETER: Final = {
    "name": "api-version",
    "in": "query",
    "required": True,
    "schema": {"type": "string", "examples": ["2023-04-01"]},
}
_DOCUMENTS: Final = {"documents": [{"id": "1", "text": "Ada Lovelace met Charles Babbage in London."}]}


def document() -> dict[str, Any]:
    """The whole document as plain JSON values."""
    models = [(model, "validation") for model in _REQUESTS] + [(m, "validation") for m in replies.MODELS]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Offline inference appliance",
            "version": VERSION,
            "description": "Named-entity recognition over the Azure AI Language API, metered off line.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {"schemas": schemas["$defs"]},
    }


def routes() -> list[Route]:
    """`GET /openapi.json`."""
    body = document()

    async def openapi(_: Request) -> Response:
        return JSONResponse(body)

    return [Route("/openapi.json", openapi, methods=["GET"])]


def _paths() -> dict[str, Any]:
    job = {"name": "jobId", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    stats = {"name": "showStats", "in": "query", "schema": {"type": "boolean"}}
    pages = [
        {"name": name, "in": "query", "schema": {"type": "integer", "minimum": low}}
        for name, low in (("top", 1), ("skip", 0))
    ]
    task = {
        "kind": "CustomEntityRecognition",
        "taskName": "0",
        "parameters": {"projectName": "demo", "deploymentName": "production"},
    }
    month = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}
        for name, pattern in (("month", "^(0?[1-9]|1[0-2])$"), ("year", r"^\d{4}$"))
    ]
    return {
        "/language/:analyze-text": {
            "post": _operation(
                "analyzeText",
                "Recognise entities, answered at once",
                [_VERSION_PARAMETER, stats],
                {"200": ("The entities of each document", replies.AnalyzeTextResult)},
                body=(AnalyzeTextInput, {"kind": "EntityRecognition", "analysisInput": _DOCUMENTS}),
            )
        },
        "/language/analyze-text/jobs": {
            "post": _operation(
                "submitJob",
                "Start a job of one or more tasks",
                [_VERSION_PARAMETER],
                {"202": ("Accepted; `operation-location` names the job", None)},
                body=(AnalyzeTextJobsInput, {"analysisInput": _DOCUMENTS, "tasks": [task]}),
            )
        },
        "/language/analyze-text/jobs/{jobId}": {
            "get": _operation(
                "getJob",
                "State and results of a job",
                [job, _VERSION_PARAMETER, stats, *pages],
                {"200": ("The job", replies.JobState)},
            )
        },
        "/language/analyze-text/jobs/{jobId}:cancel": {
            "post": _operation(
                "cancelJob", "Stop a job", [job, _VERSION_PARAMETER], {"202": ("Will be cancelled", None)}
            )
        },
        "/ready": {
            "get": _operation(
                "ready",
                "Whether a query would be answered",
                [],
                {"200": ("Ready", replies.Ready), "503": ("Not ready", replies.Ready)},
            )
        },
        "/status": {
            "get": _operation(
                "status", "Licence, models and ledger; costs nothing", [], {"200": ("Status", replies.Status)}
            )
        },
        "/records/usage-logs/": {
            "get": _operation(
                "usage", "All usage under the output mount", [], {"200": ("Usage", replies.Usage)}
            )
        },
        "/records/usage-logs/{month}/{year}": {
            "get": _operation(
                "usageOfMonth", "Usage of one month (UTC)", month, {"200": ("Usage", replies.Usage)}
            )
        },
    }


def _operation(
    name: str,
    summary: str,
    parameters: list[dict[str, Any]],
    answers: dict[str, tuple[str, type[BaseModel] | None]],
    *,
    body: tuple[type[BaseModel], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        code: {"description": text, **(_content(model) if model else {})}
        for code, (text, model) in answers.items()
    }
    responses["default"] = {"description": "Refused or failed", **_content(replies.ErrorResponse)}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        content = _content(body[0])
        content["content"]["application/json"]["example"] = body[1]
        operation["requestBody"] = {"required": True, **content}
    return operation


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}
