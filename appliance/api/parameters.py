"""Query parameters and addresses, as every endpoint reads and writes them."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request

from appliance.api.errors import Problem, invalid_request, not_found
from appliance.api.middleware.trusted_proxies import PREFIX

API_VERSIONS: Final = ("2022-05-01", "2023-04-01")
# Later versions and previews that official clients send; the operations served here did not change in them.
_COMPATIBLE: Final = re.compile(
    r"2024-11-01|2025-11-01|202[2-6]-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])-preview"
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INTEGER: Final = re.compile(r"\+?\d{1,4000}", re.ASCII)
_LARGEST: Final = 2**31 - 1
_MOST_CACHED_BYTES: Final = 256


def check_api_version(request: Request) -> str:
    """The `api-version` of the call.

    Raises:
        Problem: 400 if it is missing or names no version served here.
    """
    version = query_value(request, "api-version")
    if not version:
        raise Problem(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if version not in API_VERSIONS and not _COMPATIBLE.fullmatch(version):
        raise Problem(
            400,
            "UnsupportedApiVersion",
            f"This api-version is not served. Use {' or '.join(API_VERSIONS)}.",
        )
    return version


def query_value(request: HTTPConnection, name: str, default: str = "") -> str:
    """A query parameter, its name in any letter case, as the containers take it; the last one counts."""
    query: bytes = request.scope["query_string"]
    parameters = _parsed(query) if len(query) <= _MOST_CACHED_BYTES else request.query_params
    found = parameters.get(name)
    if found is None:
        wanted = name.lower()
        for key, value in parameters.multi_items():
            if key.lower() == wanted:
                found = value
    return default if found is None else found


@lru_cache(64)
def _parsed(query: bytes) -> QueryParams:
    """Most requests of a client have the same query."""
    return QueryParams(query)


def flag(request: Request, name: str) -> bool:
    """A boolean query parameter in any letter case; absent is false.

    Raises:
        Problem: 400, `InvalidParameterValue`.
    """
    value = query_value(request, name, "false").lower()
    if value not in {"true", "false"}:
        raise _invalid(f"{name} is true or false.")
    return value == "true"


def choice(request: Request, name: str, allowed: Sequence[str]) -> str:
    """A query parameter that is one of some words; empty if absent.

    Raises:
        Problem: 400, `InvalidParameterValue`.
    """
    value = query_value(request, name)
    if value and value not in allowed:
        raise _invalid(f"{name} is {' or '.join(allowed)}.")
    return value


def number(request: Request, name: str, *, default: int, low: int) -> int:
    """A whole-number query parameter, with or without a leading `$`; raised to `low` if it is 0.

    Raises:
        Problem: 400, `InvalidParameterValue`, for what is negative or no whole number.
    """
    text = query_value(request, name, query_value(request, f"${name}", str(default)))
    if not _INTEGER.fullmatch(text):
        raise _invalid(f"{name} is a whole number of at least {low}.")
    digits = text.lstrip("+0") or "0"
    return max(low, int(digits) if len(digits) <= 10 else _LARGEST)


def job_id(request: Request) -> str:
    """The id in the path of a job.

    Raises:
        Problem: 404 for anything but a UUID.
    """
    text = str(request.path_params["job_id"]).lower()
    if not _UUID.fullmatch(text):
        raise job_not_found()
    return text


def job_not_found() -> Problem:
    """The 404 for a job that is unknown or expired."""
    return not_found("NotFound", "Job not found. Results are kept for 24 hours.")


def own_url(request: Request, path: str, query: Mapping[str, str] | None = None) -> str:
    """An absolute address on the host and scheme that the caller used; `$` in names stays as it is."""
    tail = f"?{urlencode(query, safe='$')}" if query else ""
    prefix = request.scope.get(PREFIX, "")
    return f"{request.url.scheme}://{request.url.netloc}{prefix}{path}{tail}"


def _invalid(message: str) -> Problem:
    return invalid_request("Invalid parameter in request", inner=("InvalidParameterValue", message))
