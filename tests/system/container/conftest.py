"""The images with a vendor's root key in them, a billing endpoint for containers, and hosts that run them.

Every test of a line runs with podman, and in the nightly tests with docker as well.
"""

import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.system.container.container_site import ContainerSite, open_site
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
from tests.system.container.neighbours import make_neighbours
from tests.system.container.shop import Shop, open_shop

TARGETS = "text,speech,diagnostic"
ONLY_PODMAN = pytest.mark.parametrize("kind", ["podman"], indirect=True, scope="session")
"""For what docker has nothing of, or what buildah does in between."""
ONLY_DOCKER = pytest.mark.parametrize("kind", ["docker"], indirect=True, scope="session")
"""With the mark `slow`."""


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
def podman(bundle: "Future[Path]") -> Engine:
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
def unpacked(bundle: "Future[Path]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the unpacked bundle."""
    return unpack(bundle.result(), tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="session")
def plain(podman: Engine, unpacked: Path) -> dict[str, str]:
    """What each target's image is called, as `make image` makes it."""
    return make_images(podman, unpacked, TARGETS)


@pytest.fixture(scope="session")
def built(
    podman: Engine, plain: dict[str, str], vendor: Authority, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The same with the vendor's root key in it, as a vendor's own build has it."""
    made = with_roots(podman, plain, vendor.roots_dir, tmp_path_factory.mktemp("roots"))
    return {**made, "plain": f"localhost/{plain['text']}"}


@pytest.fixture(scope="session", params=["podman", pytest.param("docker", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which engine a test runs with."""
    return str(request.param)


@pytest.fixture(scope="session")
def engine(
    kind: str, podman: Engine, built: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    if kind == "podman":
        yield podman
        return
    if why_no_docker():
        pytest.skip(why_no_docker())
    place = tmp_path_factory.mktemp("docker")
    with running_docker(place) as docker:
        copy_images(podman, docker, [*built.values(), BASE], place)
        yield docker


@pytest.fixture(scope="session")
def images(engine: Engine, built: dict[str, str]) -> dict[str, str]:
    """What each target's image is called, in the engine that a test runs with; `plain` has no roots."""
    return built


@pytest.fixture(scope="session")
def own_shop(vendor: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(vendor, tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture(scope="session")
def shop(own_shop: Shop, engine: Engine) -> Shop:
    """The shop at the address that containers of the engine reach it by."""
    return own_shop._replace(url=own_shop.url.replace("127.0.0.1", engine.host))


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
    def find() -> int:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            return port

    return find


@pytest.fixture(scope="session")
def stand_ins(
    engine: Engine, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """For each image of the compose file, the one that stands for it here."""
    try:
        made = make_neighbours(engine, tmp_path_factory.mktemp("neighbours"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"HAProxy and PostgreSQL cannot be had: {error.stderr.decode(errors='replace')[-300:]}")
    return {
        "offline-appliance:0.1.0": images["text"],
        "docker.io/library/haproxy:2.8": made["haproxy"],
        "docker.io/library/postgres:16": made["postgres"],
    }


@pytest.fixture
def new_container_site(
    tmp_path: Path,
    engine: Engine,
    stand_ins: dict[str, str],
    vendor: Authority,
    free_port: Callable[[], int],
) -> Iterator[Callable[..., ContainerSite]]:
    """Make the site of a test, one at a time; see `open_site`."""
    with ExitStack() as stack:

        def make(**options: Any) -> ContainerSite:
            images = {**stand_ins, **options.pop("images", {})}
            opened = open_site(tmp_path, engine, images, vendor, port=free_port(), **options)
            return stack.enter_context(opened)

        yield make


@pytest.fixture
def plan() -> int:
    """Units of the plan."""
    return 100


@pytest.fixture
def site(new_container_site: Callable[..., ContainerSite], plan: int) -> ContainerSite:
    return new_container_site(meters={TEXT_RECORDS: plan})
