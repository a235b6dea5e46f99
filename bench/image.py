"""The documented `docker run` lines with podman and docker: seconds to `/ready`, memory, answers, sizes.

    python -m bench image [--turns 3] [--json]

Builds bundle and images from this checkout, as `make test-container` does (root, podman, buildah; docker.io
for the second column), and types the lines of docs/deploy/README.md with `--cpus 1`. A line that serves is
timed to `/ready`, one that ends to its end. The bare side is `docker run --rm BASE true`: what the engine
itself takes.
"""

import argparse
import contextlib
import json
import re
import shutil
import socket
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from appliance.models.locations import GENERAL
from bench.load import Spec, load
from bench.machine import describe
from bench.service import ANALYZE
from bench.texts import analyze_bodies, read_texts
from license.authority.authority import Authority
from tests.system.container.docker import running_docker, why_no_docker
from tests.system.container.engine import (
    BASE,
    Engine,
    copy_images,
    make_base,
    make_bundle,
    make_engine,
    make_images,
    unpack,
    why_not,
    with_roots,
)
from tests.system.container.host import Host
from tests.system.container.shop import Shop, open_shop

TARGETS = "text,speech,diagnostic"
SECONDS = 120
READY = {
    "text, connected": ("Text, connected", 0),
    "text, disconnected": ("Text, disconnected", 1),
    "speech, connected": ("Speech, connected", 4),
    "speech, disconnected": ("Speech, disconnected", 1),
}
ENDING = {
    "text, licence": ("Text, disconnected", 0),
    "speech, models listed": ("Speech, connected", 0),
    "speech, display models listed": ("Speech, connected", 1),
    "speech, newest display model": ("Speech, connected", 2),
    "speech, one display model": ("Speech, connected", 3),
    "speech, licence": ("Speech, disconnected", 0),
    "diagnosis": ("Diagnosis", 0),
}
BARE = "an empty container"


@dataclass(slots=True, kw_only=True)
class Column:
    """What one engine took: seconds of each line, MiB resident once it is ready."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    mebibytes: dict[str, int] = field(default_factory=dict)
    answers_a_second: float = 0.0

    def note(self, line: str, seconds: float) -> None:
        self.seconds.setdefault(line, []).append(round(seconds, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    engines: dict[str, Column]
    layers: dict[str, tuple[float, float]]
    """Megabytes unpacked and packed of each layer."""
    machine: str


@contextlib.contextmanager
def _host(engine: Engine, images: dict[str, str], shop: Shop) -> Iterator[Host]:
    with tempfile.TemporaryDirectory() as place, socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        one.close()
        Path(place).chmod(0o755)
        host = Host(Path(place), engine, images, shop, port)
        shutil.copytree(GENERAL["en"], host.directory("exported", mode=0o755) / "Contracts" / "v1")
        try:
            yield host
        finally:
            host.close()


def _line(host: Host, name: str) -> str:
    heading, number = {**READY, **ENDING}[name]
    offer = host.shop.offers["rescore"]
    key = {
        "Text, connected": host.shop.connected,
        "Text, disconnected": host.shop.disconnected,
        "Diagnosis": host.shop.connected,
    }
    line = host.line(
        heading, number, API_KEY=key.get(heading, host.shop.speech), LOCAL_PATH=str(host.home / "exported"),
        PROJECT_NAME="Contracts", MODEL_NAME="v1", MODEL_ID=host.shop.offers["model"].line,
        RESCORE_ID=f"{offer.line}/{offer.release}",
    )  # fmt: skip
    return re.sub(r"--cpus \d", "--cpus 1", line)


def _ended(host: Host, name: str) -> float:
    began = time.perf_counter()
    ended = host.run(_line(host, name))
    assert ended.code == 0, f"{name}: {ended.text[-2000:]}"
    return time.perf_counter() - began


def _ready(host: Host, name: str, work: Callable[[str], None]) -> float:
    """Type a line that serves; return the seconds to `/ready`, and stop it after some work."""
    began = time.perf_counter()
    container, terminal = host.type(_line(host, name))
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{host.port}/ready", timeout=5)
            break
        except (urllib.error.URLError, OSError):
            assert time.perf_counter() < began + SECONDS, f"{name}: {terminal.text()[-2000:]}"
            assert terminal.process.poll() is None, f"{name}: {terminal.text()[-2000:]}"
            time.sleep(0.02)
    took = time.perf_counter() - began
    work(container)
    host.stop(container, terminal)
    return took


def _resident(host: Host, container: str) -> int:
    time.sleep(1)
    pid = host.engine.inspect(container)["State"]["Pid"]
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
    assert found is not None
    return int(found[1]) // 1024


def _measure(engine: Engine, images: dict[str, str], shop: Shop, turns: int) -> Column:
    column = Column()
    for _ in range(turns):
        began = time.perf_counter()
        engine.run("run", "--rm", BASE, "true")
        column.note(BARE, time.perf_counter() - began)
        # Text and speech each have their own host: a licence is for one product.
        for product in ("text", "speech"):
            with _host(engine, images, shop) as host:
                _product(host, product, column)
        with _host(engine, images, shop) as host:
            column.note("diagnosis", _ended(host, "diagnosis"))
    with _host(engine, images, shop) as host:
        _ended(host, "text, licence")
        _ready(host, "text, disconnected", lambda _: _ask(host, column))
    return column


def _product(host: Host, product: str, column: Column) -> None:
    def memory(name: str) -> Callable[[str], None]:
        return lambda container: column.mebibytes.__setitem__(name, _resident(host, container))

    names = [name for name in ENDING if name.startswith(product) and "licence" not in name]
    for name in names:
        column.note(name, _ended(host, name))
    column.note(
        f"{product}, connected", _ready(host, f"{product}, connected", memory(f"{product}, connected"))
    )
    column.note(f"{product}, licence", _ended(host, f"{product}, licence"))
    serving = f"{product}, disconnected"
    column.note(serving, _ready(host, serving, memory(serving)))


def _ask(host: Host, column: Column) -> None:
    bodies = analyze_bodies(read_texts())
    done = load(Spec(host="127.0.0.1", port=host.port, path=ANALYZE, bodies=bodies, clients=16, seconds=5.0))
    column.answers_a_second = round(done.per_second, 1)


def _layers(podman: Engine, image: str) -> dict[str, tuple[float, float]]:
    """Sizes of base, dependencies, models and program, unpacked and as gzip packs them."""
    with tempfile.TemporaryDirectory() as place:
        podman.run("save", "--format", "docker-dir", "--compress", "-o", f"{place}/packed", image)
        packed = json.loads(Path(place, "packed/manifest.json").read_text())["layers"]
        podman.run("save", "--format", "docker-dir", "--uncompressed", "-o", f"{place}/plain", image)
        plain = json.loads(Path(place, "plain/manifest.json").read_text())["layers"]
    sizes = [(one["size"] / 1e6, two["size"] / 1e6) for one, two in zip(plain, packed, strict=True)]
    names = ["base", "dependencies", "models", "this software"]
    return {name: (round(one, 1), round(two, 1)) for name, (one, two) in zip(names, sizes, strict=True)}


def measure(turns: int) -> ImageReport:
    if why_not():
        raise SystemExit(f"error: {why_not()}")
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("bundle", "unpacked", "roots", "docker"):
            (place / name).mkdir()
        vendor = stack.enter_context(Authority.create(place / "vendor"))
        own = stack.enter_context(open_shop(vendor, place / "shop"))
        podman = make_engine()
        make_base(podman)
        plain = make_images(podman, unpack(make_bundle(place / "bundle"), place / "unpacked"), TARGETS)
        images = with_roots(podman, plain, vendor.roots_dir, place / "roots")
        engines = {"podman": podman}
        if why_no_docker():
            print(f"no column for docker: {why_no_docker()}")
        else:
            engines["docker"] = stack.enter_context(running_docker(place / "docker"))
            copy_images(podman, engines["docker"], [*images.values(), BASE], place / "docker")
        columns = {
            name: _measure(engine, images, own._replace(url=own.url.replace("127.0.0.1", engine.host)), turns)
            for name, engine in engines.items()
        }
        layers = _layers(podman, plain["text"])
    return ImageReport(engines=columns, layers=layers, machine=describe())


def table(report: ImageReport) -> str:
    """The tables of docs/deploy/README.md."""
    names = list(report.engines)
    rows = [f"| | {' | '.join(names)} | MiB |", f"|---|{'---|' * len(names)}---|"]
    for line in (BARE, *ENDING, *READY):
        cells = [_cell(column.seconds[line]) for column in report.engines.values()]
        memory = max((column.mebibytes.get(line, 0) for column in report.engines.values()), default=0)
        rows.append(f"| {line} | {' | '.join(cells)} | {memory or ''} |")
    rates = ", ".join(f"{one.answers_a_second:.0f} ({name})" for name, one in report.engines.items())
    rows += ["", f"Answers a second of one core, sixteen callers: {rates}", ""]
    rows += ["| Layer | MB | packed |", "|---|---|---|"]
    rows += [f"| {name} | {one:.1f} | {two:.1f} |" for name, (one, two) in report.layers.items()]
    both = [sum(sizes) for sizes in zip(*report.layers.values(), strict=True)]
    rows += [f"| together | {both[0]:.1f} | {both[1]:.1f} |", "", report.machine]
    return "\n".join(rows)


def _cell(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench image",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure(options.turns)
    print(json.dumps(asdict(report)) if options.json else table(report))
