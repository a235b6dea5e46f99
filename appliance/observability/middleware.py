"""Wrappers that measure a part and pass everything on."""

import time
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.errors import UsageStoreUnavailable
from appliance.ledger.ledger import Receipt, UsageRecord
from appliance.observability.instruments import Instruments
from appliance.pipeline.pipeline import UsageStore


class MeasuredRequests:
    """ASGI middleware that counts and times requests, by the function that answers them.

    A path is never a label: it may hold names, and there is no end of them.

    Args:
        app: What is measured.
        instruments: What is filled.
    """

    def __init__(self, app: ASGIApp, instruments: Instruments) -> None:
        self._app = app
        self._instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            endpoint = getattr(scope.get("endpoint"), "__name__", "none")
            self._instruments.requests.labels(endpoint, str(status)).inc()
            self._instruments.seconds.labels(endpoint).observe(time.perf_counter() - started)


class MeasuredStore:
    """A usage store whose commits are counted and timed.

    Args:
        store: Where usage goes.
        instruments: What is filled.
    """

    def __init__(self, store: UsageStore, instruments: Instruments) -> None:
        self._store = store
        self._instruments = instruments

    @property
    def healthy(self) -> bool:
        """Whether usage can be recorded now."""
        return self._store.healthy

    async def commit(self, uses: Sequence[UsageRecord]) -> Receipt:
        """Return once every use is on disk; raises what the store raises."""
        started = time.perf_counter()
        try:
            receipt = await self._store.commit(uses)
        except UsageStoreUnavailable:
            self._instruments.refused.inc()
            raise
        self._instruments.commit_seconds.observe(time.perf_counter() - started)
        for use in uses:
            self._instruments.records.labels(use.meter).inc(use.quantity)
        return receipt
