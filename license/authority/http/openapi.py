"""The authority's HTTP interface as an OpenAPI 3.1 document, written out by hand as its formats are."""

from __future__ import annotations

from typing import Any, Final

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"

_WORDS: Final = [
    *("Invalid", "Mismatch", "OutOfQuota", "ContainerUseUnauthorized", "BillingEndpointBusy", "Unknown"),
]
_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_NOTE: Final = {"type": "string", "description": "A signed note, as in docs/formats.md."}
_REPORT_NOTE: Final = {
    "type": "string",
    "description": "A signed note that holds a report as JSON, as in docs/formats.md.",
    "contentSchema": {"$ref": "#/components/schemas/Report"},
}
_REFUSALS: Final = {
    "400": "the request is refused; `code` says why",
    "401": "the key is not known",
    "403": "not approved, not bought, or the plan has ended",
    "404": "there is no such package, or nothing at this address",
    "409": "the key belongs to a resource of another product, or the log to another resource",
    "413": "the body is too large",
    "416": "the range lies outside the package",
    "429": "too often; come back after `Retry-After` seconds",
    "500": "the authority failed",
    "503": "the authority cannot work at present",
}


def document() -> dict[str, Any]:
    """Return the document."""
    package = [_path("name", "ner-en"), _path("number", "3"), _path("release", "1.0.2")]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Licence authority",
            "version": "1",
            "description": "Licences and model packages for appliances that serve without any network.",
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/licenses": {
                "post": {
                    "operationId": "issueLicense",
                    "summary": "Issue a licence for a request note",
                    "requestBody": {"required": True, "content": {"text/plain": {"schema": _NOTE}}},
                    "responses": _responses(_json("Licence"), 400, 401, 403, 409, 413, 429, 500, 503),
                }
            },
            "/v1/connected": {
                "post": {
                    "operationId": "grantLease",
                    "summary": "Check the key for a machine that runs connected, and grant its lease",
                    "requestBody": {"required": True, "content": {"text/plain": {"schema": _NOTE}}},
                    "responses": _responses(_json("Licence"), 400, 401, 403, 409, 413, 429, 500, 503),
                }
            },
            "/v1/usage": {
                "parameters": [_header("Idempotency-Key", "offline-appliance/customner/0f3a9c2b7d11/1/0")],
                "post": {
                    "operationId": "reportUsage",
                    "summary": "Count a run of entries of a usage log, once",
                    "requestBody": {
                        "required": True,
                        "content": {"text/plain": {"schema": _REPORT_NOTE}},
                    },
                    "responses": _responses(_json("Acknowledgement"), 400, 401, 409, 413, 429, 500),
                },
            },
            "/v1/status": {
                "parameters": [_query("log", "offline-appliance/customner/0f3a9c2b7d11/1")],
                "get": {
                    "operationId": "getStatus",
                    "summary": "Say whether the key is good, and how far a log is counted; issues nothing",
                    "responses": _responses(_json("Status"), 401, 429, 500),
                },
            },
            "/v1/models": {
                "get": {
                    "operationId": "listModels",
                    "summary": "List the packages of the model lines the resource has",
                    "responses": _responses(_json("Models"), 401, 403, 409, 429, 500),
                }
            },
            "/v1/models/{name}/{number}/{release}": {
                "parameters": package,
                "get": {
                    "operationId": "getManifest",
                    "summary": "Get a package's manifest and the issuer note that proves it",
                    "responses": _responses(_json("Manifest"), 401, 403, 404, 409, 429, 500),
                },
            },
            "/v1/models/{name}/{number}/{release}/package": {
                "parameters": [
                    *package,
                    _header("Range", "bytes=1048576-"),
                    _header("If-Range", '"<sha256>"'),
                ],
                "get": {
                    "operationId": "getPackage",
                    "summary": "Get a package, or go on where it stopped; its ETag is its SHA-256",
                    "responses": {
                        "206": {"description": "the part that was asked for", "content": _BINARY},
                        **_responses(
                            {"description": "the package", "content": _BINARY},
                            401,
                            403,
                            404,
                            409,
                            416,
                            429,
                            500,
                        ),
                    },
                },
            },
            "/openapi.json": {
                "get": {
                    "operationId": "getOpenapi",
                    "summary": "This document",
                    "security": [],
                    "responses": {
                        "200": {
                            "description": "this document",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        }
                    },
                }
            },
        },
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": KEY_HEADER}},
            "schemas": _SCHEMAS,
        },
    }


def _path(name: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT, "example": example}


def _query(name: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": _TEXT, "example": example}


def _header(name: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": _TEXT, "example": example}


def _json(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": schema, "content": content}


def _responses(good: dict[str, Any], *refusals: int) -> dict[str, Any]:
    wait = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    responses: dict[str, Any] = {"200": good}
    for code in map(str, refusals):
        responses[code] = {**_json("Refusal"), "description": _REFUSALS[code]}
        if code in ("429", "503"):
            responses[code]["headers"] = wait
    if "416" in responses:
        responses["416"] = {"description": _REFUSALS["416"]}
    return responses


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_BINARY: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_SCHEMAS: Final = {
    "Licence": _object(license=_NOTE, issuer=_NOTE),
    "Manifest": _object(manifest=_NOTE, issuer=_NOTE),
    "Report": _object(
        log=_TEXT,
        first={"type": "integer"},
        next={"type": "integer", "description": "index after the last entry"},
        records={
            "type": "array",
            "items": _object(
                entries={"type": "integer"},
                billedUnit={"type": "integer"},
                usageRequestBody=_object(
                    id=_TEXT,
                    containerType=_TEXT,
                    containerVersion=_TEXT,
                    containerId=_TEXT,
                    meter=_object(name=_TEXT, quantity={"type": "number"}),
                    requestTime={"type": "integer", "description": "Unix seconds"},
                    apiType=_TEXT,
                ),
            ),
        },
    ),
    "Acknowledgement": _object(
        status={"type": "string", "enum": ["Valid", "OutOfQuota"]},
        message=_TEXT,
        log=_TEXT,
        next={"type": "integer", "description": "how many entries of the log are counted"},
    ),
    "Status": _object(
        status={"type": "string", "enum": ["Valid", "OutOfQuota"]},
        message=_TEXT,
        resource=_TEXT,
        product=_TEXT,
        approved={"type": "boolean"},
        period={"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 2, "maxItems": 2},
        models={"type": "array", "items": _TEXT},
    ),
    "Models": _object(
        models={
            "type": "array",
            "items": _object(
                id={"type": "string", "format": "uuid"},
                line=_TEXT,
                release=_TEXT,
                name=_TEXT,
                task=_TEXT,
                language={"type": "string", "description": "BCP 47 tag, or empty"},
                issued=_TIME,
                bytes={"type": "integer"},
                sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            ),
        }
    ),
    "Refusal": _object(
        error=_object(code=_TEXT, message=_TEXT, hint=_TEXT), status={"type": "string", "enum": _WORDS}
    ),
}
