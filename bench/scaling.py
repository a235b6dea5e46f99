"""What grows with what: document length, clients, sessions, and the size of the ledger.

    python -m bench scaling [length] [clients] [sessions] [ledger] [--plots DIR] [--json]

    length    characters a second of documents of 10 to 125,000 characters (above 5,000 as jobs), and the same
              windows through the bare model: the service must keep its share
    clients   texts a second and latency with 1 to 512 clients
    sessions  texts a second with 1 to 4 sessions of one thread, whatever the cores
    ledger    durable entries a second, and processor time for each, in a log of 0 to 10 million entries

`--plots` draws each as an SVG, in an environment of its own (`plot/requirements.txt`).
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from appliance.host.cpus import usable_cores
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ner.model_folder import MODEL, TOKENIZER, ModelFolder
from appliance.ner.session import OnnxSession
from appliance.ner.tokenizer import TextTokenizer
from appliance.ner.worker import stack
from bench.audit import METER, START, Clock, opened
from bench.environments import environment
from bench.load import Spec, load
from bench.machine import describe
from bench.ner import BUNDLED
from bench.service import ANALYZE, address, licensed_site
from bench.texts import SAMPLE, analyze_bodies, of_length, read_texts
from tests.support.site import Service

LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 5_000, 25_000, 125_000)
SYNCHRONOUS = 5_000
LANES = 16  # with more, long documents would fill the queue and be refused
CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SESSIONS = (1, 2, 3, 4)
ENTRIES = (0, 10_000, 100_000, 1_000_000, 10_000_000)
GROUP = 2_000
JOBS = "/language/analyze-text/jobs?api-version=2023-04-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One plot: what is varied, and for each of its values the measured series."""

    name: str
    x: str
    unit: str
    values: list[int]
    series: dict[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The curves of one run."""

    curves: list[Curve]
    machine: str


class BareWindows:
    """The model alone on whole documents: tokenise, cut, compute each window; a thread for each core."""

    def __init__(self) -> None:
        folder = ModelFolder.open(BUNDLED)
        self._tokenizer = TextTokenizer(
            folder.read(TOKENIZER),
            window_tokens=folder.window_tokens,
            overlap_tokens=folder.overlap_tokens,
            case_classes=folder.case_classes,
        )
        self._session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))
        self._pad = folder.pad_token

    def documents(self, texts: Sequence[str], seconds: float) -> float:
        """Return documents a second."""
        done: list[int] = []
        began = time.perf_counter()

        def lane(number: int) -> None:
            count = 0
            while time.perf_counter() < began + seconds:
                (document,) = self._tokenizer.cut([texts[(number + count) % len(texts)]])
                for window in document.windows:
                    self._session.run(*stack([window], self._pad))
                count += 1
            done.append(count)

        threads = [threading.Thread(target=lane, args=(number,)) for number in range(usable_cores())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.perf_counter() - began)


def _spec(service: Service, bodies: Sequence[str], clients: int, seconds: float) -> Spec:
    host, port = address(service)
    return Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=clients, seconds=seconds)


def _jobs_per_second(service: Service, text: str, seconds: float) -> float:
    """Return documents a second of jobs of one document, two at a time."""
    parameters = {"projectName": "demo", "deploymentName": "production"}
    body = json.dumps(
        {
            "analysisInput": {"documents": [{"id": "1", "language": "en", "text": text}]},
            "tasks": [{"kind": "CustomEntityRecognition", "parameters": parameters}],
        }
    ).encode()
    began = time.perf_counter()

    def lane(_: int) -> int:
        count = 0
        while time.perf_counter() < began + seconds:
            request = urllib.request.Request(
                service.url + JOBS, data=body, headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                location = answer.headers["operation-location"]
            while True:
                with urllib.request.urlopen(location, timeout=60) as answer:
                    status = json.load(answer)["status"]
                if status == "succeeded":
                    break
                if status not in ("notStarted", "running"):
                    raise RuntimeError(f"a job ended as {status}")
                time.sleep(0.02)
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        done = sum(pool.map(lane, range(2)))
    return done / (time.perf_counter() - began)


def length(seconds: float, say: Callable[[str], None]) -> list[Curve]:
    """Characters a second by length of the document, of service and bare model in turn."""
    texts, bare = read_texts(SAMPLE), BareWindows()
    found: dict[str, list[float]] = {"service": [], "bare model": [], "share": []}
    with licensed_site() as site:
        service = site.start()
        load(_spec(service, analyze_bodies(texts), 64, seconds))
        for size in LENGTHS:
            documents = [of_length(texts[n:] + texts[:n], size) for n in range(0, len(texts), 16)]
            pairs = []
            for _ in range(3):
                alone = bare.documents(documents, seconds) * size
                if size > SYNCHRONOUS:
                    served = _jobs_per_second(service, documents[0], seconds) * size
                else:
                    served = load(_spec(service, analyze_bodies(documents), LANES, seconds)).per_second * size
                pairs.append((served, alone))
            found["service"].append(round(statistics.median(served for served, _ in pairs), 1))
            found["bare model"].append(round(statistics.median(alone for _, alone in pairs), 1))
            found["share"].append(round(statistics.median(served / alone for served, alone in pairs), 3))
            say(f"{size:>8,} characters: {found['service'][-1]:>10,.0f}/s, {found['share'][-1]:.2f} of bare")
    share = found.pop("share")
    axis = "characters in a document"
    return [
        Curve(name="length", x=axis, unit="characters/s", values=list(LENGTHS), series=found),
        Curve(
            name="length-share",
            x=axis,
            unit="of the bare model",
            values=list(LENGTHS),
            series={"service": share},
        ),
    ]


def clients(seconds: float, say: Callable[[str], None]) -> list[Curve]:
    """Texts a second and latency by number of clients."""
    speed: dict[str, list[float]] = {"texts/s": []}
    wait: dict[str, list[float]] = {"p50": [], "p99": []}
    with licensed_site() as site:
        spec = _spec(site.start(), analyze_bodies(read_texts(SAMPLE)), 64, seconds)
        load(spec)
        for count in CLIENTS:
            one = load(replace(spec, clients=count))
            speed["texts/s"].append(one.per_second)
            wait["p50"].append(one.p50)
            wait["p99"].append(one.p99)
            say(
                f"{count:>4} clients: {one.per_second:7.1f}/s, p50 {one.p50} ms, p99 {one.p99} ms"
                f" {one.statuses}"
            )
    return [
        Curve(name="clients", x="clients", unit="texts/s", values=list(CLIENTS), series=speed),
        Curve(name="clients-latency", x="clients", unit="milliseconds", values=list(CLIENTS), series=wait),
    ]


def sessions(seconds: float, say: Callable[[str], None]) -> list[Curve]:
    """Texts a second by number of sessions."""
    found: dict[str, list[float]] = {"texts/s": []}
    with licensed_site() as site:
        bodies = analyze_bodies(read_texts(SAMPLE))
        for count in SESSIONS:
            service = site.start(f"Engine:Sessions={count}")
            spec = _spec(service, bodies, 64, seconds)
            load(spec)
            found["texts/s"].append(statistics.median(load(spec).per_second for _ in range(3)))
            service.stop()
            say(f"{count} sessions: {found['texts/s'][-1]:.1f} texts/s")
    return [Curve(name="sessions", x="sessions", unit="texts/s", values=list(SESSIONS), series=found)]


def _commit(ledger: Ledger, first: int, count: int) -> None:
    async def commit() -> None:
        uses = [
            UsageRecord(meter=METER, quantity=3, billed=3, request_id=f"0193a1b2-0000-7000-8000-{n:012d}")
            for n in range(first, first + count)
        ]
        await ledger.commit(uses)

    asyncio.run(commit())


def _pace(ledger: Ledger, waiting: int, seconds: float) -> tuple[float, float]:
    """Return durable entries a second and microseconds of processor for each."""

    async def all_of_them() -> int:
        until = time.perf_counter() + seconds

        async def one(number: int) -> int:
            count = 0
            while time.perf_counter() < until:
                use = UsageRecord(
                    meter=METER, quantity=3, billed=3, request_id=f"0193a1b2-0000-7000-8001-{number:012d}"
                )
                await ledger.commit([use])
                count += 1
            return count

        return sum(await asyncio.gather(*(one(number) for number in range(waiting))))

    began, spent = time.perf_counter(), time.process_time()
    done = asyncio.run(all_of_them())
    return done / (time.perf_counter() - began), 1e6 * (time.process_time() - spent) / done


def ledger(seconds: float, say: Callable[[str], None]) -> list[Curve]:
    """Durable entries a second by size of the log."""
    speed: dict[str, list[float]] = {"1 waiting": [], "64 waiting": []}
    cost: dict[str, list[float]] = {"1 waiting": [], "64 waiting": []}
    with tempfile.TemporaryDirectory() as home:
        clock = Clock(START)
        for size in ENTRIES:
            log = opened(Path(home), clock)
            for first in range(log.size, size, GROUP):
                clock.wall += 1
                _commit(log, first, min(GROUP, size - first))
            for waiting in (1, 64):
                pairs = [_pace(log, waiting, seconds) for _ in range(3)]
                speed[f"{waiting} waiting"].append(round(statistics.median(one for one, _ in pairs), 1))
                cost[f"{waiting} waiting"].append(round(statistics.median(one for _, one in pairs), 1))
            log.close()
            say(
                f"{size:>10,} entries: "
                + ", ".join(f"{name} {found[-1]:,.0f}/s" for name, found in speed.items())
            )
    return [
        Curve(name="ledger", x="entries", unit="durable entries/s", values=list(ENTRIES), series=speed),
        Curve(name="ledger-cost", x="entries", unit="us of processor", values=list(ENTRIES), series=cost),
    ]


PARTS = {"length": length, "clients": clients, "sessions": sessions, "ledger": ledger}


def draw(report: Report, directory: Path) -> None:
    """Draw each curve as an SVG; made by matplotlib in an environment of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).with_name("plot")
    subprocess.run(
        [environment("plot", here / "requirements.txt"), here / "draw.py", directory],
        input=json.dumps(asdict(report)),
        text=True,
        check=True,
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which; all unless named")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each point")
    parser.add_argument("--plots", type=Path, help="where to draw")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    curves = [
        curve
        for part in options.parts or list(PARTS)
        for curve in PARTS[part](
            options.seconds, lambda line: None if options.json else print(line, flush=True)
        )
    ]
    report = Report(curves=curves, machine=describe())
    if options.plots:
        draw(report, options.plots)
    print(json.dumps(asdict(report), indent=2) if options.json else report.machine)
