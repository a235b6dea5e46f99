"""What one answer waits for: alone, at half of the peak, and when far too much is asked.

    python -m bench latency [--json]

Alone: one client; the bare side is tokenise + session.run of the same texts in the same minute: in a tight
loop, and again with a pause of three milliseconds between two calls, in which caches forget the model as they
do in a service. Half of the peak: requests at random moments, half as many a second as 64 clients get.
Overload: two, five and ten times the peak; what is answered in that time as a share of the peak is the
goodput, and the rest must be refused at once. The generator takes a part of the same cores, which grows with
the rate: its share is told.

With `--autocannon` that program asks as well, one client and 64 of them, beside the generator of this bench.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.autocannon import autocannon
from bench.ceiling import Bare
from bench.load import Load, Spec, load
from bench.machine import describe
from bench.ner import BUNDLED
from bench.service import ANALYZE, address, running_service
from bench.texts import SAMPLE, analyze_bodies, read_texts

OVERLOADS = (2, 5, 10)
PAUSE_SECONDS = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Ratio first, absolute second; times in milliseconds."""

    half_peak_p99_over_alone: float
    overload_goodput: dict[int, float]
    overload_refused_p99_ms: dict[int, float]
    overload_generator_cores: dict[int, float]
    added_p50_ms: float
    added_to_paused_p50_ms: float
    bare_p50_ms: float
    bare_paused_p50_ms: float
    alone: Load
    peak: Load
    half: Load
    overloads: dict[int, Load]
    autocannon: dict[str, Load]
    machine: str


def _bare_p50(model: Path, texts: list[str], pause: float = 0.0) -> float:
    bare = Bare(model, texts, 1)
    found = []
    for _ in range(max(3, 300 // len(texts))):
        for text in texts:
            if pause:
                time.sleep(pause)
            began = time.perf_counter()
            bare.call([text])
            found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found[len(texts) :])


def measure(
    *, model: Path, texts: list[str], seconds: float, others: bool, say: Callable[[str], None]
) -> Report:
    """Measure all three, against one running service; with `others` by autocannon, too."""
    bodies = analyze_bodies(texts)
    with running_service(f"Mounts:Model={model}") as service:
        host, port = address(service)
        spec = Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=64, seconds=seconds)
        load(spec)
        alone, bare, paused = [], [], []
        for _ in range(3):
            bare.append(_bare_p50(model, texts))
            paused.append(_bare_p50(model, texts, PAUSE_SECONDS))
            alone.append(load(replace(spec, clients=1)))
        say(f"alone: {alone[-1].p50} ms, bare {bare[-1]:.2f} ms, with pauses {paused[-1]:.2f} ms")
        peak = load(spec)
        say(f"peak: {peak.per_second} a second")
        half = load(replace(spec, rate=peak.per_second / 2, clients=256))
        theirs = (
            {
                "alone": autocannon(replace(spec, clients=1)),
                "peak": autocannon(spec),
            }
            if others
            else {}
        )
        overloads = {}
        for times in OVERLOADS:
            rate = peak.per_second * times
            overloads[times] = load(replace(spec, rate=rate, clients=4096, seconds=2 * seconds))
            say(f"{times} times the peak: {overloads[times].per_second} a second answered")
    added, to_paused = (
        statistics.median(one.p50 - base for one, base in zip(alone, side, strict=True))
        for side in (bare, paused)
    )
    single = statistics.median(one.p99 for one in alone)
    return Report(
        half_peak_p99_over_alone=round(half.p99 / single, 2),
        overload_goodput={
            times: round(over.per_second / peak.per_second, 3) for times, over in overloads.items()
        },
        overload_refused_p99_ms={times: over.refused_p99 for times, over in overloads.items()},
        overload_generator_cores={
            times: round(over.cpu_us * sum(over.statuses.values()) / over.seconds / 1e6, 2)
            for times, over in overloads.items()
        },
        added_p50_ms=round(added, 2),
        added_to_paused_p50_ms=round(to_paused, 2),
        bare_p50_ms=round(statistics.median(bare), 2),
        bare_paused_p50_ms=round(statistics.median(paused), 2),
        alone=alone[0],
        peak=peak,
        half=half,
        overloads=overloads,
        autocannon=theirs,
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
        "--seconds", type=float, default=10.0, help="of each phase; an overload takes twice it"
    )
    parser.add_argument("--even", action="store_true", help="ask one text of middle length again and again")
    parser.add_argument("--autocannon", action="store_true", help="ask with autocannon as well (npm)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    texts = read_texts(options.texts)
    if options.even:
        texts = [sorted(texts, key=len)[len(texts) // 2]]
    report = measure(
        model=options.model,
        texts=texts,
        seconds=options.seconds,
        others=options.autocannon,
        say=lambda line: None if options.json else print(line, flush=True),
    )
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"p99 at half of the peak / p99 of one alone: {report.half_peak_p99_over_alone}")
    print(f"one client: {report.added_p50_ms:+.2f} ms over {report.bare_p50_ms} ms (p50)")
    print(f"  {report.added_to_paused_p50_ms:+.2f} ms over {report.bare_paused_p50_ms} ms, with pauses (p50)")
    for times, goodput in report.overload_goodput.items():
        refused, cores = report.overload_refused_p99_ms[times], report.overload_generator_cores[times]
        print(f"{times} times the peak: goodput {goodput}, refused in {refused} ms (p99); load {cores} cores")
    shown = {"alone": report.alone, "peak": report.peak, "half": report.half}
    shown |= {f"x {times}": over for times, over in report.overloads.items()}
    shown |= {f"autocannon, {name}": one for name, one in report.autocannon.items()}
    for name, one in shown.items():
        print(f"{name:<17} {one.per_second:8.1f}/s  p50 {one.p50} ms  p99 {one.p99} ms  {one.statuses}")
    print(report.machine)


if __name__ == "__main__":
    main()
