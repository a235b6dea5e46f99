"""The paths that every service has, for its OpenAPI document: state and usage."""

from typing import Any, Final

from appliance.api.openapi_builder import Answers, operation, query
from appliance.api.operations.responses import DailyUsage, Models, Ready, Status, StatusWithoutKey, Usage

_EXCLUDE: Final = "`license`: without licence, plan and endpoint, whose refusals a caller is to read"


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
            [query("exclude", {"type": "string", "enum": ["license"]}, text=_EXCLUDE)],
            {"200": ("Ready", Ready), "503": ("Not ready", Ready)},
        ),
        (
            "/status",
            "status",
            "Licence, models and ledger",
            [],
            {"200": ("Status; little of it without a key", Status | StatusWithoutKey)},
        ),
        (
            "/models",
            "models",
            "What is served, and what could not be loaded",
            [],
            {"200": ("Models", Models)},
        ),
        (
            "/records/usage-logs/",
            "usage",
            "All usage under the output mount",
            [],
            {"200": ("Usage", Usage)},
        ),
        (
            "/records/usage-logs/{month}/{year}",
            "usageOfMonth",
            "Usage of one month (UTC)",
            in_path,
            {"200": ("Usage", Usage)},
        ),
        (
            "/usage/daily",
            "usageByDay",
            "Usage of one month by day (UTC)",
            [query("month", month), query("year", year)],
            {"200": ("Usage", DailyUsage)},
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
