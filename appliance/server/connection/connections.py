"""The open connections of a server: how many there may be, and how long each may keep it waiting.

Silence costs the caller nothing and the server a file descriptor, so both are bounded: once a second every
connection looks at its own clock, and where there are as many as there may be, those that ask for nothing
make room for those that come. A few places beyond are kept for probes, and enough file descriptors for the
ledger, the licence and the models.
"""

import asyncio
import heapq
import resource
from dataclasses import dataclass
from typing import Final, Protocol

RESERVED_DESCRIPTORS: Final = 192
"""What is kept back for ledger, licence, models, jobs and listening sockets."""
PROBE_PLACES: Final = 16
"""Connections beyond the cap, for callers who only ask how the service is."""
SWEEP_SECONDS: Final = 1.0
STALE_SECONDS: Final = 1.0
"""Who has been silent for so long in the middle of a request may have to make room."""
FEWEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What connections may take; times in seconds.

    Args:
        connections: Most of them at once, probes aside.
        head_seconds: For the whole head of a request, and for the first one and TLS to begin.
        body_seconds: Longest silence in a body, and of a reader of a reply.
        keep_alive_seconds: Between two requests.
    """

    connections: int = 8192
    head_seconds: float = 20.0
    body_seconds: float = 30.0
    keep_alive_seconds: float = 75.0


class Watched(Protocol):
    """One connection."""

    active: float
    """When something last came, by the loop's clock."""

    def waiting(self) -> bool:
        """Whether nothing of a request is here and nothing is answered."""
        ...

    def answering(self) -> bool:
        """Whether a whole request is here and its reply is not out yet."""
        ...

    def check(self, now: float) -> None:
        """Look at the own deadlines; close or refuse if one is over."""
        ...

    def drop(self) -> None:
        """Close at once."""
        ...


class Connections:
    """Every open connection of one server.

    Args:
        limits: What they may take.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[Watched] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Watched) -> bool | None:
        """Take a connection in; idle ones make room.

        Returns:
            True: it may ask; False: it may ask as a probe only; None: there was no place, and it was dropped.
        """
        loop = asyncio.get_running_loop()
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        most = self.limits.connections
        if len(self._open) >= most:
            self._make_room(loop.time())
        if len(self._open) >= most + PROBE_PLACES:
            connection.drop()
            return None
        self._open.add(connection)
        return len(self._open) <= most

    def remove(self, connection: Watched) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)

    def _make_room(self, now: float) -> None:
        """Drop some that ask for nothing, longest silent first; else some that fell silent in a request."""
        most = max(1, self.limits.connections // 64)
        found = [one for one in self._open if one.waiting()]
        if not found:
            found = [one for one in self._open if not one.answering() and now - one.active >= STALE_SECONDS]
        for one in heapq.nsmallest(most, found, key=lambda one: one.active):
            self._open.discard(one)
            one.drop()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for one in list(self._open):
            one.check(now)
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self._open else None


def most_connections(wanted: int) -> int:
    """Return how many connections the limit of open files allows, raised as far as it may be.

    Args:
        wanted: How many are asked for.
    """
    needed = wanted + PROBE_PLACES + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(FEWEST, min(wanted, soft - PROBE_PLACES - RESERVED_DESCRIPTORS))
