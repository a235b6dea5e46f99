"""A client of the speech protocol that is not the SDK: says exactly what it is told, right or wrong."""

import contextlib
import json
import struct
import uuid
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

CHUNK = 3_200
PATH = "/speech/recognition/{mode}/cognitiveservices/v1"
SECONDS = 60
CONTINUATION = {"X-Continuation-Audio-Streams-1-Offset", "X-Continuation-Token"}


def header(rate: int = 16_000, channels: int = 1, bits: int = 16, tag: int = 1, size: int = 0) -> bytes:
    """A WAV header as clients send it, with sizes that mean nothing."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size)
    )


class Wire:
    """One connection."""

    def __init__(
        self, url: str, mode: str = "interactive", query: str = "language=en-us", **more: Any
    ) -> None:
        place = url.replace("http://", "ws://", 1) + PATH.format(mode=mode)
        self._opened = contextlib.ExitStack()
        self.socket: ClientConnection = self._opened.enter_context(
            connect(
                f"{place}?{query}",
                proxy=None,
                open_timeout=SECONDS,
                close_timeout=1,
                compression=None,
                **more,
            )
        )
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.heard = 0  # ticks of the turn that need not be sent again

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def context(self, turn: str, body: dict[str, Any] | None = None) -> None:
        self.text(f"Path:speech.context\r\nX-RequestId:{turn}\r\n\r\n{json.dumps(body or {})}")

    def text(self, message: str) -> None:
        self.socket.send(message)

    def audio(self, turn: str, data: bytes, *, stream: bool = True) -> None:
        lines = f"Path:audio\r\nX-RequestId:{turn}\r\n" + ("X-StreamId:1\r\n" if stream else "")
        # The service may refuse while a client still speaks; whoever reads next learns of it.
        with contextlib.suppress(ConnectionClosed):
            self.socket.send(struct.pack(">H", len(lines)) + lines.encode() + data)

    def say(self, turn: str, pcm: bytes, *, head: bytes | None = None, end: bool = True) -> None:
        """Send a whole turn as clients do: header, tenths of seconds, and an empty message."""
        self.audio(turn, header() if head is None else head)
        for at in range(0, len(pcm), CHUNK):
            self.audio(turn, pcm[at : at + CHUNK])
        if end:
            self.audio(turn, b"")

    def receive(self, seconds: float = SECONDS) -> tuple[str, str, dict[str, Any]]:
        """The next message: path, id and body."""
        message = self.socket.recv(timeout=seconds)
        assert isinstance(message, str)
        head, _, body = message.partition("\r\n\r\n")
        headers = dict(line.split(":", 1) for line in head.split("\r\n"))
        assert set(headers) - CONTINUATION == {"Path", "X-RequestId", "Content-Type"}
        if set(headers) >= CONTINUATION:
            self.heard = int(headers["X-Continuation-Audio-Streams-1-Offset"])
        self.seen.append((headers["Path"], json.loads(body)))
        return headers["Path"], headers["X-RequestId"], json.loads(body)

    def until(self, path: str, seconds: float = SECONDS) -> list[tuple[str, dict[str, Any]]]:
        """Everything up to and with the next message of a path."""
        found = []
        while True:
            name, _, body = self.receive(seconds)
            found.append((name, body))
            if name == path:
                return found

    def closed(self, seconds: float = SECONDS) -> tuple[int, str]:
        """Wait until the service closes; its code and reason."""
        try:
            while True:
                self.socket.recv(timeout=seconds)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code, closed.rcvd.reason


def turn_id() -> str:
    return uuid.uuid4().hex


def phrases(messages: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [body for path, body in messages if path == "speech.phrase"]
