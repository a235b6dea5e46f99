"""The authority over HTTP: hand in a request note, get a licence.

    POST /v1/licenses   body: request note; header Ocp-Apim-Subscription-Key → {"license": …, "issuer": …}
    GET  /v1/status     the same header → {"status": "Valid", …}

Errors are `{"error": {"code", "message", "hint"}, "status": <word>}` with the status words that operators of
disconnected containers know. Limits come before work: size, then key, then signature. TLS is left to a proxy.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from license.authority.authority import Authority
from license.authority.store import Resource
from license.errors import AuthorityError, LicenseError
from license.request import MAX_REQUEST_BYTES
from license.wire import format_date, format_time

_log = logging.getLogger(__name__)

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"
MAX_KEY_CHARS: Final = 128
MAX_AT_ONCE: Final = 32
"""Requests worked on at once; the next one is told to come back, not kept waiting."""

_HTTP: Final = {
    "Invalid": 401,
    "Mismatch": 409,
    "OutOfQuota": 403,
    "ContainerUseUnauthorized": 403,
    "BillingEndpointBusy": 429,
}


class _Service:
    """The two endpoints and the permits they share."""

    def __init__(self, authority: Authority, max_at_once: int) -> None:
        self._authority = authority
        self._permits = max_at_once

    async def licenses(self, request: Request) -> JSONResponse:
        """Issue a licence for the request note in the body."""
        _check_length(request)
        if self._permits < 1:
            raise AuthorityError(
                "the authority is busy",
                status="BillingEndpointBusy",
                code="Busy",
                hint="ask again in a moment",
            )
        self._permits -= 1
        try:
            resource = await self._authenticate(request)
            body = await _read_body(request)
            issued = await run_in_threadpool(self._authority.issue, resource, body)
        finally:
            self._permits += 1
        licence = issued.license
        _log.info(
            "issued serial %d to %s until %s", licence.serial, resource.name, format_time(licence.expires)
        )
        return JSONResponse({"license": issued.note.decode(), "issuer": issued.issuer_note.decode()})

    async def status(self, request: Request) -> JSONResponse:
        """Say whether the key is good, without issuing anything."""
        resource = await self._authenticate(request)
        return JSONResponse(
            {
                "status": "Valid",
                "message": "Api Key is valid, no action needed.",
                "resource": resource.name,
                "product": resource.product,
                "approved": resource.approved,
                "period": [format_date(day) for day in resource.plan.period],
            }
        )

    async def _authenticate(self, request: Request) -> Resource:
        key = request.headers.get(KEY_HEADER, "")
        found = None
        if 0 < len(key) <= MAX_KEY_CHARS:
            found = await run_in_threadpool(self._authority.store.find_by_key, key)
        if found is None:
            raise AuthorityError(
                "Access denied due to invalid subscription key.",
                status="Invalid",
                code="Invalid",
                hint=f"use one of the resource's two keys (setting ApiKey, header {KEY_HEADER})",
            )
        return found


def make_app(authority: Authority, *, max_at_once: int = MAX_AT_ONCE) -> Starlette:
    """Return the web service of an open authority."""
    service = _Service(authority, max_at_once)
    return Starlette(
        routes=[
            Route("/v1/licenses", service.licenses, methods=["POST"]),
            Route("/v1/status", service.status, methods=["GET"]),
        ],
        exception_handlers={LicenseError: _on_refusal, HTTPException: _on_http, Exception: _on_crash},
    )


def build_app(home: Path) -> Starlette:
    """Return the web service of the authority in `home`, which is closed when the service stops."""
    authority = Authority.open(home)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        authority.close()

    app = make_app(authority)
    app.router.lifespan_context = lifespan
    return app


def _check_length(request: Request) -> None:
    length = request.headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 10 or int(length) > MAX_REQUEST_BYTES:
        raise HTTPException(413)


async def _read_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise HTTPException(413)
    return body


def _reply(code: int, name: str, message: str, hint: str, status: str) -> JSONResponse:
    body = {"error": {"code": name, "message": message, "hint": hint}, "status": status}
    headers = {"Retry-After": "1"} if code in (429, 503) else None
    return JSONResponse(body, status_code=code, headers=headers)


async def _on_refusal(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, AuthorityError):
        return _reply(_HTTP.get(error.status, 503), error.code, error.message, error.hint, error.status)
    if isinstance(error, LicenseError):
        return _reply(400, error.code, f"the request note is refused: {error.message}", error.hint, "Unknown")
    raise error


async def _on_http(_request: Request, error: Exception) -> JSONResponse:
    code = error.status_code if isinstance(error, HTTPException) else 500
    messages = {
        404: (
            "NotFound",
            "there is nothing at this address",
            "the authority has /v1/licenses and /v1/status",
        ),
        405: ("MethodNotAllowed", "this address takes another method", "POST /v1/licenses, GET /v1/status"),
        413: (
            "TooLarge",
            f"the request note is larger than {MAX_REQUEST_BYTES} bytes",
            "send the note alone",
        ),
    }
    name, message, hint = messages.get(code, ("BadRequest", "the request is not understood", ""))
    return _reply(code, name, message, hint, "Unknown")


async def _on_crash(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed", exc_info=error)
    return _reply(500, "Unknown", "the authority failed on this request", "try again later", "Unknown")
