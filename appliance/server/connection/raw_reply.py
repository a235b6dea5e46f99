"""Replies that a connection writes by itself, without the application: refusals of what is not a request."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from appliance.api.errors import Problem
from appliance.api.request_id import common_headers
from appliance.request_ids import uuid7


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return headers as they stand in a reply, each with its line end."""
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers).encode("latin-1")


def closing_reply(
    problem: Problem,
    common: Sequence[tuple[bytes, bytes]],
    *,
    secure: bool,
    content: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the reply for a problem, in the documented shape, after which the connection is closed.

    Args:
        problem: What is wrong.
        common: Headers that every reply of this server has.
        secure: Whether it goes out over TLS.
        content: The JSON of the body, where it is not that of the Language service.
    """
    body = json.dumps(problem.body() if content is None else content).encode()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in problem.headers.items()},
        "connection": "close",
    }
    return b"".join(
        (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n".encode(),
            *(part for name, value in common for part in (name, b": ", value, b"\r\n")),
            header_lines(headers.items()),
            header_lines(common_headers(uuid7(), secure=secure)),
            b"\r\n",
            body,
        )
    )
