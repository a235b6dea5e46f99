"""The unit files as systemd reads them, without a running systemd."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.config.settings import Settings
from tests.support.paths import ROOT

UNITS = ROOT / "systemd"
SYSTEM_UNITS = Path("/lib/systemd/system")
TEMPLATES = {
    "appliance.service": "appliance@.service",
    "appliance.socket": "appliance@.socket",
    "appliance-download.service": "appliance-download@.service",
}
MAX_EXPOSURE_TENTHS = {
    "appliance.service": 5,
    "appliance@.service": 5,
    "appliance-download.service": 12,
    "appliance-download@.service": 12,
}

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or not SYSTEM_UNITS.is_dir(),
    reason="systemd-analyze is not installed (Debian: apt-get install systemd)",
)


def directives(name: str) -> dict[str, list[str]]:
    """Every directive of a unit with all its values; sections do not share directive names here."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def environment_file(name: str) -> dict[str, str]:
    parser = configparser.ConfigParser(delimiters="=", comment_prefixes="#", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string("[env]\n" + (UNITS / name).read_text())
    return dict(parser["env"])


@needs_analyze
def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    program = tmp_path / "opt/appliance/venv/bin/appliance"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    for name in ("sh", "kill"):
        shutil.copy(program, tmp_path / "bin" / name)
    shutil.copytree(
        SYSTEM_UNITS, tmp_path / "lib/systemd/system", symlinks=True, ignore_dangling_symlinks=True
    )
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    names = sorted(path.name for path in UNITS.iterdir() if path.suffix in {".service", ".socket"})
    for name in names:
        shutil.copy(UNITS / name, units)
    (units / "appliance@.socket.d").mkdir()
    shutil.copy(UNITS / "reuse-port.conf", units / "appliance@.socket.d")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", f"--root={tmp_path}"]
        + [name.replace("@.", "@5001.") for name in names],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert len(names) == 6


@needs_analyze
@pytest.mark.parametrize(("name", "tenths"), MAX_EXPOSURE_TENTHS.items())
def test_the_exposure_stays_within_its_bound(name: str, tenths: int) -> None:
    checked = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={tenths}", "--no-pager", UNITS / name],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout.splitlines()[-1]


def test_readiness_watchdog_and_a_stop_that_drains_are_asked_for() -> None:
    service = directives("appliance.service")
    assert service["Type"] == ["notify"]
    assert service["WatchdogSec"] == ["30s"]
    assert service["KillMode"] == ["mixed"]
    assert service["Restart"] == ["on-failure"]
    drain = Settings.read([], {}).drain_seconds
    assert int(service["TimeoutStopSec"][0].removesuffix("s")) > drain


def test_a_wrong_configuration_or_licence_is_not_retried_for_ever() -> None:
    assert directives("appliance.service")["RestartPreventExitStatus"] == ["78"]


def test_the_service_cannot_open_a_way_out() -> None:
    service = directives("appliance.service")
    assert service["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert service["PrivateNetwork"] == ["yes"]
    assert "appliance.socket" in service["Requires"]
    assert "ORT_DISABLE_TELEMETRY=1" in service["Environment"][0].split()


def test_the_socket_is_reached_from_this_machine_only() -> None:
    unit = directives("appliance.socket")
    assert unit["ListenStream"] == ["127.0.0.1:5000"]
    assert (unit["IPAddressDeny"], unit["IPAddressAllow"]) == (["any"], ["localhost"])


def test_instances_that_share_a_port_listen_on_it_alone() -> None:
    shared, single = directives("reuse-port.conf"), directives("appliance.socket")
    assert shared["ListenStream"] == ["", *single["ListenStream"]], (
        "the port that the template names is dropped"
    )
    assert shared["ReusePort"] == ["yes"]


def test_the_executable_paths_trap_is_avoided() -> None:
    # ExecPaths= remounts what it names read-write on systemd 252, in spite of ProtectSystem=strict.
    assert "ExecPaths" not in directives("appliance.service")


@pytest.mark.parametrize(("unit", "template"), TEMPLATES.items())
def test_a_template_differs_from_its_unit_by_the_instance_alone(unit: str, template: str) -> None:
    plain, named = ((UNITS / name).read_text() for name in (unit, template))
    assert "%i" in named
    same = named.replace("-%i", "").replace("@%i", "").replace("@.service", ".service")
    same = same.replace("%i-download.env", "download.env").replace("/%i.env", "/appliance.env")
    same = re.sub(r" \(port %i\)", " (port 5000)" if unit.endswith(".socket") else "", same)
    assert same.replace("127.0.0.1:%i", "127.0.0.1:5000") == plain


def test_both_services_own_the_same_state() -> None:
    service, download = directives("appliance.service"), directives("appliance-download.service")
    assert service["User"] == download["User"]
    assert service["StateDirectory"][0].split()[0] == download["StateDirectory"][0].split()[0]


def test_the_sample_settings_are_read_as_they_stand() -> None:
    settings = Settings.read([], environment_file("appliance.env"))
    settings.require_eula()
    assert settings.license_mount == Path("/etc/appliance/license")
    assert settings.output_mount == Path("/var/lib/appliance/output")
    assert settings.port == 5000
    download = environment_file("download.env")
    assert Settings.read([], download).billing == download["Billing"]


def test_every_directive_has_its_reason_in_the_readme() -> None:
    reasons = (UNITS / "README.md").read_text()
    named = set(re.findall(r"`(\w+)=", reasons))
    for name in ("appliance.service", "appliance.socket", "appliance-download.service", "reuse-port.conf"):
        assert set(directives(name)) - named == set(), name
