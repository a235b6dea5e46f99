"""The HTTP connection: limits and time-outs for real clients, proxies and hostile callers.

What is added to uvicorn's: a head of bounded size (431, 414); time-outs for head, body and silence; an offer
to upgrade that is not taken is passed over; malformed HTTP is refused in the documented shape; and no reply
is lost because its caller was still sending. Deadlines are looked at by the sweep of `Connections`, so that a
request sets no timers.
"""

import asyncio
import re
from enum import IntEnum
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.api.errors import Problem, invalid_http, overloaded, request_timeout, too_long
from appliance.server.connection.connections import Connections
from appliance.server.connection.half_close import HalfClosing
from appliance.server.connection.raw_reply import closing_reply

HEAD_BYTES: Final = 65_536
"""The longest head of a request, its first line included; also what chunks and trailers may add to a body."""
LINGER_BYTES: Final = 64 << 20
LINGER_SECONDS: Final = 30.0
LINGER_SILENCE_SECONDS: Final = 5.0
SLOWEST_BYTES: Final = 1024
"""What must come of a body in each time-out, so that a byte now and then does not hold a place."""
PROBES: Final = frozenset({b"/ready", b"/status", b"/containerreadiness", b"/containerliveness"})

_VERSIONS: Final = ("1.1", "1.0")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)/?(.*)", re.IGNORECASE | re.DOTALL)
_OFFERS: Final = frozenset({b"upgrade", b"http2-settings"})


class Answered:
    """Stands where uvicorn keeps the request that a connection is busy with: this one is answered."""

    response_complete = True
    disconnected = False
    keep_alive = False
    message_event = asyncio.Event()


class _Reading(IntEnum):
    """Which part of a request is being read."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        table: The open connections of this server.
        options: uvicorn's own.
    """

    def __init__(self, *, table: Connections, **options: Any) -> None:
        super().__init__(**options)
        self.active = self.loop.time()
        self.url = b""
        self._table = table
        self._limits = table.limits
        self._raw: asyncio.Transport = None  # type: ignore[assignment]  # as uvicorn does until it is connected
        self._gate: HalfClosing = None  # type: ignore[assignment]
        self._connected = False
        self._reading = _Reading.NOTHING
        self._deadline = 0.0
        self._head_bytes = 0
        self._body_received = 0
        self._body_marked = 0
        self._body_bytes = 0
        self._large_piece = False
        self._probes_only = False
        self._ignored_offer = False
        self._begun = False
        self._taken = False
        self._upgraded = False
        self._deaf = False
        self._dropped = 0
        self._stalled_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Take a place, if there is one."""
        self._raw = transport
        self._connected = True
        self._gate = HalfClosing(transport, self._close)
        super().connection_made(cast("asyncio.Transport", self._gate))
        self._deadline = self.loop.time() + self._limits.head_seconds
        admitted = self._table.admit(self)
        if admitted is None:
            self._deaf = True
        self._probes_only = not admitted

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if not self._connected:  # TLS was never agreed on
            return
        self._gate.closing = True
        self._table.remove(self)
        super().connection_lost(exc)

    # Reading

    def data_received(self, data: bytes) -> None:
        """Read what came: heads in pieces that keep to their limit."""
        self.active = self.loop.time()
        while data:
            if self._deaf:
                self._drop(len(data))
                return
            if self._reading is _Reading.BODY:
                self._body_received += len(data)
                if self.cycle.response_complete and self._over_budget(len(data)):
                    return
                piece, data = data, b""
            else:
                room = HEAD_BYTES - self._head_bytes
                piece, data = (data, b"") if len(data) <= room else (data[:room], data[room:])
                self._head_bytes += len(piece)
            self._large_piece = len(piece) > HEAD_BYTES
            before = self._reading
            data = self._feed(piece) + data
            if self._reading is not before or self._reading is not _Reading.BODY:
                self._look(before)
            elif self._body_received > 8 * self._body_bytes + 2 * HEAD_BYTES:
                # Chunk sizes, extensions and trailers may not grow for ever beside a body that does not.
                self._refuse(too_long("What surrounds the body", HEAD_BYTES, status=431))

    def _feed(self, piece: bytes) -> bytes:
        """Parse; return what is to be read as another message."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as end:
            if self._deaf:
                return b""
            if not self._ignored_offer:
                self.handle_websocket_upgrade()
                return b""
            return self._read_without_offer() + piece[end.args[0] :]
        except httptools.HttpParserError:
            self._refuse(invalid_http())
        return b""

    def _look(self, before: _Reading) -> None:
        """Set the deadline of what is read now, and refuse a head that has come to its limit."""
        if self._deaf or self._upgraded:
            return
        if self._reading is _Reading.BODY:
            self._body_marked = self._body_received
            self._deadline = self.active + self._limits.body_seconds
        elif self._head_bytes >= HEAD_BYTES:
            self._refuse_long_head()
        elif self._reading is _Reading.HEAD and before is not _Reading.HEAD:
            self._deadline = self.active + self._limits.head_seconds

    def on_message_begin(self) -> None:
        """Begin with a head."""
        self._reading = _Reading.HEAD
        self._begun = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin with a request, unless it offers another protocol or there is no place for it."""
        if self._deaf:
            return
        self._reading = _Reading.BODY
        self._head_bytes = self._body_received = self._body_bytes = self._dropped = 0
        self._taken = self.parser.should_upgrade() and self._takes_offer()
        if self._large_piece and self._length_of_head() > HEAD_BYTES:
            self._refuse_long_head()
            return
        if self.parser.get_http_version() not in _VERSIONS:
            self._refuse(invalid_http("The request line ends in neither HTTP/1.1 nor HTTP/1.0."))
            return
        if not self.url.startswith(b"/"):
            self._read_absolute_target()
        if self.parser.should_upgrade() and not self._taken:
            if self.parser.get_method() == b"CONNECT":
                self._refuse(invalid_http("CONNECT is for proxies; this is not a proxy."))
            self._ignored_offer = True
            return
        if self._probes_only and not self._is_probe():
            self._refuse(overloaded())
            return
        self.begin()
        self._begun = True
        # What follows the body is not a header: trailers end in a list that nobody reads.
        self.headers = []

    def _read_absolute_target(self) -> None:
        """Take an address in place of a path apart: the host that it names stands for the Host header.

        So RFC 9112 has it in section 3.2.2. `*` and the target of CONNECT stay as they are.
        """
        found = _ABSOLUTE.fullmatch(self.url)
        if found is None:
            return
        self.url = b"/" + found[2]
        if self.parser.get_http_version() == "1.0" and all(name != b"host" for name, _ in self.headers):
            self.headers.append((b"host", b""))
        # As many headers as there were: none, or two, are still refused.
        self.headers[:] = [(name, found[1] if name == b"host" else value) for name, value in self.headers]

    def begin(self) -> None:
        """Begin with a request whose head is here."""
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on."""
        self._body_bytes += len(body)
        if not self._deaf and not self._ignored_offer:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is here."""
        if self._ignored_offer or self._deaf:
            return
        self._reading = _Reading.NOTHING
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with one that is here already; without uvicorn's timer."""
        self.server_state.total_requests += 1
        if self._gate.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        now = self.active = self.loop.time()
        if self._reading is _Reading.NOTHING:
            self._deadline = now + self._limits.keep_alive_seconds
        elif self._reading is _Reading.HEAD:
            self._deadline = now + self._limits.head_seconds
        else:  # refused while it is still being sent: the rest is read past, within bounds
            self._deadline = now + LINGER_SECONDS
            self._dropped = 0

    # Offers to upgrade

    def _should_upgrade(self) -> bool:
        """Whether the offer of this request is taken; uvicorn asks more than once."""
        return self._taken

    def _takes_offer(self) -> bool:
        """Whether an offer is one that is taken: a WebSocket, as its handshake asks for it."""
        if self.parser.get_method() != b"GET" or self.parser.get_http_version() != "1.1":
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        offered = [value.strip().lower() for name, value in self.headers if name == b"upgrade"]
        keyed = any(name == b"sec-websocket-key" for name, _ in self.headers)
        return offered == [b"websocket"] and keyed and self._should_upgrade_to_ws()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket; its place stays taken until that is closed."""
        self._upgraded = True
        self._deaf = True
        self.transport = self._raw
        super().handle_websocket_upgrade()

    def _read_without_offer(self) -> bytes:
        """Return the head again without an offer that is not taken.

        The parser takes it for granted that another protocol follows such a head, and reads no body.
        """
        self._ignored_offer = False
        self._reading = _Reading.NOTHING
        self._head_bytes = 0
        version = self.parser.get_http_version()
        method = self.parser.get_method()
        self.parser = httptools.HttpRequestParser(self)
        lines = [b"%s %s HTTP/%s\r\n" % (method, self.url, version.encode())]
        for name, value in self.headers:
            if name == b"connection":
                kept = [token.strip() for token in value.split(b",") if token.strip().lower() not in _OFFERS]
                if not any(kept):
                    continue
                value = b", ".join(kept)  # noqa: PLW2901
            if name not in _OFFERS:
                lines.append(b"%s: %s\r\n" % (name, value))
        return b"".join((*lines, b"\r\n"))

    # Refusing

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (uvicorn's)
        """Refuse in the documented shape; uvicorn would call this."""
        self._refuse(invalid_http())

    def _refuse(self, problem: Problem) -> None:
        """Answer in place of the application, and end the connection."""
        if self._deaf:
            return
        self._deaf = True
        cycle = self.cycle
        if self._begun and self._reading is _Reading.BODY and cycle.response_complete:
            self._linger()  # this request has its answer, before its body was at an end
            return
        if cycle is not None and not cycle.response_complete:
            if self._reading is not _Reading.BODY or cycle.response_started or self.pipeline:
                # An earlier request is being answered: its reply goes out, and nothing after it.
                cycle.keep_alive = False
                self._deadline = self.loop.time() + LINGER_SECONDS
                if self._reading is _Reading.BODY:
                    self._break_off(cycle)
                return
            self._break_off(cycle)
        self.cycle = cast("Any", Answered())
        self._gate.write(self.refusal(problem))
        self._linger()

    def refusal(self, problem: Problem) -> bytes:
        """Return the reply that refuses what is no request, or comes too late."""
        return closing_reply(problem, self.server_state.default_headers, secure=self.scheme == "https")

    def _break_off(self, cycle: Any) -> None:
        """The body of a request ends too early: its application hears of it, and what it says is dropped."""
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            self._linger()

    def _refuse_long_head(self) -> None:
        what, status = ("address", 414) if len(self.url) > HEAD_BYTES // 2 else ("head", 431)
        self._refuse(too_long(f"The request's {what}", HEAD_BYTES, status=status))

    def _length_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _is_probe(self) -> bool:
        path = self.url.partition(b"?")[0].lower()
        return b"/" + path.strip(b"/") in PROBES

    # Closing

    def _close(self) -> None:
        """Close after a reply: at once, or once the caller has heard it."""
        if self._gate.closing:
            return
        if self._reading is _Reading.NOTHING:
            self._gate.closing = True
            self._deaf = True
            self._deadline = self.loop.time() + LINGER_SECONDS
            self._raw.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """End this direction, and read past what still comes."""
        if self._gate.closing:
            return
        self._gate.closing = True
        self._deaf = True
        self._dropped = 0
        self.active = self.loop.time()
        self._deadline = self.active + LINGER_SECONDS
        self.flow.resume_reading()
        if not self._raw.is_closing() and self._raw.can_write_eof():
            self._raw.write_eof()

    def _drop(self, count: int) -> None:
        self._dropped += count
        if self._dropped > LINGER_BYTES and not self._upgraded:
            self._raw.abort()

    def _over_budget(self, count: int) -> bool:
        """Count what comes of a body whose request is answered; past the bound, end the connection."""
        self._dropped += count
        if self._dropped <= LINGER_BYTES:
            return False
        self._raw.abort()
        return True

    def shutdown(self) -> None:
        """The server stops: close, or close after the reply."""
        if self._gate.closing:
            self._raw.abort()
            return
        super().shutdown()

    def pause_writing(self) -> None:
        """The caller reads slower than it is answered."""
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read on."""
        self._stalled_since = 0.0
        super().resume_writing()

    # For the table of connections

    def waiting(self) -> bool:
        """Whether nothing of a request is here and nothing is answered."""
        return self._gate.closing or (self._reading is _Reading.NOTHING and not self._busy())

    def answering(self) -> bool:
        """Whether a whole request is here and its reply is not out yet."""
        return self._upgraded or (self._reading is not _Reading.BODY and self._busy())

    def drop(self) -> None:
        """Close at once."""
        self._gate.closing = True
        self._raw.abort()

    def check(self, now: float) -> None:
        """Look at the deadlines."""
        if self._upgraded:
            if self._raw.is_closing():
                self._table.remove(self)
        elif self._stalled_since and now - self._stalled_since > self._limits.body_seconds:
            self._raw.abort()
        elif self._gate.closing:
            if now > self._deadline or now - self.active > LINGER_SILENCE_SECONDS:
                self._raw.abort()
        elif now > self._deadline:
            if self._deaf:
                self._raw.abort()
            else:
                self._on_deadline(now)

    def _on_deadline(self, now: float) -> None:
        if self._reading is _Reading.BODY:
            self._on_slow_body(now)
        elif self._busy():
            return
        elif self._reading is _Reading.HEAD:
            self._refuse(request_timeout("head", self._limits.head_seconds))
        elif self._raw.get_write_buffer_size():
            self._raw.abort()  # a reply is still on its way to somebody who does not read
        else:
            self._close()

    def _on_slow_body(self, now: float) -> None:
        if self.cycle.response_complete:
            self._linger()
        elif self.flow.read_paused or self._body_received - self._body_marked >= SLOWEST_BYTES:
            self._body_marked = self._body_received
            self._deadline = now + self._limits.body_seconds
        else:
            self._refuse(request_timeout("body", self._limits.body_seconds))

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete
