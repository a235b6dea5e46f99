"""Bytes to a service as no client library would send them, and what comes back."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.site import SENTENCE

ANALYZE = "/language/:analyze-text?api-version=2023-04-01"
BODY = json.dumps(
    {
        "kind": "EntityRecognition",
        "analysisInput": {"documents": [{"id": "1", "language": "en", "text": SENTENCE}]},
    }
).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> dict[str, Any]:
        """The error of a reply that is one, in the documented shape."""
        assert self.headers["content-type"] == "application/json; charset=utf-8", self
        assert self.headers["apim-request-id"], self
        error: dict[str, Any] = self.json()["error"]
        assert {"code", "message"} <= error.keys() <= {"code", "message", "innererror", "target", "details"}
        return error


class Wire:
    """One connection to a service."""

    def __init__(self, url: str, *, timeout: float = 20, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=timeout)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self, *, method: str = "POST") -> Reply:
        """Read one reply."""
        line = self._file.readline()
        if not line:
            raise EOFError("closed without a reply")
        status = int(line.split()[1])
        headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if status < 200 or method == "HEAD":
            return Reply(status, headers, b"")
        return Reply(status, headers, self._file.read(int(headers.get("content-length", 0))))

    def ended(self) -> bool:
        """Whether the service closed this connection; waits for it."""
        try:
            return self._file.read() == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def wire(url: str, **options: Any) -> Iterator[Wire]:
    """A connection to a service."""
    opened = Wire(url, **options)
    try:
        yield opened
    finally:
        opened.close()


def head(method: str = "POST", target: str = ANALYZE, /, *, host: str = "localhost", **headers: Any) -> bytes:
    """The head of a request; `_` in names becomes `-`."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def post(body: bytes = BODY, target: str = ANALYZE, **headers: Any) -> bytes:
    """A whole POST."""
    return head("POST", target, Content_Type="application/json", Content_Length=len(body), **headers) + body


def seconds_until(condition: Any, limit: float = 30) -> float:
    """Wait for a condition and return how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit:
            raise AssertionError("it never came")
        time.sleep(0.05)
    return time.monotonic() - began
