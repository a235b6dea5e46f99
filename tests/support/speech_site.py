"""Fixtures of the speech tests: one running service for all of them, whose model reads tones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from appliance.config.products import SPEECH_TO_TEXT
from license.authority.authority import Authority
from tests.support.site import Service, Site
from tests.support.tones import write_model

METERS = {SPEECH_TO_TEXT.meter: 1_000_000}


def speech_site(home: Path, vendor: Authority, **issue: object) -> Site:
    """A site with a licence for speech."""
    site = Site(home, vendor)
    site.issue(product="speech", **{"meters": METERS, **issue})  # type: ignore[arg-type]
    return site


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority.create(tmp_path_factory.mktemp("vendor") / "home") as authority:
        yield authority


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the model that reads tones."""
    return write_model(tmp_path_factory.mktemp("models") / "tones")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Site]:
    site = speech_site(tmp_path_factory.mktemp("shared") / "site", vendor)
    yield site
    site.close()


@pytest.fixture(scope="session")
def service(site: Site, tones: Path) -> Service:
    """One service for all tests that only talk to it."""
    return site.start("Service=speechtotext", f"Mounts:Model={tones}")


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    with service.client() as opened:
        yield opened


@pytest.fixture
def new_site(tmp_path: Path, vendor: Authority) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(name: str = "site", **issue: object) -> Site:
        sites.append(speech_site(tmp_path / name, vendor, **issue))
        return sites[-1]

    yield make
    for site in sites:
        site.close()
