"""A bundle's life on a server without network, by script and by dpkg: from a bare system to its removal.

`make test-boot` runs what is by script, `make nightly` the rest.
"""

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.system.boot.bundles import (
    TIME_SERVICE,
    ask,
    build,
    carry_in,
    doctor_finds_everything_in_order,
    kept,
    ledger_is_clean,
    license_it,
    under_load,
    wheels_of,
    why_no_bundle,
)
from tests.system.boot.conftest import VENV, Container, why_not

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.boot,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(why_no_bundle()), reason=why_no_bundle()),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

INSTALL_SECONDS = 30
WHOLE_STORY_SECONDS = 180
"""Both are bounds on processor time: on an idle machine little else passes, and a busy one proves nothing."""
NEXT = "99.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A vendor, the bundle it ships, and the next one, which has no package for Debian."""

    vendor: Authority
    present: Path
    following: Path
    wheels: Path


class Stopwatch:
    """Time that has passed, and time that the commands run since have worked, in seconds."""

    def __init__(self) -> None:
        self.began, self.before = time.monotonic(), self._children()

    @staticmethod
    def _children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    @property
    def worked(self) -> float:
        return self._children() - self.before

    def __str__(self) -> str:
        return f"{time.monotonic() - self.began:.1f} s, of which {self.worked:.1f} s of processor time"


def it_installs_quickly(container: Container, command: str) -> None:
    stopwatch = Stopwatch()
    container.run(command)
    print(f"{command}: {stopwatch}")  # noqa: T201 (a measured figure)
    assert stopwatch.worked < INSTALL_SECONDS


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("shop")
    with Authority.create(home / "authority") as vendor:
        words = ("--roots", str(vendor.roots_dir), "--pythons", "3.11")
        present = build(home / "one", *words)
        wheels = wheels_of(present, home / "wheels")
        again = (*words, "--version", NEXT, "--wheels", str(wheels), "--no-deb")
        yield Shop(vendor=vendor, present=present, following=build(home / "two", *again), wheels=wheels)


@pytest.fixture
def packaged(shop: Shop, tmp_path: Path) -> Path:
    """The next bundle with its package."""
    words = ("--roots", str(shop.vendor.roots_dir), "--pythons", "3.11", "--wheels", str(shop.wheels))
    return build(tmp_path / "packaged", *words, "--version", NEXT)


def test_by_script_from_a_bare_system_to_an_upgrade_with_a_clean_ledger(
    container: Container, shop: Shop
) -> None:
    carry_in(container, shop.present, "/srv/bundle")
    carry_in(container, shop.following, "/srv/next")
    whole = Stopwatch()
    it_installs_quickly(container, "sh /srv/bundle/install.sh")
    license_it(container, shop.vendor)
    container.run(f"{TIME_SERVICE}; systemctl enable --now appliance.socket appliance.service")
    assert "Berlin" in ask(container)
    doctor_finds_everything_in_order(container)

    container.run("echo '# mine' >> /etc/appliance/appliance.env")
    before, program = kept(container), container.run(f"readlink {VENV}").stdout
    container.run("systemctl stop appliance.socket appliance.service")
    container.run("sh /srv/next/install.sh")
    container.run("systemctl start appliance.socket appliance.service")
    assert NEXT in container.run("appliance --version").stdout
    assert kept(container) == before
    assert container.run(f"readlink {VENV}").stdout != program
    assert container.run("ls -d /opt/appliance/venv.* | wc -l").stdout.strip() == "1"
    assert "Berlin" in ask(container)
    doctor_finds_everything_in_order(container)
    container.run("systemctl stop appliance.socket appliance.service")
    ledger_is_clean(container)
    print(f"from a bare system to a clean ledger: {whole}")  # noqa: T201 (a measured figure)
    assert whole.worked < WHOLE_STORY_SECONDS

    container.run("systemctl start appliance.socket appliance.service")
    under_load(container, "sh /srv/bundle/install.sh")
    assert NEXT not in container.run("appliance --version").stdout
    a_version_that_does_not_start_is_taken_back(container)
    container.run("systemctl stop appliance.socket appliance.service")
    ledger_is_clean(container)
    removal_by_script_leaves_the_ledger(container)


def a_version_that_does_not_start_is_taken_back(container: Container) -> None:
    program = container.run(f"readlink {VENV}").stdout
    container.run(
        "cp -r /srv/next /srv/broken && cd /srv/broken && "
        "sed -i 's#^ExecStart=.*#ExecStart=/bin/false#' systemd/appliance.service && "
        "sha256sum $(cut -d' ' -f3 SHA256SUMS) > sums && mv sums SHA256SUMS"
    )
    units = container.run("mkdir /srv/units && cp /etc/systemd/system/appliance* /srv/units/; ls /srv/units")
    assert "appliance.service" in units.stdout
    refused = container.run("sh /srv/broken/install.sh", check=False)
    assert refused.returncode == 1
    assert "rolled back to the previous version" in refused.stderr
    assert container.run(f"readlink {VENV}").stdout == program
    assert container.show("ActiveState") == "active"
    assert "Berlin" in ask(container)


def removal_by_script_leaves_the_ledger(container: Container) -> None:
    container.run("sh /srv/next/install.sh --uninstall")
    assert container.run(f"test -e {VENV}", check=False).returncode
    assert container.run(
        "ls /var/lib/private/appliance/output/customner/*/*.db /etc/appliance/license/license.note"
    ).stdout
    container.run("sh /srv/next/install.sh --uninstall --purge")
    assert container.run("test -e /var/lib/private/appliance", check=False).returncode


@pytest.mark.slow
def test_by_dpkg_from_a_bare_system_to_a_purge_that_leaves_the_ledger(
    container: Container, shop: Shop, packaged: Path
) -> None:
    carry_in(container, shop.present, "/srv/bundle")
    carry_in(container, packaged, "/srv/next")
    it_installs_quickly(container, "dpkg -i /srv/bundle/offline-appliance_*.deb")
    assert container.run("dpkg --verify offline-appliance").stdout == "", "every file is as it was packed"
    assert container.run("id -u appliance").stdout.strip()
    license_it(container, shop.vendor)
    container.run(f"{TIME_SERVICE}; systemctl enable --now appliance.socket appliance.service")
    assert "Berlin" in ask(container)
    doctor_finds_everything_in_order(container)

    container.run("echo '# mine' >> /etc/appliance/appliance.env")
    before, first = kept(container), container.show("MainPID")
    under_load(container, "dpkg -i /srv/next/offline-appliance_*.deb")
    assert NEXT in container.run("appliance --version").stdout
    assert container.show("MainPID") != first
    assert container.run("ls -d /opt/appliance/venv-*").stdout.strip() == f"/opt/appliance/venv-{NEXT}"
    assert kept(container) == before
    doctor_finds_everything_in_order(container)
    refused = container.run("sh /srv/next/install.sh", check=False)
    assert refused.returncode == 1
    assert "the package offline-appliance is installed here" in refused.stderr

    ledger = "ls /var/lib/private/appliance/output/customner/*/*.db"
    container.run("dpkg --remove offline-appliance")
    assert container.run("test -e /opt/appliance", check=False).returncode
    assert container.run(f"{ledger} /etc/appliance/license/license.note /etc/appliance/appliance.env").stdout
    assert "stay in /var/lib/private/appliance" in container.run("dpkg --purge offline-appliance").stdout
    assert container.run(f"{ledger} /etc/appliance/license/license.note").stdout
    container.run("dpkg -i /srv/next/offline-appliance_*.deb")
    ledger_is_clean(container)
    container.run("PURGE_LEDGER=yes dpkg --purge offline-appliance")
    assert container.run("test -e /var/lib/private/appliance", check=False).returncode


@pytest.mark.slow
def test_the_package_and_the_script_do_not_share_a_place(container: Container, shop: Shop) -> None:
    carry_in(container, shop.present, "/srv/bundle")
    container.run("mkdir -p /opt/appliance/venv.17 && ln -s /opt/appliance/venv.17 /opt/appliance/venv")
    refused = container.run("dpkg -i /srv/bundle/offline-appliance_*.deb", check=False)
    assert refused.returncode
    assert "install.sh --uninstall" in refused.stderr
