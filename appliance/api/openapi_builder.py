"""The pieces that every OpenAPI document of this software is made of."""

from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel

from appliance.api.responses import ErrorResponse

Answers = dict[str, tuple[str, type[BaseModel] | UnionType | None]]
"""Status codes with a sentence and the body's model, or several; None for a reply of headers alone."""


def query(name: str, schema: dict[str, Any], *, required: bool = False, text: str = "") -> dict[str, Any]:
    """A parameter of the query."""
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": required, "schema": schema}
    return {**parameter, "description": text} if text else parameter


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
    responses["default"] = {"description": "Refused or failed", **_content(ErrorResponse)}
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


def _content(model: type[BaseModel] | UnionType) -> dict[str, Any]:
    references = [{"$ref": f"#/components/schemas/{one.__name__}"} for one in get_args(model) or (model,)]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    return {"content": {"application/json": {"schema": schema}}}


def _location() -> dict[str, Any]:
    schema = {"type": "string", "format": "uri"}
    return {"headers": {"operation-location": {"required": True, "schema": schema}}}
