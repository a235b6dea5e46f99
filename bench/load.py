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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

import httptools
import uvloop


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


class _Client(asyncio.Protocol):
    """One connection that is asked one thing at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def ask(self, request: bytes) -> int:
        self.answer = asyncio.get_running_loop().create_future()
        if self._transport is None:
            raise ConnectionResetError("not connected")
        self._transport.write(request)
        return await self.answer


def _request(spec: Spec, body: str) -> bytes:
    data = body.encode()
    head = (
        f"POST {spec.path} HTTP/1.1\r\nHost: {spec.host}:{spec.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def _connect(spec: Spec) -> _Client:
    _, client = await asyncio.get_running_loop().create_connection(_Client, spec.host, spec.port)
    return client


async def _ask(client: _Client, request: bytes, due: float, seen: _Seen) -> bool:
    """Ask once; return whether the connection can be used again."""
    try:
        status = await client.ask(request)
    except OSError as error:
        seen.statuses[type(error).__name__] = seen.statuses.get(type(error).__name__, 0) + 1
        return False
    (seen.ok if status == 200 else seen.other).append((time.perf_counter() - due) * 1000)
    seen.statuses[str(status)] = seen.statuses.get(str(status), 0) + 1
    return True


async def _closed(spec: Spec, requests: Sequence[bytes], seen: _Seen) -> None:
    until = time.perf_counter() + spec.seconds

    async def loop(first: int) -> None:
        client = await _connect(spec)
        turn = first
        while (now := time.perf_counter()) < until:
            if not await _ask(client, requests[turn % len(requests)], now, seen):
                client = await _connect(spec)
            turn += spec.clients

    await asyncio.gather(*(loop(number) for number in range(spec.clients)))


async def _open(spec: Spec, requests: Sequence[bytes], seen: _Seen) -> None:
    chance = random.Random(7)  # noqa: S311 (a schedule, not a secret)
    idle: deque[_Client] = deque([await _connect(spec) for _ in range(spec.clients)])
    running: set[asyncio.Task[None]] = set()
    due = start = time.perf_counter()
    number = 0

    async def one(request: bytes, due: float) -> None:
        client = idle.popleft() if idle else await _connect(spec)
        seen.late.append((time.perf_counter() - due) * 1000)
        if await _ask(client, request, due, seen):
            idle.append(client)

    while due < start + spec.seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(requests[number % len(requests)], due))
        running.add(task)
        task.add_done_callback(running.discard)
        due += chance.expovariate(spec.rate)
        number += 1
    await asyncio.gather(*running)


def _quantile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return round(values[0], 2) if values else 0.0
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)


async def generate(spec: Spec) -> Load:
    """Load a server as a specification says, in this process."""
    requests = [_request(spec, body) for body in spec.bodies]
    seen = _Seen()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await (_open if spec.rate else _closed)(spec, requests, seen)
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
        cpu_us=round(1e6 * cpu / max(1, len(seen.ok) + len(seen.other)), 1),
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
