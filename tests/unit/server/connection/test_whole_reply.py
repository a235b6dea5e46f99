"""A reply of one piece never carries a header that ends its line."""

import asyncio
from typing import Any, cast

import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from appliance.server.connection.whole_reply import send_whole


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


def cycle(wire: Wire, *, keep_alive: bool = True) -> RequestResponseCycle:
    return RequestResponseCycle(
        scope={"method": "POST"},  # type: ignore[typeddict-item]  # it reads no more of it
        transport=wire,
        flow=FlowControl(wire),
        logger=None,  # type: ignore[arg-type]
        access_logger=None,  # type: ignore[arg-type]
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


def reply(to: RequestResponseCycle, response: Response, *common: tuple[bytes, bytes]) -> None:
    asyncio.run(send_whole(cast("Send", to.send), response, list(common)))


def test_head_and_body_are_one_write_and_the_request_is_done() -> None:
    wire = Wire()
    one = cycle(wire)
    reply(one, JSONResponse({"a": 1}, status_code=202), (b"x", b"y"))
    head, _, body = wire.written.partition(b"\r\n\r\n")
    assert head.splitlines() == [
        b"HTTP/1.1 202 Accepted",
        b"date: today",
        b"content-length: 7",
        b"content-type: application/json; charset=utf-8",
        b"x: y",
    ]
    assert body == b'{"a":1}'
    assert one.response_complete
    assert not wire.closed


def test_a_connection_that_ends_says_so_and_is_closed() -> None:
    wire = Wire()
    reply(cycle(wire, keep_alive=False), Response("a"))
    assert b"\r\nconnection: close\r\n" in wire.written
    assert wire.closed


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\rb"])
def test_a_header_with_the_end_of_a_line_is_not_sent(value: str) -> None:
    wire = Wire()
    with pytest.raises(RuntimeError, match="end of a line"):
        reply(cycle(wire), Response("a", headers={"x": value}))
    assert wire.written == b""


def test_nothing_is_sent_to_a_caller_who_has_left() -> None:
    wire = Wire()
    one = cycle(wire)
    one.disconnected = True
    reply(one, Response("a"))
    assert wire.written == b""
