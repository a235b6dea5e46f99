"""Reading a request body within a limit, before anything is parsed."""

from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from appliance.api.errors import Problem, body_too_large, invalid_body, unsupported_charset

_UTF8: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_GZIP: Final = b"\x1f\x8b"


async def body_chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body's bytes as they arrive, never more than the limit.

    Args:
        request: The request; its body must not have been read.
        limit: Most bytes accepted; the announced length is looked at first, then what really arrives.

    Raises:
        Problem: 413 over the limit, 400 for an empty body or one that breaks off.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise body_too_large(limit)
    read = 0
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read > limit:
                raise body_too_large(limit)
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise Problem(400, "InvalidRequest", "The caller left before the body was complete.") from None
    if not read:
        raise invalid_body("The body is empty.")


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; arguments and errors as of `body_chunks`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) <= limit:
        # Mostly all of it is here, in one piece, and it costs less to take that than to wait for pieces.
        message = await request.receive()
        body = message.get("body", b"")
        if (
            message["type"] == "http.request"
            and not message.get("more_body", False)
            and 0 < len(body) <= limit
        ):
            return bytes(body)
        request = Request(request.scope, _Returned(message, request.receive))
    pieces = bytearray()
    async for chunk in body_chunks(request, limit):
        pieces += chunk
    return bytes(pieces)


class _Returned:
    """Receives a message that was taken before, then what comes after it."""

    def __init__(self, message: Message, receive: Receive) -> None:
        self._first: Message | None = message
        self._receive = receive

    async def __call__(self) -> Message:
        if self._first is None:
            return await self._receive()
        message, self._first = self._first, None
        return message


async def read_json_body(request: Request, limit: int) -> bytes:
    """The bytes of a body that is JSON, which is UTF-8 (RFC 8259), without a byte order mark.

    Raises:
        Problem: As of `read_body`; 415 for another encoding, naming it.
    """
    body = await read_body(request, limit)
    if body.startswith(_GZIP):
        raise Problem(
            415,
            "UnsupportedMediaType",
            "The body is gzip, and no header says so. Send Content-Encoding: gzip.",
        )
    foreign = _charset_label(request.headers.get("content-type", "")) or _wide_encoding(body[:4])
    if foreign:
        raise unsupported_charset(foreign)
    return body.removeprefix(BOM_UTF8)


def _charset_label(content_type: str) -> str:
    """Return the encoding that a content type names, if it is not UTF-8."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower()
            return "" if charset in _UTF8 else charset[:40]
    return ""


def _wide_encoding(start: bytes) -> str:
    """Name UTF-16 or UTF-32 by a body's first four bytes: JSON begins with ASCII, so the zeros tell."""
    if start in (b"\xff\xfe\0\0", b"\0\0\xfe\xff") or start[:3] == b"\0\0\0" or start[1:] == b"\0\0\0":
        return "utf-32"
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start[:2]:
        return "utf-16"
    return ""
