"""A transport whose `close` is decided by its connection: a reply must not be lost to a reset.

Closing a socket while the caller still sends makes the kernel send a reset, which destroys the reply on its
way. So a close in the middle of a request is left to the connection, which first ends its own direction, then
reads and drops what still comes, within bounds.
"""

import asyncio
from collections.abc import Callable


class HalfClosing:
    """What uvicorn takes for its transport.

    Args:
        transport: The real one.
        on_close: Called in place of `close`.
    """

    __slots__ = (
        "_on_close",
        "_transport",
        "closing",
        "get_extra_info",
        "pause_reading",
        "resume_reading",
        "write",
    )

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None]) -> None:
        self._transport = transport
        self._on_close = on_close
        self.closing = False
        # Bound here and not wrapped: every reply goes through them.
        self.write = transport.write
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def is_closing(self) -> bool:
        """Whether no more replies go out."""
        return self.closing or self._transport.is_closing()

    def close(self) -> None:
        """End the connection as it is best ended now."""
        self._on_close()
