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
    assert f"appliance site serve --home {site.home}" in refused.stderr


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
    assert f"another process runs the desk in {site.home}" in refused.stderr
    assert "its plan would be granted twice" in refused.stderr
    assert f"appliance site status --home {site.home}" in refused.stderr


def test_a_second_desk_on_the_licence_of_another_is_told_that_it_needs_one_of_its_own(
    site: DeskSite, tmp_path: Path
) -> None:
    second, roots = tmp_path / "second", str(site.vendor.roots_dir)
    site.run("request", "--home", str(second), "-o", str(tmp_path / "second.note"))
    without = site.run("serve", "--home", str(second), "--roots", roots)
    assert without.returncode == 78
    assert f"the desk in {second} has no licence" in without.stderr
    assert f"appliance site install --home {second}" in without.stderr
    installed = site.run("install", str(site.path / "delivery"), "--home", str(second), "--roots", roots)
    for note in (site.home / "license").iterdir():
        (second / "license" / note.name).write_bytes(note.read_bytes())
    served = site.run("serve", "--home", str(second), "--roots", roots)
    for refused in (installed, served):
        assert refused.returncode == 78
        assert f"not bound to the keys of the desk in {second}" in refused.stderr
        assert "a site licence is for one desk" in refused.stderr
        assert f"appliance site request --home {second}" in refused.stderr


@pytest.mark.parametrize(
    "body", [b"{bad", b"", b"[]", b'{"instance": 7}', b'{"instance": "a", "instance": "b"}', b"\xff"]
)
def test_a_write_off_that_is_no_json_is_refused_with_what_to_send(site: DeskSite, body: bytes) -> None:
    site.start()
    headers = {"Ocp-Apim-Subscription-Key": site.key}
    refused = httpx2.post(f"{site.url}/v1/write-off", content=body, headers=headers, trust_env=False)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "Malformed")
    assert refused.json()["error"]["hint"].startswith('send {"instance"')
    assert "copy the file" not in refused.text


def test_what_is_no_replica_address_or_desk_is_named_with_the_next_step(
    site: DeskSite, tmp_path: Path
) -> None:
    home = ("--home", str(site.home))
    said = site.run("write-off", "pod-7", *home).stderr
    assert "'pod-7' is not a replica" in said
    assert "appliance site status" in said
    said = site.run("status", *home, "--url", "ftp://desk").stderr
    assert "--url must be an http or https address" in said
    assert "Billing" not in said
    said = site.run("status", "--home", str(tmp_path / "nothing")).stderr
    assert "is not the directory of a site's desk" in said
    said = site.run("export", *home, "-o", str(tmp_path / "site.zip")).stderr
    assert "has written no log yet" in said
    assert f"appliance site serve --home {site.home}" in said


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("delivery.json", b"{bad", "not a signed note"),
        ("request.note", None, "install license.note and issuer.note, as the vendor sent them"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\xff", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_delivery_is_named(
    site: DeskSite, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = site.path / name if content is None else tmp_path / name
    if content is not None:
        path.write_bytes(content)
    refused = site.run("install", str(path), "--home", str(site.home))
    assert refused.returncode == 78
    assert str(path) in refused.stderr
    assert words in refused.stderr


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
