"""The two bundled general models beside each other: speed, memory and start.

    python -m bench general [--json]

Both services run at once and are asked in turn, with the same English texts. A start is a second one, from
the command to `/ready`. Memory is the resident set of a service that has answered nothing yet, and the most
of it under load.
"""

import argparse
import contextlib
import functools
import json
from dataclasses import asdict, dataclass
from typing import Final

from bench.load import Spec, load
from bench.machine import alternate, describe, ratio, shown
from bench.service import ANALYZE, address, licensed_site
from bench.startup import resident, start
from bench.texts import analyze_bodies, read_texts
from tests.support.site import Service

MODELS: Final = ("en", "multi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Ratios first, of `ner-multi` over `ner-en`; requests a second, MiB, seconds."""

    speed: float
    idle_memory: float
    memory: float
    start: float
    speeds: dict[str, list[float]]
    idle: dict[str, int]
    under_load: dict[str, int]
    starts: dict[str, list[float]]
    machine: str


def measure(*, turns: int, seconds: float, clients: int) -> Report:
    """Measure both models in turn."""
    bodies = analyze_bodies(read_texts())
    services: dict[str, Service] = {}
    most: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        sites = {name: stack.enter_context(licensed_site()) for name in MODELS}
        for name, site in sites.items():
            start(site, f"Models:General={name}")
        starts = alternate(
            {name: functools.partial(start, site, f"Models:General={name}") for name, site in sites.items()},
            turns,
            each=lambda *_: None,
        )
        for name, site in sites.items():
            services[name] = site.start(f"Models:General={name}")
        idle = {name: resident(service.process.pid) for name, service in services.items()}

        def asked(name: str) -> float:
            host, port = address(services[name])
            found = load(
                Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=clients, seconds=seconds)
            )
            most[name] = max(most.get(name, 0), resident(services[name].process.pid))
            return found.per_second

        for name in MODELS:
            asked(name)
        speeds = alternate(
            {name: functools.partial(asked, name) for name in MODELS}, turns, each=lambda *_: None
        )
    return Report(
        speed=ratio(speeds["multi"], speeds["en"]),
        idle_memory=round(idle["multi"] / idle["en"], 2),
        memory=round(most["multi"] / most["en"], 2),
        start=ratio(starts["multi"], starts["en"]),
        speeds=speeds,
        idle=idle,
        under_load=most,
        starts=starts,
        machine=describe(),
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench general",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure(turns=options.turns, seconds=options.seconds, clients=options.clients)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print("ner-multi over ner-en:")
    print(f"  speed {report.speed}  memory {report.memory} (idle {report.idle_memory})  start {report.start}")
    for name in MODELS:
        print(
            f"ner-{name:<6} {shown(report.speeds[name], 'texts/s')}; start {shown(report.starts[name], 's')};"
            f" {report.under_load[name]} MiB under load, {report.idle[name]} MiB idle"
        )
    print(report.machine)
