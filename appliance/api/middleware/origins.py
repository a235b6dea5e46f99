"""Which web pages may use this service: its own, and those of origins that the operator allows.

A browser sends requests for any page to any address, with `text/plain` bodies even without asking first, and
lets any page open a WebSocket. It names the page's origin, so foreign ones are refused with 403 before they
cost something. Pages of allowed origins get what CORS (Fetch standard) asks for, preflight included. Callers
that are not browsers name no origin.
"""

from collections.abc import Awaitable, Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.errors import Problem

_ANY: Final = "*"
EXPOSED: Final = (
    "apim-request-id",
    "csp-billing-usage",
    "operation-location",
    "retry-after",
    "usage-record",
    "warning",
)
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_PREFLIGHT_SECONDS: Final = 600


class Origins:
    """ASGI middleware that refuses requests of foreign pages.

    Args:
        app: What is guarded.
        allowed: Origins besides the own, lower case, such as `https://app.example.com`; `*` for any.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._any = _ANY in allowed
        self._allowed = frozenset(name.encode("latin-1") for name in allowed)
        self._shared = CORSMiddleware(
            app,
            allow_origin_regex=".+",  # who comes here was let in; the reply names the origin itself
            allow_methods=_METHODS,
            allow_headers=[_ANY],
            expose_headers=EXPOSED,
            allow_private_network=True,
            max_age=_PREFLIGHT_SECONDS,
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            return self._app(scope, receive, send)
        origins = [value.lower() for name, value in scope["headers"] if name == b"origin"]
        if not origins or (len(origins) == 1 and is_own(origins[0], scope)):
            return self._app(scope, receive, send)
        if self._any or self._allowed.issuperset(origins):
            return self._shared(scope, receive, send)
        problem = _foreign()
        response = JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)
        return response(scope, receive, send)


def is_own(origin: bytes, scope: Scope) -> bool:
    """Whether an origin is where this request went.

    Its scheme is not compared: a proxy may speak TLS for this service without saying so.
    """
    scheme, _, authority = origin.partition(b"://")
    if not authority:
        return False
    host = next((value.lower() for name, value in scope["headers"] if name == b"host"), b"")
    if authority == host:
        return True
    standard = {b"http": b":80", b"https": b":443"}.get(scheme, b"")
    return bool(standard) and authority + standard == host


def _foreign() -> Problem:
    return Problem(
        403,
        "OriginNotAllowed",
        "Pages of this origin may not use the service. Its operator can allow them with the setting "
        "Http:AllowedOrigins.",
        headers={"Vary": "Origin"},
    )
