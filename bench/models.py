"""More models than memory holds: what each takes, and how long the first answer of an absent one waits.

    python -m bench models [--models 50] [--host-memory 2048] [--json]

A service with so many custom models (copies of one, each by a name of its own) is given the memory that a
host of that size would leave them. Each model is asked twice in turn, with one text: the first answer of one
that has left memory, or never was there, comes after it has been loaded. Then a few models are asked between
all the others, which must keep them in memory. The service's resident memory is looked at all the while.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2

from appliance.host.memory import MIB, left_for_models
from bench.fairness import JOBS
from bench.machine import describe
from bench.ner import BUNDLED
from bench.service import licensed_site
from bench.startup import resident
from bench.texts import read_texts
from tests.support.site import VERSION, Service

FAVOURITES = 5
DEPLOYMENT = "production"
POLL_SECONDS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Times in milliseconds, memory in MiB.

    Attributes:
        in_memory: Models that were there after the start, after all were asked, and at the end.
        cold: First answers of models that had to be loaded.
        warm: Second answers.
        favourites: Answers of models that are asked again and again between the others.
        per_model: Memory of the service at its most, less that with one model, for each further one.
    """

    models: int
    in_memory: tuple[int, int, int]
    start_seconds: float
    cold_p50: float
    cold_most: float
    warm_p50: float
    favourites_p50: float
    favourites_most: float
    memory_of_one: int
    memory_most: int
    per_model: float
    machine: str


class _Memory:
    """The most memory that a process had while this was open."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, resident(self._pid))


@contextmanager
def _copies(model: Path, count: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as home:
        for number in range(count):
            shutil.copytree(model, Path(home) / _project(number) / DEPLOYMENT)
        yield Path(home)


def _project(number: int) -> str:
    return f"model-{number:02}"


class _Caller:
    """Asks models by their number, one request at a time."""

    def __init__(self, service: Service) -> None:
        self._client = httpx2.Client(base_url=service.url, timeout=60, trust_env=False)
        self._text = read_texts()[0]

    def milliseconds(self, number: int) -> float:
        """Ask a model once, by a job of one document, and wait until it has its result."""
        body = {
            "analysisInput": {"documents": [{"id": "1", "language": "en", "text": self._text}]},
            "tasks": [
                {
                    "kind": "CustomEntityRecognition",
                    "parameters": {"projectName": _project(number), "deploymentName": DEPLOYMENT},
                }
            ],
        }
        began = time.perf_counter()
        reply = self._client.post(JOBS, params=VERSION, json=body).raise_for_status()
        while True:
            job = self._client.get(reply.headers["operation-location"]).raise_for_status().json()
            if job["status"] not in ("notStarted", "running"):
                break
            time.sleep(POLL_SECONDS)
        took = (time.perf_counter() - began) * 1000
        if job["status"] != "succeeded" or job["tasks"]["items"][0]["results"]["errors"]:
            raise RuntimeError(f"{_project(number)}: {job}")
        return took

    def in_memory(self) -> int:
        """Return how many models are in memory."""
        lines = self._client.get("/metrics").text.splitlines()
        return int(
            float(next(line.split()[1] for line in lines if line.startswith("appliance_models_in_memory ")))
        )


def _memory_of_one(model: Path) -> int:
    with licensed_site() as site, _copies(model, 1) as place:
        service = site.start(f"Models:Path={place}")
        _Caller(service).milliseconds(0)
        return resident(service.process.pid)


def measure(*, model: Path, models: int, host_mib: int) -> Report:
    """Measure a service with so many copies of a model on a host of that size."""
    one = _memory_of_one(model)
    room = left_for_models(host_mib * MIB) // MIB
    with licensed_site() as site, _copies(model, models) as place:
        began = time.perf_counter()
        service = site.start(f"Models:Path={place}", f"Models:MemoryMiB={room}")
        started = time.perf_counter() - began
        caller = _Caller(service)
        first = caller.in_memory()
        with _Memory(service.process.pid) as memory:
            for number in range(models):  # brings in those that are not there, and sends others away
                caller.milliseconds(number)
            after = caller.in_memory()
            asked = [(caller.milliseconds(number), caller.milliseconds(number)) for number in range(models)]
            favourites: list[float] = []
            for number in range(FAVOURITES):
                caller.milliseconds(number)
            for number in range(FAVOURITES, models):
                caller.milliseconds(number)
                favourites += [caller.milliseconds(favourite) for favourite in range(FAVOURITES)]
        last = caller.in_memory()
    cold = [pair[0] for pair in asked] if after < models else [0.0]
    return Report(
        models=models,
        in_memory=(first, after, last),
        start_seconds=round(started, 2),
        cold_p50=round(statistics.median(cold), 1),
        cold_most=round(max(cold), 1),
        warm_p50=round(statistics.median(pair[1] for pair in asked), 1),
        favourites_p50=round(statistics.median(favourites), 1),
        favourites_most=round(max(favourites), 1),
        memory_of_one=one,
        memory_most=memory.most,
        per_model=round((memory.most - one) / max(1, last - 1), 1),
        machine=describe(),
    )


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--host-memory", type=int, default=2048, help="MiB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure(model=options.model, models=options.models, host_mib=options.host_memory)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"first answer of a model that is not in memory: {report.cold_p50} ms (most {report.cold_most})")
    print(f"the next one: {report.warm_p50} ms")
    print(f"of models asked between others: {report.favourites_p50} ms (most {report.favourites_most})")
    print(f"memory: {report.memory_most} MiB at most, {report.memory_of_one} with one model,")
    print(f"  {report.per_model} for each further one; {options.host_memory} has the host")
    print(f"in memory of {report.models}: {report.in_memory}; ready after {report.start_seconds} s")
    print(report.machine)


if __name__ == "__main__":
    main()
