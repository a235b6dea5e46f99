"""WebSocket connections of uvicorn, whose library is imported when the first of them comes.

It takes a tenth of a second of every start, and a text service may never see one.
"""

import asyncio
from typing import Any


class LazyWebSocket(asyncio.Protocol):
    """What uvicorn is told to make for an upgrade; making one returns its own protocol instead."""

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        """Return uvicorn's protocol over the I/O-free half of `websockets`."""
        from uvicorn.protocols.websockets.websockets_sansio_impl import (  # noqa: PLC0415  (see above)
            WebSocketsSansIOProtocol,
        )

        return WebSocketsSansIOProtocol(*arguments, **options)
