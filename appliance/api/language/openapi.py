"""The OpenAPI 3.1 document, made from the models that parse the requests and describe the replies."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from appliance.api.language import responses as replies
from appliance.api.language.legacy_requests import LegacyAnalyzeInput, LegacyDocuments
from appliance.api.language.legacy_routes import VERSIONS
from appliance.api.language.requests import UNITS, AnalyzeTextInput, AnalyzeTextJobsInput
from appliance.api.language.routes import ANALYZE, JOBS
from appliance.api.parameters import API_VERSIONS
from appliance.version import VERSION

_REQUESTS: Final[tuple[type[BaseModel], ...]] = (
    AnalyzeTextInput,
    AnalyzeTextJobsInput,
    LegacyAnalyzeInput,
    LegacyDocuments,
)
_DOCUMENTS: Final = {
    "documents": [
        {"id": "1", "language": "en", "text": "Ada Lovelace wrote to Charles Babbage from London in 1843."}
    ]
}

Answers = dict[str, tuple[str, type[BaseModel] | None]]


def query(name: str, schema: dict[str, Any], *, required: bool = False, text: str = "") -> dict[str, Any]:
    """A parameter of the query."""
    found: dict[str, Any] = {"name": name, "in": "query", "required": required, "schema": schema}
    return {**found, "description": text} if text else found


_API_VERSION: Final = query(
    "api-version",
    {"type": "string", "enum": list(API_VERSIONS), "default": API_VERSIONS[-1]},
    required=True,
    text="Later versions and previews that clients send are taken as these.",
)
_SHOW_STATS: Final = query("showStats", {"type": "boolean"}, text="Count documents and text records.")
_JOB_ID: Final = {
    "name": "jobId",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
    "description": "The last part of the address that `operation-location` gave.",
}


def _page(prefix: str) -> list[dict[str, Any]]:
    return [
        query(f"{prefix}top", {"type": "integer", "minimum": 1, "default": 20}, text="Documents per task."),
        query(f"{prefix}skip", {"type": "integer", "minimum": 0, "default": 0}),
    ]


def document(*, project: str = "demo", deployment: str = "production") -> dict[str, Any]:
    """The whole document as plain JSON values; its examples name a deployment that is served."""
    models = [(model, "validation") for model in (*_REQUESTS, *replies.MODELS)]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Offline inference appliance",
            "version": VERSION,
            "description": "Named-entity recognition over the Azure AI Language API, metered off line. "
            "Errors have one shape everywhere. 429 and 503 say when to come back.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "Language", "description": "What current clients call."},
            {"name": "Text Analytics", "description": "What older clients call."},
            {"name": "Service", "description": "State and usage; never charged."},
        ],
        "security": [{}, {"key": []}],
        "paths": {
            **_language_paths(project, deployment),
            **_legacy_paths(project, deployment),
            **service_paths(),
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Ocp-Apim-Subscription-Key",
                    "description": "Only where the operator set keys.",
                }
            },
        },
    }


def _language_paths(project: str, deployment: str) -> dict[str, Any]:
    task = {
        "kind": "CustomEntityRecognition",
        "taskName": "0",
        "parameters": {
            "projectName": project,
            "deploymentName": deployment,
            "stringIndexType": "UnicodeCodePoint",
        },
    }
    at_once = {"kind": "EntityRecognition", "analysisInput": _DOCUMENTS, "parameters": {}}
    as_job = {"displayName": "an example", "analysisInput": _DOCUMENTS, "tasks": [task]}
    accepted: Answers = {"202": ("Accepted; `operation-location` names the job", None)}
    return {
        ANALYZE: {
            "post": operation(
                "analyzeText",
                "Recognise entities, answered at once",
                [_API_VERSION, _SHOW_STATS],
                {"200": ("The entities of each document", replies.AnalyzeTextResult)},
                body=(AnalyzeTextInput, at_once),
            )
        },
        JOBS: {
            "post": operation(
                "submitJob",
                "Start a job of one or more tasks",
                [_API_VERSION],
                accepted,
                body=(AnalyzeTextJobsInput, as_job),
            )
        },
        f"{JOBS}/{{jobId}}": {
            "get": operation(
                "getJob",
                "State and results of a job",
                [_JOB_ID, _API_VERSION, _SHOW_STATS, *_page("")],
                {"200": ("The job", replies.JobState)},
            )
        },
        f"{JOBS}/{{jobId}}:cancel": {
            "post": operation("cancelJob", "Stop a job", [_JOB_ID, _API_VERSION], accepted)
        },
    }


def _legacy_paths(project: str, deployment: str) -> dict[str, Any]:
    unit = query("stringIndexType", {"type": "string", "enum": list(UNITS)})
    model = query("model-version", {"type": "string", "default": "latest"})
    paths: dict[str, Any] = {}
    for version in VERSIONS:
        custom = {"parameters": {"project-name": project, "deployment-name": deployment}, "taskName": "0"}
        tasks: dict[str, Any] = (
            {"entityRecognitionTasks": [{"taskName": "0"}]}
            if version == "v3.1"
            else {"customEntityRecognitionTasks": [custom]}
        )
        base, name = f"/text/analytics/{version}", version.replace(".", "_").replace("-", "_")
        paths[f"{base}/analyze"] = {
            "post": operation(
                f"analyze_{name}",
                "Start a job",
                [],
                {"202": ("Accepted; `operation-location` names the job", None)},
                body=(LegacyAnalyzeInput, {"analysisInput": _DOCUMENTS, "tasks": tasks}),
                tag="Text Analytics",
            )
        }
        paths[f"{base}/analyze/jobs/{{jobId}}"] = {
            "get": operation(
                f"analyzeStatus_{name}",
                "State and results of a job",
                [_JOB_ID, _SHOW_STATS, *_page("$")],
                {"200": ("The job", replies.LegacyJobState)},
                tag="Text Analytics",
            )
        }
        paths[f"{base}/entities/recognition/general"] = {
            "post": operation(
                f"entities_{name}",
                "Recognise entities, answered at once",
                [model, _SHOW_STATS, unit],
                {"200": ("The entities of each document", replies.LegacyResults)},
                body=(LegacyDocuments, _DOCUMENTS),
                tag="Text Analytics",
            )
        }
    return paths


def service_paths() -> dict[str, Any]:
    """The paths that every service has: state and usage."""
    month = {"type": "string", "pattern": "^(0?[1-9]|1[0-2])$"}
    year = {"type": "string", "pattern": r"^(19[7-9]\d|[2-9]\d{3})$"}
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in (("month", month), ("year", year))
    ]
    simple: list[tuple[str, str, str, list[dict[str, Any]], Answers]] = [
        (
            "/ready",
            "ready",
            "Whether a query would be answered",
            [],
            {"200": ("Ready", replies.Ready), "503": ("Not ready", replies.Ready)},
        ),
        ("/status", "status", "Licence, models and ledger", [], {"200": ("Status", replies.Status)}),
        (
            "/models",
            "models",
            "What is served, and what could not be loaded",
            [],
            {"200": ("Models", replies.Models)},
        ),
        (
            "/records/usage-logs/",
            "usage",
            "All usage under the output mount",
            [],
            {"200": ("Usage", replies.Usage)},
        ),
        (
            "/records/usage-logs/{month}/{year}",
            "usageOfMonth",
            "Usage of one month (UTC)",
            in_path,
            {"200": ("Usage", replies.Usage)},
        ),
        (
            "/usage/daily",
            "usageByDay",
            "Usage of one month by day (UTC)",
            [query("month", month), query("year", year)],
            {"200": ("Usage", replies.DailyUsage)},
        ),
    ]
    paths = {
        path: {"get": operation(name, summary, parameters, answers, tag="Service")}
        for path, name, summary, parameters, answers in simple
    }
    entry = {"name": "n", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    proof = operation(
        "proof", "Proof that a usage record stands in the signed log", [entry], {}, tag="Service"
    )
    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    proof["responses"]["200"] = {"description": "A C2SP tlog-proof", **text}
    return {**paths, "/records/proof/{n}": {"get": proof}}


def operation(
    name: str,
    summary: str,
    parameters: list[dict[str, Any]],
    answers: Answers,
    *,
    body: tuple[type[BaseModel], dict[str, Any]] | None = None,
    tag: str = "Language",
) -> dict[str, Any]:
    """One operation of a path."""
    responses: dict[str, Any] = {
        code: {"description": text, **(_content(model) if model else _location())}
        for code, (text, model) in answers.items()
    }
    responses["default"] = {"description": "Refused or failed", **_content(replies.ErrorResponse)}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "responses": responses,
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        content = _content(body[0])
        content["content"]["application/json"]["example"] = body[1]
        operation["requestBody"] = {"required": True, **content}
    return operation


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}


def _location() -> dict[str, Any]:
    schema = {"type": "string", "format": "uri"}
    return {"headers": {"operation-location": {"required": True, "schema": schema}}}
