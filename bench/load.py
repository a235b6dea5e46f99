"""Load from a process of its own: closed loop (so many clients, each asks again) or open loop (a fixed pace).

    python -m bench.load < spec.json

The specification is one JSON object: `host`, `port`, `path`, `bodies` (JSON texts, sent in turn), `clients`,
`seconds`, and for an open loop `rate` (requests a second, at random moments; latency counts from the moment a
request was due, so that a slow server cannot slow its own measurement down). Answered with one JSON object,
which also says what the load itself cost (`cpu_us` of processor a request).
"""

import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import httptools
import uvloop

TICK_SECONDS: Final = 0.001
RETRY_SECONDS: Final = 0.01
GRACE_SECONDS: Final = 60.0
"""After its end a load waits so long for answers; what is then unanswered counts as lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What is to be asked, and how."""

    host: str
    port: int
    path: str
    bodies: Sequence[str]
    clients: int
    seconds: float
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came back. Latencies are in milliseconds, of answers with status 200."""

    answered: int
    per_second: float
    statuses: dict[str, int]
    p50: float
    p95: float
    p99: float
    refused_p50: float
    refused_p99: float
    late_p99: float
    cpu_us: float
    seconds: float


@dataclass(slots=True)
class _Seen:
    ok: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)

    def add(self, status: int, milliseconds: float) -> None:
        (self.ok if status == 200 else self.other).append(milliseconds)
        self.count(str(status))

    def count(self, word: str) -> None:
        self.statuses[word] = self.statuses.get(word, 0) + 1


class _Client(asyncio.Protocol):
    """One connection that is asked one thing at a time.

    It has neither futures nor tasks: what the load costs is taken from the server on the same cores.

    Args:
        seen: Told what came back.
        settled: Called when a request is answered, or lost with its connection.
    """

    def __init__(self, seen: _Seen, settled: Callable[["_Client"], None]) -> None:
        self.lost = False
        self._seen = seen
        self._settled = settled
        self._due = 0.0
        self._asked = False
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.lost = not self._parser.should_keep_alive()
        if self._asked:
            self._asked = False
            self._seen.add(self._parser.get_status_code(), (time.perf_counter() - self._due) * 1000)
            self._settled(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._asked:
            self._asked = False
            self._seen.count(type(exc or ConnectionResetError()).__name__)
            self._settled(self)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request; its latency counts from the moment it was due."""
        self._due = due
        self._asked = True
        if self._transport is None or self._transport.is_closing():
            self.connection_lost(None)
        else:
            self._transport.write(request)


def _request(spec: Spec, body: str) -> bytes:
    data = body.encode()
    head = (
        f"POST {spec.path} HTTP/1.1\r\nHost: {spec.host}:{spec.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def _connect(spec: Spec, seen: _Seen, settled: Callable[[_Client], None]) -> _Client:
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(lambda: _Client(seen, settled), spec.host, spec.port)
    loop.call_later(spec.seconds + GRACE_SECONDS, transport.abort)
    return client


async def _closed(spec: Spec, requests: Sequence[bytes], seen: _Seen) -> None:
    """Each client asks again as soon as it has its answer."""
    until = time.perf_counter() + spec.seconds

    async def connection(turn: int) -> int:
        ended = asyncio.Event()

        def again(client: _Client) -> None:
            nonlocal turn
            now = time.perf_counter()
            if client.lost or now >= until:
                ended.set()
                return
            request = requests[turn % len(requests)]
            turn += spec.clients
            client.ask(request, now)

        try:
            again(await _connect(spec, seen, again))
        except OSError as error:
            if not seen.statuses:
                raise  # nobody listens there
            seen.count(type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await ended.wait()
        return turn

    async def client(turn: int) -> None:
        while time.perf_counter() < until:
            turn = await connection(turn)

    await asyncio.gather(*(client(number) for number in range(spec.clients)))


class _OpenLoop:
    """Asks at random moments, whatever is still unanswered."""

    def __init__(self, spec: Spec, requests: Sequence[bytes], seen: _Seen) -> None:
        self._spec = spec
        self._requests = requests
        self._seen = seen
        self._idle: deque[_Client] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._settled = 0
        self._all_settled = asyncio.Event()

    async def run(self) -> None:
        spec = self._spec
        chance = random.Random(7)  # noqa: S311 (a schedule, not a secret)
        for _ in range(spec.clients):
            self._idle.append(await _connect(spec, self._seen, self._free))
        due = time.perf_counter()
        end = due + spec.seconds
        while due < end:
            # uvloop counts in milliseconds and would look again and again at what is due in less.
            await asyncio.sleep(max(TICK_SECONDS, due - time.perf_counter()))
            now = time.perf_counter()
            while due <= now and due < end:
                self._seen.late.append((now - due) * 1000)
                self._ask(due)
                due += chance.expovariate(spec.rate)
        while self._settled < self._asked:
            self._all_settled.clear()
            await self._all_settled.wait()

    def _ask(self, due: float) -> None:
        request = self._requests[self._asked % len(self._requests)]
        self._asked += 1
        while self._idle:
            client = self._idle.popleft()
            if not client.lost:
                client.ask(request, due)
                return
        task = asyncio.create_task(self._connect_and_ask(request, due))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect_and_ask(self, request: bytes, due: float) -> None:
        try:
            client = await _connect(self._spec, self._seen, self._free)
        except OSError as error:
            self._seen.count(type(error).__name__)
            self._settle()
        else:
            client.ask(request, due)

    def _free(self, client: _Client) -> None:
        if not client.lost:
            self._idle.append(client)
        self._settle()

    def _settle(self) -> None:
        self._settled += 1
        if self._settled >= self._asked:
            self._all_settled.set()


def _quantile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return round(values[0], 2) if values else 0.0
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)


async def generate(spec: Spec) -> Load:
    """Load a server as a specification says, in this process."""
    requests = [_request(spec, body) for body in spec.bodies]
    seen = _Seen()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await (_OpenLoop(spec, requests, seen).run() if spec.rate else _closed(spec, requests, seen))
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Load(
        answered=len(seen.ok),
        per_second=round(len(seen.ok) / seconds, 2),
        statuses=seen.statuses,
        p50=_quantile(seen.ok, 50),
        p95=_quantile(seen.ok, 95),
        p99=_quantile(seen.ok, 99),
        refused_p50=_quantile(seen.other, 50),
        refused_p99=_quantile(seen.other, 99),
        late_p99=_quantile(seen.late, 99),
        cpu_us=round(1e6 * cpu / max(1, sum(seen.statuses.values())), 1),
        seconds=round(seconds, 2),
    )


def load(spec: Spec) -> Load:
    """Load a server from another process, and wait for the result."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(spec)),
        capture_output=True,
        text=True,
        check=True,
    )
    return Load(**json.loads(done.stdout))


def main() -> None:
    spec = Spec(**json.loads(sys.stdin.read()))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(generate(spec)))))


if __name__ == "__main__":
    main()
