"""The OpenAPI 3.1 document, made from the models that parse the requests and describe the"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from appliance.api.language.legacy_requests import LegacyAnalyzeInput, LegacyDocuments
from appliance.api.language.legacy_routes import ONLY_SYNCHRONOUS, VERSIONS
from appliance.api.language.requests import UNITS, AnalyzeTextInput, AnalyzeTextJobsInput
from appliance.api.language.responses import (
    MODELS,
    AnalyzeTextResult,
    JobState,
    LegacyJobState,
    LegacyResults,
)
from appliance.api.language.routes import ANALYZE, JOBS
from appliance.api.openapi_builder import Answers, operation, query
from appliance.api.operations.openapi import service_paths
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
    models = [(model, "validation") for model in (*_REQUESTS, *MODELS)]
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
                {"200": ("The entities of each document", AnalyzeTextResult)},
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
                {"200": ("The job", JobState)},
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
                {"200": ("The job", LegacyJobState)},
                tag="Text Analytics",
            )
        }
    for version in (ONLY_SYNCHRONOUS, *VERSIONS):
        name = version.replace(".", "_").replace("-", "_")
        paths[f"/text/analytics/{version}/entities/recognition/general"] = {
            "post": operation(
                f"entities_{name}",
                "Recognise entities, answered at once",
                [model, _SHOW_STATS, unit],
                {"200": ("The entities of each document", LegacyResults)},
                body=(LegacyDocuments, _DOCUMENTS),
                tag="Text Analytics",
            )
        }
    return paths
