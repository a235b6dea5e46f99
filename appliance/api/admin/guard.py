"""Who may ask below `/admin/api`: whoever sends an operator's key, from no page but this service's own.

A key travels in a header that a browser adds to nothing by itself, so a page elsewhere has nothing to borrow:
there is no cookie. Pages of other origins are refused all the same, also those that `Http:AllowedOrigins`
lets ask for answers.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.authentication import offered_keys
from appliance.api.errors import Problem
from appliance.api.middleware.origins import is_own
from appliance.api.middleware.path_normalization import canonical

_log = logging.getLogger("appliance.admin")

API: Final = "/admin/api"
_OPERATOR: Final = "appliance.operator"
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_SAID_AGAIN_SECONDS: Final = 60.0


class AdminGuard:
    """ASGI middleware before everything below `/admin/api`.

    Args:
        app: What serves an operator.
        others: What serves every other path.
        operators: Names with their keys; with none there is no such path, and `others` is asked.
    """

    def __init__(self, app: ASGIApp, others: ASGIApp, operators: Sequence[tuple[str, str]]) -> None:
        self._app = app
        self._others = others
        self._digests = [(name, _digest(key)) for name, key in operators]
        self._said = -_SAID_AGAIN_SECONDS
        self._refused = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve or refuse one request."""
        if not self._digests or scope["type"] != "http" or not _is_below(scope["path"]):
            return self._others(scope, receive, send)
        problem = self._check(scope)
        if problem is None:
            return self._app(scope, receive, send)
        response = JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)
        return response(scope, receive, send)

    def _check(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        foreign = any(
            not is_own(value.lower().encode("latin-1"), scope) for value in headers.getlist("origin")
        )
        if foreign or headers.get("sec-fetch-site", "none").lower() not in _OWN_SITES:
            return Problem(
                403,
                "OriginNotAllowed",
                "Only the page of this service itself may ask here.",
                headers={"Vary": "Origin"},
            )
        name = self._name(scope)
        if name is None:
            self._note_refusal()
            return _denied()
        scope[_OPERATOR] = name
        return None

    def _name(self, scope: Scope) -> str | None:
        """Return whose key a request carries; every key is compared, so that the time tells nothing."""
        found = None
        for key in offered_keys(scope):
            digest = _digest(key)
            for name, known in self._digests:
                if hmac.compare_digest(digest, known):
                    found = name
        return found

    def _note_refusal(self) -> None:
        """Log refused keys, once a minute: whoever guesses must not fill the log."""
        self._refused += 1
        now = time.monotonic()
        if now - self._said >= _SAID_AGAIN_SECONDS:
            _log.warning("requests without an operator's key to /admin: %d", self._refused)
            self._said, self._refused = now, 0


def operator_of(scope: Scope) -> str:
    """Return the name of the operator whose request this is."""
    return str(scope.get(_OPERATOR, ""))


def _is_below(path: str) -> bool:
    path = canonical(path)
    return path == API or path.startswith(f"{API}/")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _denied() -> Problem:
    return Problem(
        401,
        "401",
        "This is not the key of an operator. A caller's key opens no page of operators; their keys are those "
        "of the setting OperatorKeys.",
        headers={"WWW-Authenticate": 'Bearer realm="operators"', "Connection": "close"},
    )
