"""What an operator types at the desk of a site, and what the desk answers over HTTP."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from license.authority.authority import Authority
from license.authority.cli.main import main as license_command
from tests.support.desk import DeskSite
from tests.support.site import NO_TLS, Site


@pytest.fixture
def site(new_desk: Callable[..., DeskSite]) -> DeskSite:
    made = new_desk()
    made.buy(100)
    made.set_up(instances=3)
    return made


def get(site: DeskSite, path: str, **headers: str) -> httpx2.Response:
    return httpx2.get(f"{site.url}{path}", headers=headers, trust_env=False, verify=NO_TLS)


def test_the_status_of_a_desk_says_what_is_left_as_text_json_and_a_page(site: DeskSite) -> None:
    site.start()
    status = site.status()
    assert (status["live"], status["license"]["maxInstances"], status["replicas"]) == (0, 3, [])
    assert site.meter() | {"included": 100, "charged": 0, "open": 0, "lost": 0, "free": 100} == site.meter()
    told = site.run("status", "--home", str(site.home), "--url", site.url)
    assert told.returncode == 0
    assert "0 of 3 hold a lease" in told.stdout
    assert get(site, "/").status_code == 401
    password = base64.b64encode(f"anybody:{site.key}".encode()).decode()
    page = get(site, "/", Authorization=f"Basic {password}")
    assert page.status_code == 200
    assert "Site of Test customer" in page.text
    assert "<script" not in page.text


def test_nothing_is_told_without_the_key_of_the_site(site: DeskSite) -> None:
    site.start()
    for path in ("/v1/site", "/v1/status", "/v1/models"):
        refused = get(site, path, **{"Ocp-Apim-Subscription-Key": "x" * 32})
        assert (refused.status_code, refused.json()["status"]) == (401, "Invalid")
        assert get(site, path).status_code == 401
    answered = get(site, "/v1/models", **{"Ocp-Apim-Subscription-Key": site.key})
    assert answered.json() == {"models": []}


def test_whoever_runs_the_desk_hears_without_a_key_that_it_serves_and_nothing_else(site: DeskSite) -> None:
    site.start()
    answered = get(site, "/ready")
    assert (answered.status_code, answered.json()) == (200, {"status": "ready"})


def test_writing_off_who_is_not_there_says_so(site: DeskSite) -> None:
    site.start()
    words = ("write-off", "000000000000", "--home", str(site.home), "--url", site.url)
    assert "holds nothing" in site.run(*words).stdout
    assert json.loads(site.run(*words, "--json").stdout) == {"instance": "000000000000", "writtenOff": False}


def test_a_desk_that_does_not_run_is_named_by_its_address(site: DeskSite) -> None:
    refused = site.run("status", "--home", str(site.home), "--url", "http://127.0.0.1:9")
    assert refused.returncode == 12
    assert "127.0.0.1" in refused.stderr


def test_a_directory_that_is_no_desk_names_the_command_that_makes_one(
    new_desk: Callable[..., DeskSite], tmp_path: Path
) -> None:
    refused = new_desk().run("export", "--home", str(tmp_path / "nothing"), "-o", str(tmp_path / "x.zip"))
    assert refused.returncode == 78
    assert "appliance site request --home" in refused.stderr


def test_a_second_desk_on_the_directory_does_not_start(site: DeskSite) -> None:
    site.start()
    words = ("serve", "--home", str(site.home), "--roots", str(site.vendor.roots_dir), "--port", "0")
    refused = site.run(*words)
    assert refused.returncode == 75, refused.stderr


def test_a_machine_is_not_given_the_licence_of_a_site_and_a_desk_not_that_of_a_machine(
    site: DeskSite, vendor: Authority, new_site: Callable[..., Site], tmp_path: Path
) -> None:
    machine = new_site("machine")
    machine.issue(into=tmp_path / "ordinary")
    delivery = tmp_path / "ordinary"
    refused = site.run("install", str(delivery), "--home", str(site.home), "--roots", str(vendor.roots_dir))
    assert refused.returncode != 0
    assert "another machine" in refused.stderr
    site_licence = site.path / "delivery"
    for name in ("license.note", "issuer.note"):
        (machine.license / name).write_bytes((site_licence / name).read_bytes())
    started = machine.run()
    assert started.returncode == 78
    assert "another machine" in started.stderr or "licence of a site" in started.stderr


def test_the_vendor_issues_a_site_licence_by_its_command_and_never_as_a_bearer_file(
    site: DeskSite, vendor: Authority, tmp_path: Path
) -> None:
    assert site.resource is not None
    words = ["issue", str(site.path / "request.note"), "--resource", site.resource.name]
    words += ["--home", str(vendor.home), "--site", "7", "--lease-hours", "2", "--json"]
    done = CliRunner().invoke(license_command, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    claims = json.loads(done.stdout)["license"]
    assert claims["site"] == {"max_instances": 7, "lease_s": 7_200}
    assert claims["crit"] == ["site"]
    refused = CliRunner().invoke(license_command, [*words, "--binding", "any", "--out", str(tmp_path / "x")])
    assert refused.exit_code != 0
    assert "bound to its desk's key" in refused.stderr
