"""Texts per second of the whole service, metering to disk, next to the bare model and to what others build.

    python -m bench ner [--documents 1] [--clients 64] [--peers starlette,litserve] [--json]

The ceiling is the best of all arrangements of a loop without a server (`bench.ceiling`), found first. Then
ceiling, service and a peer are measured in turn, again and again, with no other peer running; ratios are
medians over neighbours in time.
The load comes from another process on the same cores; its own processor time for each request is told.
"""

import argparse
import contextlib
import functools
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.ceiling import Ceiling, best
from bench.environments import PEERS, Peer, running_peer
from bench.load import Load, Spec, load
from bench.machine import alternate, describe, ratio, shown
from bench.service import ANALYZE, address, running_service
from bench.texts import SAMPLE, analyze_bodies, peer_bodies, read_texts

BUNDLED = Path(__file__).parents[1] / "appliance" / "bundled" / "ner-en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Ratio first, absolute second. Speeds are texts per second."""

    share_of_ceiling: float
    over_best_peer: float | None
    over_peers: dict[str, float]
    shares: dict[str, float]
    speeds: dict[str, list[float]]
    arrangement: str
    arrangements: dict[str, float]
    service: list[Load]
    documents: int
    clients: int
    machine: str


def _wrapped(body: str) -> str:
    texts = json.loads(body)["texts"]
    tensor = {"name": "texts", "shape": [len(texts), 1], "datatype": "BYTES", "data": texts}
    return json.dumps({"inputs": [tensor]})


def _peer_spec(peer: Peer, port: int, bodies: list[str], clients: int, seconds: float) -> Spec:
    if peer.wrapped:
        bodies = [_wrapped(body) for body in bodies]
    return Spec(host="127.0.0.1", port=port, path=peer.path, bodies=bodies, clients=clients, seconds=seconds)


def measure(
    *,
    model: Path,
    texts: list[str],
    documents: int,
    clients: int,
    turns: int,
    seconds: float,
    peers: list[Peer],
    say: Callable[[str], None],
) -> Report:
    """Measure the service, the ceiling and the peers in turn."""
    arrangement, arrangements = best(model, texts)
    say(f"ceiling: {arrangement}")
    loads: list[Load] = []
    found: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    over: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        ceiling = stack.enter_context(Ceiling(model, texts, arrangement))
        limit = f"Limits:DocumentsPerRequest={max(5, documents)}"
        service = stack.enter_context(running_service(f"Mounts:Model={model}", limit))
        host, port = address(service)
        bodies = analyze_bodies(texts, documents)
        spec = Spec(host=host, port=port, path=ANALYZE, bodies=bodies, clients=clients, seconds=seconds)
        load(spec)

        def served() -> float:
            loads.append(load(spec))
            return loads[-1].per_second * documents

        for peer in peers or (None,):
            # One peer at a time: some use a core even when nobody asks.
            with contextlib.ExitStack() as alone:
                sides: dict[str, Callable[[], float]] = {
                    "ceiling": lambda: ceiling.per_second(seconds),
                    "service": served,
                }
                if peer is not None:
                    theirs = _peer_spec(
                        peer,
                        alone.enter_context(running_peer(peer, model)),
                        peer_bodies(texts, documents),
                        clients,
                        seconds,
                    )
                    load(theirs)
                    sides[peer.name] = functools.partial(_speed, theirs, documents)
                group = alternate(
                    sides, turns, each=lambda name, value: say(f"  {name:<12} {value:8.1f} texts/s")
                )
            for name, values in group.items():
                found.setdefault(name, []).extend(values)
                pairs = zip(values, group["ceiling"], strict=True)
                shares.setdefault(name, []).extend(value / most for value, most in pairs)
            if peer is not None:
                over[peer.name] = ratio(group["service"], group[peer.name])
    middle = {name: round(statistics.median(values), 3) for name, values in shares.items()}
    return Report(
        share_of_ceiling=middle["service"],
        over_best_peer=min(over.values(), default=None),
        over_peers=over,
        shares=middle,
        speeds={name: [round(value, 1) for value in values] for name, values in found.items()},
        arrangement=str(arrangement),
        arrangements=arrangements,
        service=loads,
        documents=documents,
        clients=clients,
        machine=describe(),
    )


def _speed(spec: Spec, documents: int) -> float:
    return load(spec).per_second * documents


def tell(report: Report) -> None:
    print(f"service / ceiling    {report.share_of_ceiling:.3f}")
    if report.over_best_peer is not None:
        print(f"service / best peer  {report.over_best_peer:.3f}")
    for name, values in report.speeds.items():
        print(f"{name:<12} {shown(values, 'texts/s'):<44} {report.shares.get(name, 1.0):.3f} of the ceiling")
    latency = statistics.median(one.p99 for one in report.service)
    print(f"service: p99 {latency:.1f} ms; the load itself {report.service[0].cpu_us:.0f} us a request")
    print(f"ceiling: {report.arrangement}; {report.documents} documents a request, {report.clients} clients")
    print(report.machine)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench ner", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=BUNDLED, help="model folder")
    parser.add_argument("--texts", type=Path, default=SAMPLE, help="texts one a line, or .conll or .jsonl")
    parser.add_argument("--documents", type=int, default=1, help="in each request")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--peers", default="", help=f"comma-separated, of {', '.join(PEERS)}; or all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    names = list(PEERS) if options.peers == "all" else [name for name in options.peers.split(",") if name]
    report = measure(
        model=options.model,
        texts=read_texts(options.texts),
        documents=options.documents,
        clients=options.clients,
        turns=options.turns,
        seconds=options.seconds,
        peers=[PEERS[name] for name in names],
        say=lambda line: None if options.json else print(line, flush=True),
    )
    if options.json:
        print(json.dumps(asdict(report), indent=2))
    else:
        tell(report)
