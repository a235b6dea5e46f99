"""Access keys: none is needed unless the operator set some, as in the containers.

Pages of this package and the two probes need none: a browser or a probe that opens them cannot send a header.
Without a key the probes say what the containers say, and nothing of customer, licence and usage.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Sequence
from typing import Final

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.errors import Problem
from appliance.api.middleware.path_normalization import canonical

_GUARDED: Final = frozenset({"http", "websocket"})
_NAMES: Final = ("ocp-apim-subscription-key", "authorization")
_OPEN: Final = frozenset(
    {
        "/",
        "/ready",
        "/status",
        "/containerreadiness",
        "/containerliveness",
        "/openapi.json",
        "/swagger",
        "/admin",
        "/docs",
        "/label",
        "/listen",
    }
)
_WITHOUT_KEY: Final = "appliance.without_key"
_CALLER: Final = "appliance.caller"
_OPEN_BELOW: Final = ("/static/", "/swagger/", "/docs/")


class Keys:
    """The keys that open a service.

    A key is taken from `Ocp-Apim-Subscription-Key`, or from `Authorization` with or without `Bearer`. Of an
    upgrade to WebSocket it is taken from the query too: browsers cannot send headers there.

    Args:
        callers: The keys, each with the name that the operator gave it; with none, everybody is let in.
    """

    def __init__(self, callers: Sequence[tuple[str, str]]) -> None:
        self._digests = [(name, _digest(key)) for name, key in callers]

    def admit(self, scope: Scope) -> bool:
        """Whether a request carries one of the keys, or none is asked for."""
        return self.caller(scope) is not None

    def caller(self, scope: Scope) -> str | None:
        """Return the name of the key that a request carries: empty if none is asked for, None without one."""
        if not self._digests:
            return ""
        found: str | None = None
        for key in offered_keys(scope):
            digest = _digest(key)
            # Digests are of one length and every key is compared: the time tells nothing of a key.
            for name, known in self._digests:
                if hmac.compare_digest(digest, known):
                    found = name
        return found


class AccessControl:
    """ASGI middleware that refuses requests without one of some keys.

    Args:
        app: What is guarded.
        keys: The keys.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve or refuse one request."""
        if scope["type"] not in _GUARDED:
            return self._app(scope, receive, send)
        caller = self._keys.caller(scope)
        if caller is not None:
            scope[_CALLER] = caller
            return self._app(scope, receive, send)
        if _open(scope["path"]):
            scope[_WITHOUT_KEY] = True
            return self._app(scope, receive, send)
        problem = _denied()
        response = JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)
        return response(scope, receive, send)


def without_key(scope: Scope) -> bool:
    """Whether a request for an open path came without a key, where keys are asked for."""
    return bool(scope.get(_WITHOUT_KEY))


def caller_name(scope: Scope) -> str:
    """Return the name of the key that a request came with; empty where callers have no keys."""
    return str(scope.get(_CALLER, ""))


def offered_keys(scope: Scope) -> list[str]:
    """Return the keys that a request carries, without `Bearer`."""
    headers = Headers(scope=scope)
    offered = [value for name in _NAMES for value in headers.getlist(name)]
    if scope["type"] == "websocket":
        query = QueryParams(scope["query_string"])
        offered += [value for name, value in query.multi_items() if name.lower() in _NAMES]
    return [_bare(value) for value in offered]


def _bare(value: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value.strip()


def _open(path: str) -> bool:
    path = canonical(path)
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _denied() -> Problem:
    return Problem(
        401,
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
        "key for an active subscription and use a correct regional API endpoint for your resource.",
        headers={"WWW-Authenticate": 'Bearer realm="appliance"', "Connection": "close"},
    )
