"""What every reply carries, whatever made it: a request id that the ledger knows too, and safety headers."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.request_ids import request_id as logged_id
from appliance.request_ids import uuid7


def common_headers(request_id: str, *, secure: bool) -> list[tuple[str, str]]:
    """Return the headers that every reply carries.

    Args:
        request_id: The request's id.
        secure: Whether the reply goes out over TLS.
    """
    headers = [("apim-request-id", request_id), ("X-Content-Type-Options", "nosniff")]
    if secure:
        headers.append(("Strict-Transport-Security", "max-age=31536000"))
    return headers


class Envelope:
    """ASGI middleware that gives each request an id and each reply its common headers.

    The id is `request.state.request_id`, the `apim-request-id` header of the reply and the `id` of the
    request's usage record, so a caller, an operator and an auditor mean the same thing by it.

    Args:
        app: What answers.
        stopping: Whether the service is about to stop. Then each reply ends its connection: one that is kept
            may be closed in the instant in which its caller sends the next request.
    """

    def __init__(self, app: ASGIApp, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = uuid7()
        scope.setdefault("state", {})["request_id"] = request_id
        logged_id.set(request_id)

        await self._app(scope, receive, enveloped(send, request_id, scope, ends=self._stopping()))


def enveloped(send: Send, request_id: str, scope: Scope, *, ends: bool) -> Send:
    """Return what sends a reply with its common headers.

    Args:
        send: What sends it as it is.
        request_id: The request's id.
        scope: The request.
        ends: Whether the connection ends with this reply.
    """

    async def send_with_headers(message: Message) -> None:
        if message["type"].endswith("http.response.start"):  # also when an upgrade is refused
            headers = MutableHeaders(scope=message)
            for name, value in common_headers(request_id, secure=scope.get("scheme") in ("https", "wss")):
                headers[name] = value
            if headers.get("content-type") == "application/json":
                headers["content-type"] = "application/json; charset=utf-8"
            if ends and message["type"] == "http.response.start":
                headers["connection"] = "close"
        await send(message)

    return send_with_headers
