"""One bounded HTTP exchange: an address, a POST, a reply or the reason why there is none.

Knows the wire and its failures, nothing of licences; what a reply means is for `license.client.licenses`.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from license.errors import (
    BadReply,
    BillingInvalid,
    CouldNotConnect,
    DownloadError,
    Malformed,
    TimedOut,
    TLSFailed,
)
from license.trust.signed_note import MAX_NOTE_BYTES

MAX_REPLY_BYTES: Final = 4 * MAX_NOTE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy on the way.

    Attributes:
        host: Name or address.
        port: TCP port.
        authorization: Value of `Proxy-Authorization`; empty without credentials.
    """

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The proxy's address, for messages."""
        return f"http://{_bracketed(self.host)}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy alone is told."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to ask.

    Attributes:
        tls: Whether by `https`.
        host: Name or address.
        port: TCP port.
        path: Path of the request, beginning with `/`.
        proxy: The proxy to ask through; None to ask directly.
    """

    tls: bool
    host: str
    port: int
    path: str
    proxy: Proxy | None = None

    @property
    def shown(self) -> str:
        """The server's address, for messages."""
        return f"{'https' if self.tls else 'http'}://{_bracketed(self.host)}:{self.port}"

    @property
    def target(self) -> str:
        """What stands in the request line: the path, or the whole address for a proxy that reads it."""
        return self.path if self.proxy is None or self.tls else f"{self.shown}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whole and of bounded size.

    Attributes:
        code: HTTP status.
        headers: Headers.
        body: Body.
    """

    code: int
    headers: http.client.HTTPMessage
    body: bytes


def parse_proxy(address: str, credentials: str = "") -> Proxy:
    """Return the proxy of an address such as `http://proxy:8888`.

    Args:
        address: Its address; `http://` may be left out.
        credentials: `user:password`, or empty.

    Raises:
        Malformed: It is not such an address.
    """
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port
    except ValueError as error:
        raise Malformed(f"the proxy is not an address: {error}") from error
    if parts.scheme != "http" or not parts.hostname or not address.isascii() or not address.isprintable():
        raise Malformed("the proxy must look like http://proxy:8888")
    name = credentials or parts.netloc.rpartition("@")[0]
    authorization = f"Basic {base64.b64encode(name.encode()).decode('ascii')}" if name else ""
    return Proxy(host=parts.hostname, port=port or 80, authorization=authorization)


def parse_address(billing: str, path: str, proxy: Proxy | None = None) -> Endpoint:
    """Return the endpoint for `path` below the address in `Billing`.

    Raises:
        BillingInvalid: not an `http` or `https` address, or one with more than host, port and path.
    """
    try:
        parts = urlsplit(billing)
        port = parts.port
    except ValueError as error:
        raise BillingInvalid(f"Billing is not an address: {error}") from error
    if not billing.isascii() or not billing.isprintable() or " " in billing:
        raise BillingInvalid("Billing holds characters that no address has")
    if parts.query or parts.fragment or "@" in billing:  # first: no message may quote a password
        raise BillingInvalid("Billing may hold neither a user name, nor a query, nor a fragment")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BillingInvalid(f"Billing must be an http or https address, not {billing[:80]!r}")
    tls = parts.scheme == "https"
    return Endpoint(
        tls=tls,
        host=parts.hostname,
        port=port or (443 if tls else 80),
        path=parts.path.rstrip("/") + path,
        proxy=proxy,
    )


def get(endpoint: Endpoint, headers: Mapping[str, str], timeout_s: float) -> Reply:
    """Ask for `endpoint` and return the reply; as `post`."""
    return _exchange("GET", endpoint, None, headers, timeout_s)


def post(endpoint: Endpoint, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Reply:
    """Send `body` and return the reply, or raise, within `timeout_s` seconds overall.

    A socket's own time-out starts anew with every byte that drips in, and looking up a name has none: so the
    exchange runs in a thread of its own that is left behind when the time is over.

    Raises:
        CouldNotConnect: no answer; `TimedOut` and `TLSFailed` are kinds of it.
        BadReply: an answer that is not HTTP, or too large.
    """
    return _exchange("POST", endpoint, body, headers, timeout_s)


@contextmanager
def connect(endpoint: Endpoint, stall_s: float) -> Iterator[http.client.HTTPConnection]:
    """Open a connection for a long answer, which the caller reads; each step may take `stall_s` seconds.

    Raises:
        CouldNotConnect: nobody answers; `TimedOut` and `TLSFailed` are kinds of it.
    """
    connection = _connection(endpoint, stall_s)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise failure(endpoint, error, stall_s) from error
        yield connection
    finally:
        connection.close()


def _exchange(
    method: str, endpoint: Endpoint, body: bytes | None, headers: Mapping[str, str], timeout_s: float
) -> Reply:
    connection = _connection(endpoint, timeout_s)
    outcome: list[Reply | Exception] = []

    def exchange() -> None:
        try:
            connection.request(method, endpoint.target, body, all_headers(endpoint, headers))
            with connection.getresponse() as response:
                data = response.read(MAX_REPLY_BYTES + 1)
            outcome.append(Reply(code=response.status, headers=response.headers, body=data))
        except Exception as error:  # whatever it is, the caller's thread has to learn of it
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=exchange, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        _abandon(connection)
        raise _timed_out(endpoint, timeout_s)
    reply = outcome[0]
    if isinstance(reply, Exception):
        raise failure(endpoint, reply, timeout_s) from reply
    if len(reply.body) > MAX_REPLY_BYTES:
        raise BadReply(f"{endpoint.shown} answers with more than {MAX_REPLY_BYTES} bytes")
    return reply


def render(method: str, endpoint: Endpoint, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    """Return the bytes that `get` or `post` would put on the wire, before any TLS."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    if endpoint.tls:
        connection.default_port = http.client.HTTPS_PORT
    wire = _Wire()
    connection.sock = wire
    connection.request(method, endpoint.target, body, all_headers(endpoint, headers))
    return bytes(wire.sent)


class _Wire:
    """Stands where a socket would, and keeps what is sent."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.sent += data


def all_headers(endpoint: Endpoint, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request; a proxy that reads the request itself is shown its credentials."""
    proxy = endpoint.proxy
    return {**headers, **(proxy.headers if proxy is not None and not endpoint.tls else {})}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _connection(endpoint: Endpoint, timeout_s: float) -> http.client.HTTPConnection:
    proxy = endpoint.proxy
    host, port = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
    if not endpoint.tls:
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    if proxy is not None:
        connection.set_tunnel(endpoint.host, endpoint.port, proxy.headers)
    return connection


def _abandon(connection: http.client.HTTPConnection) -> None:
    """Wake the thread that waits on the connection, so that it ends by itself."""
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def failure(endpoint: Endpoint, error: Exception, timeout_s: float) -> DownloadError:
    """Return the refusal that says what went wrong on the way; the order is from special to general."""
    where = endpoint.shown
    refusal: DownloadError
    match error:
        case TimeoutError():
            refusal = _timed_out(endpoint, timeout_s)
        case ssl.SSLCertVerificationError():
            refusal = TLSFailed(f"the certificate of {where} is not trusted: {error.verify_message}")
        case ssl.SSLError():
            refusal = TLSFailed(f"no TLS connection to {where}: {error.reason or 'not a TLS server'}")
        case ConnectionRefusedError():
            # With a proxy on the way, it is the proxy that is called.
            called = where if endpoint.proxy is None else f"the proxy {endpoint.proxy.shown}"
            refusal = CouldNotConnect(f"nobody listens at {called} (connection refused)")
        case ConnectionError():
            refusal = CouldNotConnect(f"{where}{_through(endpoint)} broke off without an answer")
        case OSError():
            refusal = CouldNotConnect(f"cannot reach {where}{_through(endpoint)}: {error.strerror or error}")
        case _:
            refusal = BadReply(f"{where} does not answer in HTTP")
    return refusal


def _through(endpoint: Endpoint) -> str:
    return "" if endpoint.proxy is None else f" through the proxy {endpoint.proxy.shown}"


def _timed_out(endpoint: Endpoint, timeout_s: float) -> TimedOut:
    return TimedOut(f"{endpoint.shown} did not answer within {timeout_s:g} s")
