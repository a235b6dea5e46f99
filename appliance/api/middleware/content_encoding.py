"""Bodies that were compressed: gzip is read, within the limits of its reader; the rest is refused with 415.

A small body may be a large one in disguise, so it is let out in pieces, and only as long as its reader takes
them: the limit on bodies counts what comes out.
"""

import zlib
from collections.abc import Awaitable
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.api.errors import Problem, invalid_body

_PIECE: Final = 65_536
_OVERHEAD: Final = 1 << 20
"""How much longer than its content a gzip body may be; empty members have no end."""
_GZIP: Final = zlib.MAX_WBITS | 16
_GZIP_NAMES: Final = frozenset({b"gzip", b"x-gzip"})


class ContentEncoding:
    """ASGI middleware that decompresses bodies.

    Args:
        app: What reads them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http":
            said = [value for name, value in scope["headers"] if name == b"content-encoding"]
            said += [  # of `gzip, chunked` the chunks are joined by now
                coding
                for name, value in scope["headers"]
                if name == b"transfer-encoding"
                for coding in _split(value)
                if coding != b"chunked"
            ]
            if said:
                return self._decoded(b",".join(said), scope, receive, send)
        return self._app(scope, receive, send)

    def _decoded(self, said: bytes, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        codings = [coding for coding in _split(said) if coding not in (b"", b"identity")]
        if not codings:
            return self._app(scope, receive, send)
        if len(codings) > 1 or codings[0] not in _GZIP_NAMES:
            problem = _unsupported(codings)
            response = JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)
            return response(scope, receive, send)
        scope["headers"] = [
            one for one in scope["headers"] if one[0] not in (b"content-encoding", b"content-length")
        ]
        return self._app(scope, _Gunzipped(receive), send)


class _Gunzipped:
    """Receives a body decompressed, a piece each time.

    Args:
        receive: What receives it compressed.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._decompressor = zlib.decompressobj(_GZIP)
        self._pending = b""
        self._more = True
        self._begun = False
        self._balance = 0

    async def __call__(self) -> Message:
        """Return the next piece."""
        while True:
            while self._more and not self._pending:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._pending = message.get("body", b"")
                self._balance += len(self._pending)
                self._more = message.get("more_body", False)
            piece = self._next()
            done = not self._more and not self._pending
            if done and self._begun and not self._decompressor.eof and len(piece) < _PIECE:
                raise invalid_body("The gzip body ends too early.")
            done = done and (self._decompressor.eof or not self._begun)
            if piece or done:
                return {"type": "http.request", "body": piece, "more_body": not done}

    def _next(self) -> bytes:
        if self._decompressor.eof and self._pending:  # a file of several members
            self._decompressor = zlib.decompressobj(_GZIP)
        self._begun = self._begun or bool(self._pending)
        try:
            piece = self._decompressor.decompress(self._pending, _PIECE)
        except zlib.error:
            raise invalid_body("The body is not gzip, as its Content-Encoding says.") from None
        self._balance -= len(piece)
        if self._balance > _OVERHEAD:
            raise invalid_body("The gzip body is much longer than its content.")
        self._pending = self._decompressor.unconsumed_tail or self._decompressor.unused_data
        return piece


def _split(value: bytes) -> list[bytes]:
    return [part.strip().lower() for part in value.split(b",")]


def _unsupported(codings: list[bytes]) -> Problem:
    named = b", ".join(codings)[:80].decode("ascii", "replace")
    return Problem(
        415,
        "UnsupportedMediaType",
        f"A body with Content-Encoding {named} is not read here. Send it plain or as gzip.",
        headers={"Accept-Encoding": "gzip"},
    )
