"""A bounded queue of audio that has arrived: a client that sends faster than it is processed has to wait."""

import asyncio
from typing import Final

MOST_BYTES: Final = 4 * 1024 * 1024
"""About two minutes of the usual 16 kHz, 16 bit: more than clients ever send ahead."""


class Backlog:
    """A queue of bytes between one that receives and one that hears, on one event loop.

    Args:
        most: Bytes at which the sender has to wait.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0
        self._most = most
        self._ended = False
        self._changed = asyncio.Condition()

    async def put(self, data: bytes) -> None:
        """Add some; waits while too many are there. After the end, nothing more is taken."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._bytes < self._most or self._ended)
            if not self._ended:
                self._parts.append(data)
                self._bytes += len(data)
                self._changed.notify_all()

    async def end(self) -> None:
        """Nothing more will come; what is there is still to be taken."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def take(self, most: int) -> bytes:
        """Wait for some and take up to `most` bytes; none at all at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._parts) or self._ended)
            taken = bytearray()
            while self._parts and len(taken) < most:
                part = self._parts.pop(0)
                room = most - len(taken)
                if len(part) > room:
                    self._parts.insert(0, part[room:])
                taken += part[:room]
            self._bytes -= len(taken)
            self._changed.notify_all()
            return bytes(taken)
