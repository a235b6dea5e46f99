"""How long do report, start and verification of a large log take? `python -m bench.audit --entries 1000000`

Fills a log over the last days of one month (`--days`, 1 to 30; the last one is in progress) with the real
writer (the bench sets its clock), then times each step in a process of its own: wall and processor time, and
the most memory held. Bare is reading every text with SQLite and hashing it: nothing that checks a log can do
less.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from appliance.host.effective_clock import ClockSources, EffectiveClock, Reading
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.read.reports import usage_logs
from bench.machine import describe
from bench.vendor import licensed_machine
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots

METER = "CognitiveServices.Ner.Container.TextRecords"
DAY = 86_400
START = 1_793_491_200  # 2026-11-01T00:00:00Z
END = START + 30 * DAY
GROUP = 2000


@dataclass
class Clock:
    """A clock that the bench sets."""

    wall: int = START

    def read(self) -> Reading:
        return Reading(wall=self.wall, uptime=float(self.wall - START), boot="bench")

    def effective(self) -> EffectiveClock:
        return EffectiveClock(sources=ClockSources(read=self.read, synchronised=lambda: True))


def opened(home: Path, clock: Clock) -> Ledger:
    identity, state, licensed = licensed_machine(home, issued=START, days=40)
    return Ledger.open(
        home / "output" / "customner" / "bench",
        identity=identity,
        state=state,
        clock=clock.effective(),
        license=licensed,
        software="bench",
    )


def fill(home: Path, entries: int, days: int) -> None:
    first_day = END - days * DAY
    clock = Clock(first_day)
    ledger = opened(home, clock)

    async def day(first: int, count: int) -> None:
        group = min(GROUP, count // 60 + 1)  # more often than hourly: a service that is silent is a finding
        pace = DAY // (count // group + 2)
        for at in range(first, first + count, group):
            numbers = range(at, min(at + group, first + count))
            await ledger.commit(
                [
                    UsageRecord(
                        meter=METER, quantity=3, billed=3, request_id=f"0193a1b2-0000-7000-8000-{n:012d}"
                    )
                    for n in numbers
                ]
            )
            ledger.checkpoint()
            clock.wall += pace

    for number in range(days):
        clock.wall = max(clock.wall, first_day + number * DAY + 1)
        first, stop = number * entries // days, (number + 1) * entries // days
        asyncio.run(day(first, stop - first))
    ledger.close()


def bare(home: Path) -> object:
    with contextlib.closing(sqlite3.connect(next(home.rglob("ledger-1.db")))) as connection:
        count = 0
        for (text,) in connection.execute("SELECT text FROM entry ORDER BY n"):
            sha256(b"\x00" + text.encode()).digest()
            count += 1
    return count


def start(home: Path) -> object:
    ledger = opened(home, Clock(END - 60))
    size = ledger.size
    ledger.close()
    return size


def report(home: Path) -> object:
    return usage_logs(home / "output", 11, 2026)["meters"]


def check(home: Path) -> object:
    return verify(home / "output", load_roots(home / "roots")).exit_code


STEPS: dict[str, Callable[[Path], object]] = {"bare": bare, "start": start, "report": report, "verify": check}


def measure(name: str, home: Path) -> dict[str, float]:
    """Run one step in a child; return seconds, processor seconds and MiB."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        wall, cpu = time.perf_counter(), time.process_time()
        result = STEPS[name](home)
        took = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        os.write(writing, json.dumps(took | {"result": result}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found: dict[str, float] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30, help="how many days they are spread over")
    parser.add_argument("--home", type=Path, help="keep the log here, and use it if it is there")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("steps", nargs="*", default=list(STEPS))
    options = parser.parse_args()
    say = (lambda *_: None) if options.json else print
    home = options.home or Path(tempfile.mkdtemp())
    if not (home / "output").is_dir():
        home.mkdir(exist_ok=True)
        began, spent = time.perf_counter(), time.process_time()
        fill(home, options.entries, options.days)
        say(
            f"filled in {time.perf_counter() - began:.1f} s, {time.process_time() - spent:.1f} s of processor"
        )
    size = next(home.rglob("ledger-1.db")).stat().st_size
    say(f"{options.entries:,} entries, {size / options.entries:.0f} bytes each")
    found: dict[str, object] = {"entries": options.entries, "days": options.days}
    for name in options.steps:
        found[name] = measure(name, home)
        say(f"load {os.getloadavg()[0]:.1f}", name, found[name])
        sys.stdout.flush()
    if options.json:
        print(json.dumps(found | {"machine": describe()}, indent=2))
    if not options.home:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
