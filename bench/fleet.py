"""What several workers of one host answer: `Workers=1`, 2, 4 … beside the bare model in as many processes.

    python -m bench fleet [--workers 1 2 4] [--json]

Each number of workers serves the same short texts, one a request, to 64 clients. Beside it stands the
ceiling: tokenise and `session.run` in a tight loop, in one process for each usable core. CPU a request is
what supervisor and workers used together, so it should not grow with their number. The load generator runs on
the same cores, and says what it used itself.
"""

import argparse
import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from appliance.config.products import CUSTOM_NER
from appliance.host.cpus import usable_cores
from bench.ceiling import Arrangement, Ceiling
from bench.load import Load, Spec, load
from bench.machine import alternate, describe, ratio
from bench.ner import BUNDLED
from bench.service import ANALYZE, address, licensed_site
from bench.texts import SAMPLE, analyze_bodies, read_texts
from license.authority.issuing.issue import Terms
from tests.support.site import Service

CLIENTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number of workers: ratio first, then what was seen; medians of all turns.

    Attributes:
        workers: Processes that answer.
        of_ceiling: Answers a second over texts a second of the bare model.
        per_second: Answers.
        ceiling: Texts of the bare model.
        cpu_ms: Processor time a request of all processes of the service.
        load_cpu_us: The same of the load generator.
        p50: Milliseconds.
        p99: Milliseconds.
    """

    workers: int
    of_ceiling: float
    per_second: float
    ceiling: float
    cpu_ms: float
    load_cpu_us: float
    p50: float
    p99: float


def processes(pid: int) -> list[int]:
    """Return a process and its children."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]


def used_seconds(pids: Sequence[int]) -> float:
    """Return the processor time that processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _ask(service: Service, spec: Spec) -> tuple[Load, float]:
    """Load a service, and return what it answered and its processor time a request, in milliseconds."""
    pids = processes(service.process.pid)
    before = used_seconds(pids)
    answered = load(spec)
    return answered, 1000 * (used_seconds(pids) - before) / max(1, answered.answered)


def measure(
    counts: Sequence[int],
    *,
    model: Path,
    texts: list[str],
    seconds: float,
    turns: int,
    say: Callable[[str], None],
) -> list[Measured]:
    """Measure each number of workers, one after the other; each in turns with the ceiling."""
    found = []
    for count in counts:
        with licensed_site() as site:
            terms = Terms(binding="any", max_logs=max(counts))
            site.issue(terms=terms, meters={CUSTOM_NER.meter: 1_000_000_000})
            service = site.start(f"Mounts:Model={model}", f"Workers={count}")
            host, port = address(service)
            bodies = analyze_bodies(texts)
            spec = Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=CLIENTS, seconds=seconds)
            load(spec)  # warm
            asked: list[tuple[Load, float]] = []
            arrangement = Arrangement(kind="processes", lanes=usable_cores(), batch=1)
            with Ceiling(model, texts, arrangement) as ceiling:

                def serve(spec: Spec = spec, service: Service = service) -> float:
                    asked.append(_ask(service, spec))  # noqa: B023 (called before the next turn of the loop)
                    return asked[-1][0].per_second  # noqa: B023

                sides: dict[str, Callable[[], float]] = {
                    "service": serve,
                    "bare": partial(ceiling.per_second, seconds),
                }
                rates = alternate(sides, turns, each=lambda name, rate: say(f"{name}: {rate:.0f}/s"))
        one = Measured(
            workers=count,
            of_ceiling=ratio(rates["service"], rates["bare"]),
            per_second=round(statistics.median(rates["service"]), 1),
            ceiling=round(statistics.median(rates["bare"]), 1),
            cpu_ms=round(statistics.median(cpu for _, cpu in asked), 3),
            load_cpu_us=statistics.median(answered.cpu_us for answered, _ in asked),
            p50=statistics.median(answered.p50 for answered, _ in asked),
            p99=statistics.median(answered.p99 for answered, _ in asked),
        )
        found.append(one)
        say(f"{count} workers: {one.of_ceiling} of the bare model, {one.cpu_ms} ms of processor a request")
    return found


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    found = measure(
        options.workers,
        model=options.model,
        texts=read_texts(options.texts),
        seconds=options.seconds,
        turns=options.turns,
        say=lambda line: None if options.json else print(line, flush=True),
    )
    if options.json:
        print(json.dumps({"machine": describe(), "workers": [asdict(one) for one in found]}, indent=2))
        return
    for one in found:
        print(
            f"{one.workers} workers: {one.of_ceiling} of {one.ceiling}/s, {one.per_second}/s; "
            f"{one.cpu_ms} ms of processor a request (load {one.load_cpu_us} us); "
            f"p50 {one.p50} ms, p99 {one.p99} ms"
        )
    first = found[0].cpu_ms
    print(f"processor a request, of one worker's: {', '.join(f'{one.cpu_ms / first:.2f}' for one in found)}")
    print(describe())


if __name__ == "__main__":
    main()
