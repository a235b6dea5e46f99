"""Every refusal as the Language service words it: `{"error": {"code", "message", "innererror"?}}`.

The shape and the code words are those of `ErrorResponse` in the published Language API description
(2023-04-01). Optional keys are left out, never null: the official client fails on `"innererror": null`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from appliance.errors import (
    ApplianceError,
    Busy,
    JobStoreUnavailable,
    LicenseRefusal,
    ModelLabelTaken,
    NotMetered,
    Stopping,
    UnknownDeployment,
    UnknownModelVersion,
    UsageStoreUnavailable,
    UsageUndecided,
)

RETRY_SECONDS: Final = 1


class Problem(ApplianceError):
    """A request that cannot be served, with everything its reply needs.

    Args:
        status: HTTP status.
        code: Outer `error.code`.
        message: Outer `error.message`.
        inner: `(code, message)` of `innererror`, the part the official client shows.
        headers: Extra reply headers, such as `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        inner: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner = inner
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The reply body."""
        return {"error": error_object(self.code, self.message, self.inner)}


def error_object(code: str, message: str, inner: tuple[str, str] | None = None) -> dict[str, Any]:
    """One `Error` object of the Language API, used for requests and for single documents."""
    error: dict[str, Any] = {"code": code, "message": message}
    if inner is not None:
        error["innererror"] = {"code": inner[0], "message": inner[1]}
    return error


def invalid_request(message: str, *, inner: tuple[str, str]) -> Problem:
    """A 400 whose reason stands in `innererror`."""
    return Problem(400, "InvalidRequest", message, inner=inner)


def invalid_body(detail: str) -> Problem:
    """A 400 for a body that is not the JSON the operation takes."""
    return invalid_request("Invalid request body.", inner=("InvalidRequestBodyFormat", detail))


def body_too_large(limit: int) -> Problem:
    """The 413 of the documented wording; `limit` in bytes."""
    sentence = f"Request Payload sent is too large to be processed. Limit request size to: {limit}"
    return Problem(
        413,
        "InvalidRequest",
        "Request body is too large.",
        inner=("InvalidDocumentBatch", sentence),
        headers={"Connection": "close"},
    )


def invalid_http(detail: str = "The request is not HTTP/1.1 as RFC 9112 has it.") -> Problem:
    """The 400 for what is no HTTP request."""
    return invalid_request("Bad Request", inner=("InvalidHttp", detail))


def unsupported_charset(name: str) -> Problem:
    """The 415 for a body in another encoding than UTF-8."""
    return Problem(415, "UnsupportedMediaType", f"The body is {name}. Send JSON as UTF-8.")


def too_long(what: str, limit: int, *, status: int) -> Problem:
    """The 414 or 431 for a head that is too long; `limit` in bytes."""
    sentence = f"{what} is too long. The limit is {limit} bytes."
    return Problem(status, "InvalidRequest", sentence, headers={"Connection": "close"})


def request_timeout(part: str, seconds: float) -> Problem:
    """The 408 for a head or a body that does not come."""
    sentence = f"The {part} of the request did not come within {seconds:g} seconds."
    return Problem(408, "RequestTimeout", sentence, headers={"Connection": "close"})


def overloaded() -> Problem:
    """The 503 where there are as many connections as there may be."""
    sentence = "There are too many connections. Try again later."
    headers = {"Retry-After": str(RETRY_SECONDS), "Connection": "close"}
    return Problem(503, "ServiceUnavailable", sentence, headers=headers)


def not_found(code: str, message: str) -> Problem:
    """A 404 with a code of the Language API, such as `ProjectNotFound`."""
    return Problem(404, code, message)


def problem_from(error: ApplianceError) -> Problem:
    """Give an error of the service its HTTP status; this is the one place that decides it."""
    if isinstance(error, Problem):
        return error
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    inner = (error.code, message)
    retry = {"Retry-After": str(RETRY_SECONDS)}
    status, code, sentence = 500, "InternalServerError", "The service failed on this request."
    match error:
        case Busy():
            return Problem(429, "TooManyRequests", message, headers=retry)
        case UnknownDeployment():
            return Problem(404, error.code, message)
        case ModelLabelTaken():
            return Problem(409, error.code, message)
        case NotMetered():
            status, code, sentence = 503, "ServiceUnavailable", "The service cannot answer now."
            retry = {"Retry-After": str(error.retry_after_s)}
        case Stopping() | UsageStoreUnavailable() | JobStoreUnavailable() | UsageUndecided():
            status, code, sentence = 503, "ServiceUnavailable", "The service cannot answer now."
        case LicenseRefusal():
            status, code, sentence = 403, "Forbidden", "The licence does not allow this request."
        case UnknownModelVersion():
            status, code, sentence = 400, "InvalidRequest", "Invalid Request."
        case _:
            return Problem(status, code, sentence)
    return Problem(status, code, sentence, inner=inner, headers=retry if status == 503 else None)


_DEFAULTS: Final = {
    404: ("404", "Resource not found"),
    405: ("405", "Method not allowed"),
    400: ("InvalidRequest", "The request cannot be read."),
}


async def on_appliance_error(_: Request, error: Exception) -> Response:
    """Exception handler for the service's own family."""
    if not isinstance(error, ApplianceError):
        raise error
    problem = problem_from(error)
    return JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)


async def on_http_exception(_: Request, error: Exception) -> Response:
    """Exception handler for what the router refuses by itself: unknown paths and methods."""
    if not isinstance(error, HTTPException):
        raise error
    code, message = _DEFAULTS.get(error.status_code, (str(error.status_code), str(error.detail)))
    headers = dict(error.headers or {})
    return JSONResponse(
        {"error": error_object(code, message)}, status_code=error.status_code, headers=headers
    )


async def on_unexpected(_: Request, __: Exception) -> Response:
    """Exception handler of last resort; the server logs the traceback, the caller learns nothing of it."""
    return JSONResponse(
        {"error": error_object("InternalServerError", "The service failed on this request.")},
        status_code=500,
    )


HANDLERS: Final[dict[Any, Callable[[Request, Exception], Awaitable[Response]]]] = {
    ApplianceError: on_appliance_error,
    HTTPException: on_http_exception,
    Exception: on_unexpected,
}
