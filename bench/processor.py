"""Processor time of a request by the thread that uses it: what the service adds to the model.

    python -m bench processor [--against DIRECTORY] [--json]

64 clients ask one document each from another process. A thread's processor time holds what the kernel does
for it, and not what it waits, so the figures bear other load on the machine better than speeds do. The floor
is what the same request costs a bare ASGI callable and a Starlette application with one route, under the same
server in the same run. With
`--against` the service of another checkout runs beside it, with its own `.venv` or this one. Both are loaded
in turn, and each figure is then the median of the ratios of neighbours.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench.environments import HERE
from bench.load import Spec, load
from bench.machine import alternate, describe, ratio
from bench.ner import BUNDLED
from bench.service import ANALYZE, address, running_service
from bench.texts import SAMPLE, analyze_bodies, read_texts

_TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
_NICE, _UTIME, _STIME = 18, 13, 14  # fields of /proc/PID/task/TID/stat, proc(5), less one
_KINDS = ("loop", "model", "other")
FLOORS = ("bare", "starlette")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Microseconds of processor a request, and requests a second."""

    loop: float
    model: float
    other: float
    per_second: float

    @property
    def processor(self) -> float:
        """All threads together."""
        return self.loop + self.model + self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Medians of the turns; ratios to the other checkout where there is one.

    Attributes:
        floor: Microseconds of processor a request without anything of the product.
        added_over_floor: Loop and other threads together, over each of them.
    """

    ours: Turn
    theirs: Turn | None
    ratios: dict[str, float]
    floor: dict[str, float]
    added_over_floor: dict[str, float]
    machine: str


def thread_times(pid: int) -> dict[str, float]:
    """Return microseconds of processor of a process so far: its loop, its model threads, the others.

    The loop is the first thread; those of the model run some steps of nice below it.
    """
    found = dict.fromkeys(_KINDS, 0.0)
    main = _fields(pid, pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            fields = _fields(pid, int(task.name))
            kind = "loop" if int(task.name) == pid else "model" if fields[_NICE] != main[_NICE] else "other"
            found[kind] += (int(fields[_UTIME]) + int(fields[_STIME])) * _TICK_US
    return found


def _fields(pid: int, thread: int) -> list[str]:
    text = Path(f"/proc/{pid}/task/{thread}/stat").read_text()
    return ["", "", *text.rpartition(")")[2].split()]  # the name may hold spaces


def turn(pid: int, spec: Spec) -> Turn:
    """Load a service once."""
    before = thread_times(pid)
    done = load(spec)
    after = thread_times(pid)
    requests = max(1, done.answered)
    return Turn(
        **{kind: (after[kind] - before[kind]) / requests for kind in _KINDS}, per_second=done.per_second
    )


def measure(
    *,
    model: Path,
    texts: list[str],
    turns: int,
    seconds: float,
    against: Path | None,
    say: Callable[[str], None],
) -> Report:
    """Measure this checkout, and another one beside it."""
    bodies = analyze_bodies(texts)

    def spec(where: tuple[str, int]) -> Spec:
        return Spec(host=where[0], port=where[1], path=ANALYZE, bodies=bodies, clients=64, seconds=seconds)

    with contextlib.ExitStack() as stack:
        service = stack.enter_context(running_service(f"Mounts:Model={model}"))
        pid, where = service.process.pid, address(service)
        sides: dict[str, Callable[[], Turn]] = {"ours": lambda: turn(pid, spec(where))}
        for kind in FLOORS:
            process, port = stack.enter_context(_floor(kind))
            sides[kind] = partial(turn, process, spec(("127.0.0.1", port)))
        if against is not None:
            their_pid, their_where = stack.enter_context(_other(against, model))
            sides["theirs"] = lambda: turn(their_pid, spec(their_where))
        for side in sides.values():
            side()  # the first requests pay for what is loaded late
        found = alternate(sides, turns, each=lambda name, one: say(f"  {name:<7} {_line(one)}"))
    theirs = found.get("theirs")
    ratios = {}
    if theirs is not None:
        for kind in (*_KINDS, "processor", "per_second"):
            ratios[kind] = ratio(
                [getattr(one, kind) for one in found["ours"]], [getattr(one, kind) for one in theirs]
            )
    added = [one.loop + one.other for one in found["ours"]]
    floor = {kind: [one.loop for one in found[kind]] for kind in FLOORS}
    return Report(
        ours=_median(found["ours"]),
        theirs=_median(theirs) if theirs else None,
        ratios=ratios,
        floor={kind: round(statistics.median(values), 1) for kind, values in floor.items()},
        added_over_floor={kind: ratio(added, values) for kind, values in floor.items()},
        machine=describe(),
    )


@contextlib.contextmanager
def _floor(kind: str) -> Iterator[tuple[int, int]]:
    """Yield process and port of a server that computes nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, HERE / "floor.py", kind, str(port)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _other(directory: Path, model: Path) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield process and address of another checkout's service."""
    own = directory / ".venv/bin/python"
    process = subprocess.Popen(  # what lies in the working directory is imported before what is installed
        [own if own.exists() else sys.executable, "-c", _OTHER, str(model)],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None and process.stdout is not None
        try:
            pid, host, port = process.stdout.readline().split()
            yield int(pid), (host, int(port))
        finally:
            process.stdin.close()


_OTHER = """
import sys
from bench.service import address, running_service
with running_service(f"Mounts:Model={sys.argv[1]}") as service:
    print(service.process.pid, *address(service), flush=True)
    sys.stdin.read()
"""


def _median(turns: list[Turn]) -> Turn:
    values = {
        kind: round(statistics.median(getattr(one, kind) for one in turns), 1)
        for kind in (*_KINDS, "per_second")
    }
    return Turn(**values)


def _line(one: Turn) -> str:
    return (
        f"loop {one.loop:6.0f} us  model {one.model:6.0f} us  other {one.other:6.0f} us"
        f"  {one.per_second:7.1f} requests/s"
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench processor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=BUNDLED, help="model folder")
    parser.add_argument("--texts", type=Path, default=SAMPLE, help="texts one a line, or .conll or .jsonl")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--against", type=Path, help="another checkout, with its .venv")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure(
        model=options.model,
        texts=read_texts(options.texts),
        turns=options.turns,
        seconds=options.seconds,
        against=options.against,
        say=lambda line: None if options.json else print(line, flush=True),
    )
    if options.json:
        json.dump(asdict(report), sys.stdout, indent=2)
        print()
        return
    print(f"ours    {_line(report.ours)}")
    if report.theirs is not None:
        print(f"theirs  {_line(report.theirs)}")
        print("ours / theirs: " + ", ".join(f"{name} {value}" for name, value in report.ratios.items()))
    for kind, value in report.floor.items():
        print(f"{kind}: {value} us; loop and other threads are {report.added_over_floor[kind]} of it")
    print(report.machine)


if __name__ == "__main__":
    main()
