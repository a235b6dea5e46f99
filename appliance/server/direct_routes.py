"""The busiest requests, without the layers that would only pass them on.

A POST to a path as it is listed, by a name that is known, with a key if keys are asked for and without the
headers that a layer reads: none of the layers would change it, refuse it or look further. It goes from the
connection to its endpoint, and its reply back, with the same headers and the same refusals. Everything else
takes the way through all of them.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from inspect import iscoroutinefunction
from typing import Final

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.authentication import Keys
from appliance.api.errors import HANDLERS
from appliance.api.middleware.allowed_hosts import AllowedHosts
from appliance.api.middleware.trusted_proxies import FORWARDED
from appliance.api.request_id import common_headers, enveloped
from appliance.api.responses import JsonResponse
from appliance.observability.instruments import Instruments
from appliance.request_ids import request_id as logged_id
from appliance.request_ids import uuid7
from appliance.server.connection.whole_reply import send_whole

_Endpoint = Callable[[Request], Awaitable[Response]]

_READ_BY_LAYERS: Final = FORWARDED | {b"origin", b"content-encoding", b"transfer-encoding"}
_WHOLE: Final = frozenset({Response, JSONResponse, JsonResponse})
"""Replies that are one body and nothing else."""
_CLOSE: Final = (b"connection", b"close")


class DirectRoutes:
    """ASGI application that answers some requests itself and hands the others on.

    Args:
        app: What answers the others.
        routes: All routes; taken are those of a fixed path that take POST alone.
        hosts: By which names the service is known.
        keys: What callers must send.
        stopping: Whether the service is about to stop, so that each connection ends with its reply.
        instruments: Where requests are counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[BaseRoute],
        *,
        hosts: AllowedHosts,
        keys: Keys,
        stopping: Callable[[], bool],
        instruments: Instruments,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._keys = keys
        self._routes = {
            route.path: _Measured(route.endpoint, instruments, stopping)
            for route in routes
            if isinstance(route, Route)
            and route.methods == {"POST"}
            and "{" not in route.path
            and iscoroutinefunction(route.endpoint)
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            route = self._routes.get(scope["path"])
            if route is not None and self._is_plain(scope):
                return route.serve(scope, receive, send)
        return self._app(scope, receive, send)

    def _is_plain(self, scope: Scope) -> bool:
        hosts = 0
        for name, value in scope["headers"]:
            if name in _READ_BY_LAYERS:
                return False
            if name == b"host":
                hosts += 1
                if not self._hosts.knows(value):
                    return False
        return hosts == 1 and self._keys.admit(scope)


class _Measured:
    """One endpoint, with its reply's common headers and the instruments of its requests."""

    def __init__(self, endpoint: _Endpoint, instruments: Instruments, stopping: Callable[[], bool]) -> None:
        self._endpoint = endpoint
        self._stopping = stopping
        self._name = getattr(endpoint, "__name__", "none")
        self._requests = instruments.requests
        self._by_status: dict[int, Counter] = {}
        self._seconds: Histogram = instruments.seconds.labels(self._name)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request_id = uuid7()
        scope["state"]["request_id"] = request_id
        scope["endpoint"] = self._endpoint
        scope["path_params"] = {}
        logged_id.set(request_id)
        status = 0
        try:
            request = Request(scope, receive, send)
            unexpected: Exception | None = None
            try:
                response = await self._endpoint(request)
            except Exception as error:
                handled, handler = _handler(error)
                response = await handler(request, error)
                if handled:
                    error.__traceback__ = None  # an error that is raised again and again would collect them
                else:
                    unexpected = error
            status = response.status_code
            if type(response) in _WHOLE and response.background is None:
                own = _own_headers(request_id, scope)
                await send_whole(send, response, [*own, _CLOSE] if self._stopping() else own)
            else:
                await response(scope, receive, enveloped(send, request_id, scope, ends=self._stopping()))
            if unexpected is not None:
                raise unexpected
        finally:
            self._count(status).inc()
            self._seconds.observe(time.perf_counter() - started)

    def _count(self, status: int) -> Counter:
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._requests.labels(self._name, str(status))
        return counter


def _handler(error: Exception) -> tuple[bool, Callable[[Request, Exception], Awaitable[Response]]]:
    """Return what answers an error, and whether that is all there is to be said of it."""
    for kind in type(error).__mro__:
        if kind in HANDLERS:
            return kind is not Exception, HANDLERS[kind]
    return False, HANDLERS[Exception]


def _own_headers(request_id: str, scope: Scope) -> list[tuple[bytes, bytes]]:
    secure = scope["scheme"] == "https"
    return [
        (name.lower().encode("ascii"), value.encode("ascii"))
        for name, value in common_headers(request_id, secure=secure)
    ]
