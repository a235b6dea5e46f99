"""TLS begins behind the table of connections: a silent handshake takes a place and has a time-out too."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

from appliance.server.connection.connections import Connections


class TlsGate(asyncio.Protocol):
    """A connection until its TLS handshake is done; then the HTTP protocol has it.

    Args:
        context: The server's certificate.
        table: The open connections of this server.
        make: Makes the HTTP protocol.
    """

    def __init__(
        self, context: ssl.SSLContext, table: Connections, make: Callable[[], asyncio.Protocol]
    ) -> None:
        self._context = context
        self._table = table
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._early = b""
        self.active = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place and begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        if self._table.admit(self) is not None:
            self._task = self._loop.create_task(self._handshake(self._transport))
            # The task's first step puts the handshake in place, and schedules that it is told of the
            # connection; what is scheduled one turn later comes after both, and before anything is read.
            self._loop.call_soon(self._loop.call_soon, self._pass_on)

    async def _handshake(self, transport: asyncio.Transport) -> None:
        protocol = self._make()
        secured = None
        try:
            with contextlib.suppress(OSError, TimeoutError):
                secured = await self._loop.start_tls(
                    transport,
                    protocol,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=self._table.limits.head_seconds,
                )
        finally:
            self._table.remove(self)
        if (
            secured is not None and not secured.is_closing()
        ):  # uvloop returns one for an aborted handshake too
            protocol.connection_made(secured)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Keep what comes before the handshake has begun."""
        self._early += data

    def _pass_on(self) -> None:
        """Give the handshake what came before it had begun."""
        if self._early and self._transport is not None:
            begun = cast("asyncio.BufferedProtocol", self._transport.get_protocol())
            begun.get_buffer(len(self._early))[: len(self._early)] = self._early  # type: ignore[index]
            begun.buffer_updated(len(self._early))

    def waiting(self) -> bool:
        """Nothing was asked yet."""
        return True

    def answering(self) -> bool:
        """Nothing is answered yet."""
        return False

    def check(self, now: float) -> None:
        """The handshake has a time-out of its own."""

    def drop(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
