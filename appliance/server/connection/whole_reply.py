"""A reply of one piece: head and body in one write.

uvicorn writes both by themselves, each with a system call, and looks at each header. Replies that were made
here need neither.
"""

from typing import Final

from starlette.responses import Response
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_JSON: Final = b"application/json"
_JSON_UTF8: Final = b"application/json; charset=utf-8"


async def send_whole(send: Send, response: Response, common: list[tuple[bytes, bytes]]) -> None:
    """Send a reply whose body is all there.

    Args:
        send: What the server gave the application to send with.
        response: The reply, its headers without line ends.
        common: Further headers, those that every reply carries.
    """
    headers = [
        (name, _JSON_UTF8 if name == b"content-type" and value == _JSON else value)
        for name, value in response.raw_headers
    ]
    headers += common
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or cycle.response_started or cycle.access_log:
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        return
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    if any(name == b"connection" and b"close" in value.lower() for name, value in headers):
        cycle.keep_alive = False
    elif not cycle.keep_alive:
        headers.append((b"connection", b"close"))
    headers = cycle.default_headers + headers
    pieces = [STATUS_LINE[response.status_code]]
    for name, value in headers:
        pieces += (name, b": ", value, b"\r\n")
    head = b"".join(pieces)
    if not head.count(b"\r") == head.count(b"\n") == len(headers) + 1:
        raise RuntimeError("a header of a reply holds the end of a line")
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join((head, b"\r\n", response.body)))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
