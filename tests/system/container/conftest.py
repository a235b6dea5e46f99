"""The image with a vendor's root key in it, a billing endpoint for containers, and the documented lines."""

import os
import pty
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn

from appliance.config.products import CUSTOM_NER, SPEECH_TO_TEXT
from license.authority.authority import Authority
from license.authority.http.app import Limits, make_app
from license.authority.models.describe import describe
from license.models.manifest import Manifest
from tests.support.display import write_punctuator, write_rescorer
from tests.support.paths import ROOT
from tests.support.tones import write_model
from tests.system.container.engine import (
    BASE,
    Engine,
    make_base,
    make_bundle,
    make_engine,
    make_images,
    why_not,
)

USER = 10001
PAGE = ROOT / "docs/deploy/README.md"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("container")
            if why_not():
                item.add_marker(pytest.mark.skip(reason=why_not()))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Path]"]:
    """The bundle, which is built while the base image is."""
    with ThreadPoolExecutor(1) as other:
        yield other.submit(make_bundle, tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def engine(bundle: "Future[Path]") -> Engine:
    made = make_engine()
    try:
        make_base(made)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the base image cannot be made here: {error.stderr.decode(errors='replace')[-300:]}")
    tried = made.run("run", "--rm", BASE, "true", check=False)
    if tried.returncode != 0:
        pytest.skip(f"podman is installed, and cannot run a container here: {tried.stderr.strip()[-300:]}")
    return made


@pytest.fixture(scope="session")
def images(
    engine: Engine,
    bundle: "Future[Path]",
    tmp_path_factory: pytest.TempPathFactory,
    vendor: Authority,
) -> dict[str, str]:
    """What each image is called; the vendor's root key lies in it, as a vendor's own build has it."""
    plain = make_images(engine, bundle.result(), tmp_path_factory.mktemp("image"))
    context = tmp_path_factory.mktemp("roots")
    for key in vendor.roots_dir.glob("*.vkey"):
        (context / key.name).write_bytes(key.read_bytes())
    made = {}
    for target, name in plain.items():
        (context / "Containerfile").write_text(f"FROM {name}\nCOPY *.vkey /etc/appliance/roots.d/\n")
        made[target] = f"localhost/oa-tests/{target}"
        words = ["--format", "docker", "--network", "none", "-q", "-t", made[target], str(context)]
        done = subprocess.run(
            ["buildah", "bud", *words], capture_output=True, text=True, check=False,
            env={**os.environ, **engine.environ},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return made


class Shop(NamedTuple):
    """What a customer has of the vendor: an address, keys, and speech models on offer."""

    url: str
    connected: str
    disconnected: str
    models: str
    speech: str
    offers: dict[str, Manifest]


@pytest.fixture(scope="session")
def shop(engine: Engine, vendor: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    place = tmp_path_factory.mktemp("shop")
    lines = {"model": "tones-c/1", "punct": "punct-c/1", "rescore": "rescore-c/1"}
    for line in lines.values():
        vendor.create_line(line)
    folders = {
        "model": write_model(place / "model", line=lines["model"]),
        "punct": write_punctuator(place / "punct", line=lines["punct"]),
        "rescore": write_rescorer(place / "rescore", line=lines["rescore"]),
    }
    offers = {}
    for name, folder in folders.items():
        about = describe(folder, line=lines[name], release=None, task=None, name=None)
        offers[name] = vendor.pack(
            folder, line=lines[name], release=about.release, name=about.name, task=about.task,
            language=about.language,
        )[0]  # fmt: skip

    def buy(product: str, tier: str, units: int, models: tuple[str, ...] = ()) -> str:
        meter = (SPEECH_TO_TEXT if product == "speech" else CUSTOM_NER).meter
        return vendor.create_resource(
            f"c-{product}-{tier.lower()}", customer="Acme Ltd", product=product, tier=tier,
            meters={meter: units}, models=models, approved=True, overage="block" if tier == "DC0" else None,
        ).key1  # fmt: skip

    speech = tuple(lines.values())
    keys = (
        buy("ner", "S0", 100_000), buy("ner", "DC0", 100_000), buy("speech", "S0", 100_000, speech),
        buy("speech", "DC0", 100_000, speech),
    )  # fmt: skip
    config = uvicorn.Config(
        make_app(vendor, Limits(reports=100_000, reads=100_000)),
        host="0.0.0.0",  # noqa: S104 (containers reach this machine by its address on their bridge)
        port=0, log_config=None, lifespan="off",
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Shop(f"http://{engine.host}:{port}", *keys, offers)
    server.should_exit = True
    thread.join()


class Ran(NamedTuple):
    """How a line that ends by itself ended."""

    code: int
    text: str


class Terminal:
    """A line typed at a terminal; it may serve until it is ended."""

    def __init__(self, line: str, environ: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["sh", "-c", line], stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._sent = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 4096):
                self._sent.extend(data)
        except OSError:  # the last program has closed it
            pass

    def text(self) -> str:
        """Return what was printed, without colours and without what podman says of a missing systemd."""
        lines = re.sub(r"\x1b\[[0-9;]*m", "", self._sent.decode(errors="replace")).splitlines()
        return "".join(f"{line}\n" for line in lines if "unable to get systemd connection" not in line)

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        os.write(self._master, b"\x03")

    def wait_for(self, word: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while word not in self.text():
            assert time.monotonic() < deadline, f"no {word!r}: {self.text()[-3000:]}"
            assert self.process.poll() is None, f"it ended: {self.text()[-3000:]}"
            time.sleep(0.02)

    def close(self) -> None:
        """End what still runs; its container was removed."""
        if self.process.poll() is None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.ended(10)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def ended(self, seconds: float = 90) -> Ran:
        code = self.process.wait(seconds)
        self._reader.join(10)
        return Ran(code, self.text())


class Host:
    """Directories of a host, as the documents ask for them, and lines of the page that are typed there."""

    def __init__(self, home: Path, engine: Engine, images: dict[str, str], shop: Shop, port: int) -> None:
        self.home, self.engine, self.images, self.shop, self.port = home, engine, images, shop, port
        self.started: list[tuple[str, Terminal]] = []
        for name in ("license", "output", "models"):
            self.directory(name)

    def directory(self, name: str, owner: int = USER, mode: int = 0o700) -> Path:
        path = self.home / name
        path.mkdir(exist_ok=True)
        path.chmod(mode)
        os.chown(path, owner, owner)
        return path

    def line(self, heading: str, number: int = 0, **more: str) -> str:
        """Return a line of the page with what is this customer's, and nothing else changed."""
        values = {
            "IMAGE": self.images["text"],
            "SPEECH_IMAGE": self.images["speech"],
            "DIAGNOSTIC_IMAGE": self.images["diagnostic"],
            "ENDPOINT_URI": self.shop.url,
            "LICENSE_PATH": str(self.home / "license"),
            "OUTPUT_PATH": str(self.home / "output"),
            "MODELS_PATH": str(self.home / "models"),
            "MODELS_KEY": self.shop.models,
            "LOCALE": "en-US",
            **more,
        }
        text = documented(heading)[number]
        # Another port of the host, as the documents say where one is taken.
        text = text.replace("-p 5000:5000", f"-p 127.0.0.1:{self.port}:5000")
        return re.sub(r"\{([A-Z_]+)\}", lambda found: values[found[1]], text)

    def type(self, line: str, *options: str) -> tuple[str, Terminal]:
        """Type a line, and return the name of the container and the terminal."""
        name = f"oa-{self.port}-{len(self.started)}"
        added = " ".join(["run", "--name", name, *options])
        line = line.replace("docker run", f"{self.engine.name} {added}", 1)
        terminal = Terminal(line, {**os.environ, **self.engine.environ})
        self.started.append((name, terminal))
        return name, terminal

    def run(self, line: str, *options: str) -> Ran:
        """Type a line that ends by itself."""
        return self.type(line, *options)[1].ended()

    def serve(self, line: str, *options: str) -> tuple[str, Terminal]:
        """Type a line that serves, and wait until it does."""
        name, terminal = self.type(line, *options)
        terminal.wait_for("Application started")
        return name, terminal

    def stop(self, name: str, terminal: Terminal) -> Ran:
        self.engine.run("stop", "--time", "30", name)
        return terminal.ended()

    def close(self) -> None:
        for name, terminal in self.started:
            self.engine.remove(name)
            terminal.close()


def documented(heading: str) -> list[str]:
    """Return the lines for a shell under a heading of the page."""
    part = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?m)(?:^    .*\n)+", part)
    return [re.sub(r"(?m)^    ", "", block).strip() for block in blocks]


@pytest.fixture
def new_host(
    tmp_path: Path, engine: Engine, images: dict[str, str], shop: Shop, free_port: Callable[[], int]
) -> Iterator[Callable[..., Host]]:
    made: list[Host] = []

    def make(name: str = "host") -> Host:
        home = tmp_path / name
        home.mkdir()
        home.chmod(0o755)
        made.append(Host(home, engine, images, shop, free_port()))
        return made[-1]

    # pytest's own directories are closed to others, and a container's user is another.
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    yield make
    for host in made:
        host.close()


@pytest.fixture
def host(new_host: Callable[..., Host]) -> Host:
    return new_host()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    import socket

    def find() -> int:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            return port

    return find
