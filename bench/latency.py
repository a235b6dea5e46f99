"""What one answer waits for: alone, at half of the peak, and when far too much is asked.

    python -m bench latency [--json]

Alone: one client; the bare side is tokenise + session.run of the same texts in the same minute. Half of the
peak: requests at random moments, half as many a second as 64 clients get. Overload: five times the peak; what
is answered in that time as a share of the peak is the goodput, and the rest must be refused at once.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.ceiling import Bare
from bench.load import Load, Spec, load
from bench.machine import describe
from bench.ner import BUNDLED
from bench.service import ANALYZE, address, running_service
from bench.texts import SAMPLE, analyze_bodies, read_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Ratio first, absolute second; times in milliseconds."""

    half_peak_p99_over_alone: float
    overload_goodput: float
    overload_refused_p99_ms: float
    added_p50_ms: float
    bare_p50_ms: float
    alone: Load
    peak: Load
    half: Load
    overload: Load
    machine: str


def _bare_p50(model: Path, texts: list[str]) -> float:
    bare = Bare(model, texts, 1)
    found = []
    for _ in range(max(3, 300 // len(texts))):
        for text in texts:
            began = time.perf_counter()
            bare.call([text])
            found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found[len(texts) :])


def measure(*, model: Path, texts: list[str], seconds: float, say: Callable[[str], None]) -> Report:
    """Measure all three, against one running service."""
    bodies = analyze_bodies(texts)
    with running_service(f"Mounts:Model={model}") as service:
        host, port = address(service)
        spec = Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=64, seconds=seconds)
        load(spec)
        alone, bare = [], []
        for _ in range(3):
            bare.append(_bare_p50(model, texts))
            alone.append(load(replace(spec, clients=1)))
        say(f"alone: {alone[-1].p50} ms, bare {bare[-1]:.2f} ms")
        peak = load(spec)
        say(f"peak: {peak.per_second} a second")
        half = load(replace(spec, rate=peak.per_second / 2, clients=256))
        over = load(replace(spec, rate=peak.per_second * 5, clients=4096, seconds=3 * seconds))
    added = statistics.median(one.p50 - base for one, base in zip(alone, bare, strict=True))
    single = statistics.median(one.p50 for one in alone)
    return Report(
        half_peak_p99_over_alone=round(half.p99 / single, 2),
        overload_goodput=round(over.per_second / peak.per_second, 3),
        overload_refused_p99_ms=over.refused_p99,
        added_p50_ms=round(added, 2),
        bare_p50_ms=round(statistics.median(bare), 2),
        alone=alone[0],
        peak=peak,
        half=half,
        overload=over,
        machine=describe(),
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of each phase; the overload takes three times it"
    )
    parser.add_argument("--even", action="store_true", help="ask one text of middle length again and again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    texts = read_texts(options.texts)
    if options.even:
        texts = [sorted(texts, key=len)[len(texts) // 2]]
    report = measure(
        model=options.model,
        texts=texts,
        seconds=options.seconds,
        say=lambda line: None if options.json else print(line, flush=True),
    )
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"p99 at half of the peak / one alone: {report.half_peak_p99_over_alone}")
    refused = report.overload_refused_p99_ms
    print(f"overload: goodput {report.overload_goodput} of the peak, the rest refused in {refused} ms (p99)")
    print(f"one client: {report.added_p50_ms:+.2f} ms over {report.bare_p50_ms} ms (p50)")
    for name in ("alone", "peak", "half", "overload"):
        one: Load = getattr(report, name)
        print(f"{name:<9} {one.per_second:8.1f}/s  p50 {one.p50} ms  p99 {one.p99} ms  {one.statuses}")
    print(report.machine)
