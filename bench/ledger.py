"""How fast does the ledger commit, next to the bare SQLite commits of the same rows? `python -m bench.ledger`

All sides write the same table in the same mode (WAL, synchronous=FULL), one transaction for what waits.

    bare      one thread, fixed texts: what SQLite and the disk allow
    bare+hop  the same behind a queue, a thread and futures: what any asynchronous store would cost
    no tree   the ledger itself, without leaf hashes, tree and signatures
    ledger    the ledger

Runs alternate, A B C D A B C D; the median of each counts. For each side: durable entries per second of wall
time, and processor time for each entry, which the neighbours on a busy machine disturb less. The ratios come
first, then what the ledger adds to one answer (p50 and p99 of a commit, one waiting).
"""

import argparse
import asyncio
import contextlib
import json
import os
import queue
import shutil
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.log import appender
from appliance.ledger.log.schema import INDEX, TABLES
from bench.machine import describe
from bench.vendor import licensed_machine
from license.evidence.log.merkle import Frontier

METER = "CognitiveServices.Ner.Container.TextRecords"
TEXT = (
    '{"k":"use","n":%d,"t":"2026-11-21T07:43:05Z","id":"0193a1b2-0000-7000-8000-%012d",'
    '"m":"CognitiveServices.Ner.Container.TextRecords","q":3,"b":3,"l":"01J00000000000000000000001"}'
)
LEAF = bytes(32)


def bare_connection(directory: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None, check_same_thread=False)
    for statement in (*TABLES.values(), INDEX, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
        connection.execute(statement)
    return connection


def write_bare(connection: sqlite3.Connection, first: int, count: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    rows = [(n, TEXT % (n, n), LEAF) for n in range(first, first + count)]
    connection.executemany("INSERT INTO entry (n, text, leaf) VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")


def bare(directory: Path, waiters: int, rounds: int) -> float:
    with contextlib.closing(bare_connection(directory)) as connection:
        started = time.perf_counter()
        for at in range(rounds):
            write_bare(connection, at * waiters, waiters)
        return waiters * rounds / (time.perf_counter() - started)


async def rounds_of(commit: Callable[[int], object], waiters: int, rounds: int) -> float:
    async def waiter(number: int) -> None:
        for at in range(rounds):
            await commit(at * waiters + number)  # type: ignore[misc]

    started = time.perf_counter()
    await asyncio.gather(*(waiter(number) for number in range(waiters)))
    return waiters * rounds / (time.perf_counter() - started)


def hop(directory: Path, waiters: int, rounds: int) -> float:
    connection = bare_connection(directory)
    waiting: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Future[int]] | None] = (
        queue.SimpleQueue()
    )

    def run() -> None:
        n = 0
        while (item := waiting.get()) is not None:
            items = [item]
            while not waiting.empty() and (more := waiting.get()) is not None:
                items.append(more)
            write_bare(connection, n, len(items))
            n += len(items)
            items[0][0].call_soon_threadsafe(answer, [future for _, future in items])

    def answer(futures: list[asyncio.Future[int]]) -> None:
        for future in futures:
            future.set_result(0)

    async def commit(_: int) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        waiting.put((loop, future))
        await future

    thread = threading.Thread(target=run)
    thread.start()
    rate = asyncio.run(rounds_of(commit, waiters, rounds))
    waiting.put(None)
    thread.join()
    connection.close()
    return rate


@contextlib.contextmanager
def without_tree() -> Iterator[None]:
    """Leave leaf hashes and tree out of the journal; heads are then signed over nothing."""

    def grow(frontier: Frontier, texts: Sequence[str]) -> object:
        size = frontier.size + len(texts)
        rows = [(n, text, LEAF) for n, text in enumerate(texts, frontier.size)]
        return Frontier(size, [LEAF] * size.bit_count()), rows, []

    kept = appender._grow
    appender._grow = grow  # type: ignore[assignment]
    try:
        yield
    finally:
        appender._grow = kept


def no_tree(directory: Path, waiters: int, rounds: int) -> float:
    with without_tree():
        return ledger(directory, waiters, rounds)


def ledger(directory: Path, waiters: int, rounds: int) -> float:
    identity, state, licensed = licensed_machine(directory)
    opened = Ledger.open(
        directory / "ledger",
        identity=identity,
        state=state,
        clock=EffectiveClock(),
        license=licensed,
        software="bench",
    )

    async def commit(number: int) -> None:
        request_id = f"0193a1b2-0000-7000-8000-{number:012d}"
        await opened.commit([UsageRecord(meter=METER, quantity=3, billed=3, request_id=request_id)])

    rate = asyncio.run(rounds_of(commit, waiters, rounds))
    opened.close()
    return rate


def added(directory: Path, count: int) -> tuple[float, float]:
    """Return p50 and p99 of one commit in milliseconds, with nothing else to do."""
    identity, state, licensed = licensed_machine(directory)
    opened = Ledger.open(
        directory / "ledger",
        identity=identity,
        state=state,
        clock=EffectiveClock(),
        license=licensed,
        software="bench",
    )

    async def each() -> list[float]:
        took = []
        for number in range(count):
            started = time.perf_counter()
            await opened.commit([UsageRecord(meter=METER, quantity=3, billed=3, request_id=f"0193-{number}")])
            took.append(1000 * (time.perf_counter() - started))
        return took

    cuts = statistics.quantiles(asyncio.run(each()), n=100)
    opened.close()
    return cuts[49], cuts[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="rough length of one run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where to write; the disk matters")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found_all: dict[str, object] = {}
    sides = {"bare": bare, "bare+hop": hop, "no tree": no_tree, "ledger": ledger}
    for waiters, guess in ((1, 2_000), (16, 20_000), (256, 60_000)):
        rounds = max(1, int(guess * options.seconds / waiters))
        rates: dict[str, list[float]] = {name: [] for name in sides}
        costs: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(options.repeats):
            for name, side in sides.items():
                directory = Path(tempfile.mkdtemp(dir=options.directory))
                began = time.process_time()
                rates[name].append(side(directory, waiters, rounds))
                costs[name].append(1e6 * (time.process_time() - began) / (waiters * rounds))
                shutil.rmtree(directory)
        rate = {name: statistics.median(found) for name, found in rates.items()}
        cost = {name: statistics.median(found) for name, found in costs.items()}
        found_all[f"{waiters} waiting"] = {
            name: {
                "share": round(rate["ledger"] / rate[name], 3),
                "share_by_processor": round(cost[name] / cost["ledger"], 3),
                "per_second": round(rate[name], 1),
                "processor_us": round(cost[name], 1),
            }
            for name in sides
        }
        if options.json:
            continue
        print(f"{waiters} waiting, load {os.getloadavg()[0]:.1f}")
        for name in sides:
            share, spent = rate["ledger"] / rate[name], cost[name] / cost["ledger"]
            print(
                f"  {name:<9} {rate[name]:>9,.0f}/s  {cost[name]:6.1f} us of processor each   "
                f"the ledger has {share:.0%} of its speed, {spent:.0%} by processor time"
            )
    directory = Path(tempfile.mkdtemp(dir=options.directory))
    p50, p99 = added(directory, 2000)
    shutil.rmtree(directory)
    if options.json:
        found_all |= {"added_p50_ms": round(p50, 3), "added_p99_ms": round(p99, 3), "machine": describe()}
        print(json.dumps(found_all, indent=2))
    else:
        print(f"added to one answer: p50 {p50:.2f} ms, p99 {p99:.2f} ms\n{describe()}")


if __name__ == "__main__":
    main()
