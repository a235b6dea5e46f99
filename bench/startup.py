"""From the command to `/ready`, and the memory that serving takes.

    python -m bench startup [--json]
    python -m bench memory [--json]

Startup: the first start makes keys and ledger; the later ones are measured. The bare side is an interpreter
that imports onnxruntime and opens the model: nobody can do less. Memory: resident set of the service
while 64 clients ask, against the same bare process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load import Spec, load
from bench.machine import alternate, describe, ratio
from bench.ner import BUNDLED
from bench.service import ANALYZE, address, licensed_site, running_service
from bench.texts import analyze_bodies, read_texts
from tests.support.site import Site

BARE = """
import os, resource, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime, tokenizers
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", options)
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReport:
    """Ratio first; seconds."""

    over_bare: float
    service: list[float]
    bare: list[float]
    first: float
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReport:
    """Ratio first; MiB."""

    over_bare: float
    idle: int
    under_load: int
    bare: int
    machine: str


def _bare() -> tuple[float, int]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(BUNDLED)], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - began, int(done.stdout)


def start(site: Site, *words: str) -> float:
    """Start with these settings, ask `/ready` until it says 200, stop; return the seconds to the 200."""
    began = time.perf_counter()
    service = site.start(*words, wait=False)
    while not service.url:
        for line in service.text().splitlines():
            service.url = line.partition("Now listening on: ")[2] or service.url
        if " ready: " in service.text():
            service.wait_ready()
        time.sleep(0.005)
    while True:
        try:
            urllib.request.urlopen(f"{service.url}/ready", timeout=1)
            break
        except urllib.error.URLError:
            time.sleep(0.005)
    took = time.perf_counter() - began
    service.stop()
    return took


def measure_start(turns: int) -> StartReport:
    with licensed_site() as site:
        first = start(site)
        found = alternate(
            {"bare": lambda: _bare()[0], "service": lambda: start(site)}, turns, each=lambda *_: None
        )
    return StartReport(
        over_bare=ratio(found["service"], found["bare"]),
        service=[round(value, 3) for value in found["service"]],
        bare=[round(value, 3) for value in found["bare"]],
        first=round(first, 3),
        machine=describe(),
    )


def resident(pid: int) -> int:
    """Return the resident memory of a process, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def measure_memory(seconds: float) -> MemoryReport:
    with running_service() as service:
        idle = resident(service.process.pid)
        host, port = address(service)
        bodies = analyze_bodies(read_texts())
        spec = Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=64, seconds=seconds)
        most = [idle]
        asking = threading.Thread(target=load, args=(spec,))
        asking.start()
        while asking.is_alive():
            most.append(resident(service.process.pid))
            time.sleep(0.1)
    bare = _bare()[1]
    return MemoryReport(
        over_bare=round(max(most) / bare, 2), idle=idle, under_load=max(most), bare=bare, machine=describe()
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench startup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure_start(options.turns)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"start / bare    {report.over_bare}")
    low, high = min(report.service), max(report.service)
    print(f"service         {statistics.median(report.service)} s ({low} to {high})")
    print(f"bare            {statistics.median(report.bare)} s; first start {report.first} s")
    print(report.machine)


def main_memory(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure_memory(options.seconds)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"memory / bare   {report.over_bare}")
    print(
        f"service         {report.under_load} MiB under load, {report.idle} MiB idle; bare {report.bare} MiB"
    )
    print(report.machine)
