"""Refusals over HTTP: `{"error": {"code", "message", "hint"}, "status": <word>}`. The only status codes."""

from __future__ import annotations

import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from license.errors import AuthorityError, LicenseError

_log = logging.getLogger("license.authority.replies")

STATUS_CODES: Final = {
    "Invalid": 401,
    "Mismatch": 409,
    "OutOfQuota": 403,
    "ContainerUseUnauthorized": 403,
    "BillingEndpointBusy": 429,
}
"""By status word; `Unknown` is 503 unless the caller can do something about it."""

_BY_CODE: Final = {"NoSuchPackage": 404, "NoHpkeKey": 400}

_HTTP: Final = {
    404: ("NotFound", "there is nothing at this address", "/openapi.json lists the addresses"),
    405: ("MethodNotAllowed", "this address takes another method", "/openapi.json lists the methods"),
    413: ("TooLarge", "the body is larger than this address takes", "send the note, or the report, alone"),
}


def reply(
    code: int, name: str, message: str, hint: str, status: str, retry_after_s: int | None = None
) -> JSONResponse:
    """Return a refusal."""
    body = {"error": {"code": name, "message": message, "hint": hint}, "status": status}
    headers = {"Retry-After": str(retry_after_s or 1)} if code in (429, 503) else None
    return JSONResponse(body, status_code=code, headers=headers)


async def on_refusal(_request: Request, error: Exception) -> JSONResponse:
    """Answer one of our refusals."""
    if isinstance(error, AuthorityError):
        code = _BY_CODE.get(error.code) or STATUS_CODES.get(error.status, 503)
        return reply(code, error.code, error.message, error.hint, error.status, error.retry_after_s)
    if isinstance(error, LicenseError):
        return reply(400, error.code, f"the request is refused: {error.message}", error.hint, "Unknown")
    raise error


async def on_http(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    name, message, hint = _HTTP.get(code, ("BadRequest", "the request is not understood", ""))
    return reply(code, name, message, hint, "Unknown")


async def on_crash(_request: Request, error: Exception) -> JSONResponse:
    """Answer what should not have happened, with nothing of the inside."""
    _log.error("a request failed", exc_info=error)
    return reply(500, "Unknown", "the authority failed on this request", "try again later", "Unknown")
