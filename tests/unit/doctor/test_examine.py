"""The doctor at a real site."""

import contextlib
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config.env_file import read_env_file
from appliance.doctor.examine import Examination, examine, read_installation
from appliance.doctor.finding import Finding, Level
from appliance.doctor.report import exit_code, to_json, to_text
from appliance.licensing.installation import Installation
from tests.support.site import Site
from tests.unit.doctor.conftest import synchronised

Look = Callable[..., Examination]
Find = Callable[[Examination, str], Finding]


def test_at_a_site_in_order_nothing_fails(look: Look) -> None:
    found = look()
    failures = [finding for finding in found.findings if finding.level is Level.FAIL]
    assert failures == []
    assert exit_code(found.findings) == 0


def test_looking_changes_nothing(look: Look, site: Site) -> None:
    before = sorted(path for path in site.home.rglob("*"))
    look()
    assert sorted(path for path in site.home.rglob("*")) == before


def test_without_a_licence_the_licence_fails_and_so_does_the_doctor(
    look: Look, find: Find, site: Site
) -> None:
    (site.license / "license.note").unlink()
    found = look()
    assert find(found, "licence").level is Level.FAIL
    assert find(found, "licence").command
    assert exit_code(found.findings) == 1


def test_a_licence_for_another_machine_is_named_as_such(look: Look, find: Find, site: Site) -> None:
    (site.state / "instance.key").unlink()
    from appliance.config.identity import load_identity

    load_identity(site.state)
    assert find(look(), "licence").message.startswith("WrongMachine")


def test_a_missing_key_is_not_made(look: Look, find: Find, site: Site) -> None:
    (site.state / "instance.key").unlink()
    assert find(look(), "identity").level is Level.WARN
    assert not (site.state / "instance.key").exists()


def test_another_program_at_the_port_is_told(look: Look, find: Find) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        # Closed at once by the kernel's queue: it accepts and says nothing.
        other.listen(1)
        import threading

        def answer() -> None:
            taken, _ = other.accept()
            taken.close()

        thread = threading.Thread(target=answer)
        thread.start()
        found = look(f"Http:Port={port}")
        thread.join()
    assert find(found, "port").level is Level.FAIL
    assert str(port) in find(found, "port").command


def test_the_endpoint_is_asked_only_where_one_is_named(look: Look, find: Find) -> None:
    assert not any(finding.check == "endpoint" for finding in look().findings)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = look(f"Billing=http://127.0.0.1:{port}", "ApiKey=secret")
    assert find(found, "endpoint").level is Level.FAIL
    assert "refused" in find(found, "endpoint").message


def test_every_finding_that_is_no_pass_names_what_to_do(who: Callable[..., Installation]) -> None:
    broken = read_installation([], {}, environment_file=Path("/nonexistent"))
    found = examine(broken, clock=synchronised())
    for finding in found.findings:
        assert bool(finding.command) == (finding.level is not Level.PASS), finding
    text = to_text(found.findings)
    assert all(finding.command in text for finding in found.findings)
    assert to_json(found.findings)["failed"] == sum(f.level is Level.FAIL for f in found.findings)


def test_the_units_settings_are_read_where_no_others_are_given(tmp_path: Path) -> None:
    file = tmp_path / "appliance.env"
    file.write_text('# settings\nEula=accept\nMounts__Output="/srv/usage"\n\n;x=1\nHttp__Port = 5001\n')
    assert read_env_file(file) == {
        "Eula": "accept",
        "Mounts__Output": "/srv/usage",
        "Http__Port": "5001",
    }
    who = read_installation(["Http:Port=5002"], {}, environment_file=file)
    assert who.hosted
    assert (who.settings.output_mount, who.settings.port) == (Path("/srv/usage"), 5002)
    assert who.state == Path("/var/lib/appliance")


def test_a_settings_file_that_systemd_refuses_or_partly_ignores_is_a_finding(
    tmp_path: Path, find: Find
) -> None:
    file = tmp_path / "appliance.env"
    levels = {}
    for data in (
        b"Eula=accept\n",
        b"Eula=accept\nMounts:Output=/srv\n",
        b"Eula=accept\nProjectName=caf\xe9\n",
    ):
        file.write_bytes(data)
        who = read_installation(["Eula=accept"], {}, environment_file=file)
        assert who.hosted
        finding = find(examine(who, clock=synchronised(), environment_file=file), "settings file")
        levels[finding.level] = finding.message
    assert list(levels) == [Level.PASS, Level.WARN, Level.FAIL]
    assert "line 2" in levels[Level.WARN]
    assert f"{file}, line 2: not UTF-8" in levels[Level.FAIL]


@pytest.mark.e2e
def test_beside_a_running_service_all_is_well_and_the_service_stays_so(
    site: Site, who: Callable[..., Installation], find: Find
) -> None:
    service = site.start()
    port = service.url.rpartition(":")[2]
    found = examine(who(f"Http:Port={port}"), clock=synchronised())
    assert find(found, "port").level is Level.PASS
    assert find(found, "ledger").level is Level.PASS
    with service.client() as client:
        assert client.get("/ready").status_code == 200
    assert not any(finding.check == "usage records" for finding in found.findings)
    verified = examine(who(f"Http:Port={port}"), clock=synchronised(), verify=True)
    assert find(verified, "usage records").level is Level.PASS
    assert "in 1 logs verify" in find(verified, "usage records").message
    service.stop()
    database = next(site.output.glob("customner/*/*.db"))
    with contextlib.closing(sqlite3.connect(database)) as ledger, ledger:
        ledger.execute("DELETE FROM entry WHERE n = 1")
    spoilt = examine(who(f"Http:Port={port}"), clock=synchronised(), verify=True)
    assert find(spoilt, "usage records").level is Level.FAIL
    assert "appliance usage verify" in find(spoilt, "usage records").command


def test_a_connected_site_is_asked_for_a_lease_and_no_licence(site: Site, tmp_path: Path) -> None:
    words = ["Eula=accept", "Billing=http://127.0.0.1:9", "ApiKey=k", f"Mounts:State={site.state}"]
    who = read_installation(
        words, {}, roots_directory=site.vendor.roots_dir, environment_file=tmp_path / "none"
    )
    found = {one.check: one for one in examine(who, clock=synchronised()).findings}
    assert "licence" not in found
    assert found["lease"].level is Level.PASS
    assert "first start" in found["lease"].message
    (site.state / "connected").mkdir()
    for path in site.license.iterdir():
        shutil.copy(path, site.state / "connected")
    found = {one.check: one for one in examine(who, clock=synchronised()).findings}
    assert found["lease"].level is Level.WARN
    assert "WrongMode" in found["lease"].message
