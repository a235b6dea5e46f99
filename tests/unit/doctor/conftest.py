"""A site that works, and what the doctor finds there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.doctor.examine import Examination, examine, read_installation
from appliance.doctor.finding import Finding
from appliance.host.effective_clock import ClockSources, Reading, system_sources
from appliance.licensing.installation import Installation
from license.authority.authority import Authority
from tests.support.site import Site

SETTINGS = ("Eula=accept", "Http:Host=127.0.0.1", "Http:Port=1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Authority.create(tmp_path / "vendor") as vendor:
        made = Site(tmp_path / "site", vendor)
        made.issue()
        yield made
        made.close()


@pytest.fixture
def who(site: Site, tmp_path: Path) -> Callable[..., Installation]:
    """The site as the doctor sees it; further settings may be given."""

    def who(*words: str) -> Installation:
        return read_installation(
            [
                *SETTINGS,
                f"Mounts:License={site.license}",
                f"Mounts:Output={site.output}",
                f"Mounts:State={site.state}",
                *words,
            ],
            {},
            roots_directory=site.vendor.roots_dir,
            environment_file=tmp_path / "none",
        )

    return who


def synchronised(reading: Callable[[], Reading] | None = None) -> ClockSources:
    return ClockSources(read=reading or system_sources().read, synchronised=lambda: True)


@pytest.fixture
def look(who: Callable[..., Installation]) -> Callable[..., Examination]:
    return lambda *words: examine(who(*words), clock=synchronised())


@pytest.fixture
def find() -> Callable[[Examination, str], Finding]:
    def find(found: Examination, check: str) -> Finding:
        return next(finding for finding in found.findings if finding.check == check)

    return find
