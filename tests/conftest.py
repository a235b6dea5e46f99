"""What many rooms of tests share: a vendor with its network service, sites, and one running service."""

import gc
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn
from hypothesis import HealthCheck, settings

from license.authority.authority import Authority
from license.authority.http.app import make_app
from tests.support.browser import browser
from tests.support.postgres import database_without_encoding, private_server
from tests.support.site import Service, Site

__all__ = ["browser"]

# `make test` draws the same examples each time, so that it says the same of the same tree; `make nightly`
# draws others. Neither fails because the machine is busy.
settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("other", settings.get_profile("same"), derandomize=False)
settings.load_profile("same")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while thousands of tests are collected, nor ever after in what they are made of."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority.create(tmp_path_factory.mktemp("vendor") / "home") as authority:
        yield authority


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with private_server() as url:
        yield url


@pytest.fixture
def postgres_without_encoding(postgres: str) -> Iterator[str]:
    """URL of an empty database of its own that was made as SQL_ASCII."""
    with database_without_encoding(postgres) as url:
        yield url


@pytest.fixture
def billing(vendor: Authority) -> Iterator[str]:
    """Address of the vendor's service, as `Billing` names it."""
    server = uvicorn.Server(uvicorn.Config(make_app(vendor), host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def new_site(tmp_path: Path, vendor: Authority) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(name: str = "site") -> Site:
        sites.append(Site(tmp_path / name, vendor))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    return new_site()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    """One service for a whole file of tests that only talk to it."""
    shared = Site(tmp_path_factory.mktemp("shared") / "site", vendor)
    shared.issue()
    yield shared.start()
    shared.close()


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    with service.client() as opened:
        yield opened
