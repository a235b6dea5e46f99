"""Bodies of requests, read within their limit."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request


def check_length(request: Request, limit: int) -> None:
    """Refuse a body by its announced length; raises `HTTPException`."""
    length = request.headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 10 or int(length) > limit:
        raise HTTPException(413)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, reading no more than `limit` bytes; raises `HTTPException` beyond."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413)
    return body
