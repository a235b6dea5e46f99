"""What somebody reads who has no key: probes, the doctor's archive, the list of processes."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.site import SENTENCE, VERSION, Site

KEY = "first-key-0123456789"
HEADER = {"Ocp-Apim-Subscription-Key": KEY}
PASSWORD = "hunter2-hunter2"


@pytest.mark.e2e
def test_without_a_key_the_probes_tell_what_probes_need_and_no_more(site: Site, tmp_path: Path) -> None:
    licensed = site.issue()
    keys = tmp_path / "keys"
    keys.write_text(f"# of the billing system\n{KEY}\n")
    service = site.start(f"ApiKeys:File={keys}")
    with service.client() as client:
        told, known = client.get("/status"), client.get("/status", headers=HEADER)
        assert told.json() == {
            "service": "customner",
            "apiStatus": "Valid",
            "apiStatusMessage": "License is valid, no action needed.",
        }
        assert service.status() == told.json()  # as the OpenAPI document says
        assert client.get("/status", headers={"Authorization": "wrong"}).json() == told.json()
        ready = client.get("/ready")
        assert ready.status_code == 200
        assert set(ready.json()) == {"service", "ready", "message"}
        for secret in (licensed.customer, licensed.id, str(site.home), "vendor"):
            assert secret not in told.text + ready.text
        assert known.json()["license"]["customer"] == licensed.customer
        assert known.json()["ledger"]["healthy"] is True
        assert client.get("/models").status_code == 401
        assert client.get("/models", headers=HEADER).status_code == 200
    command = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
    assert KEY.encode() not in command
    assert KEY not in service.text()
    assert "on the command line can be read" not in service.text()


@pytest.mark.e2e
def test_a_key_on_the_command_line_is_warned_of_without_being_shown(site: Site) -> None:
    site.issue()
    service = site.start(f"ApiKeys:one={KEY}")
    assert "ApiKeys:one on the command line can be read by every user of this machine" in service.text()
    assert KEY not in service.text()


@pytest.mark.parametrize(
    ("text", "reason"), [("", "holds no key"), ("# x\n\n", "holds no key"), ("a b\x01", "cannot be")]
)
def test_a_file_without_a_usable_key_refuses_the_start(
    site: Site, tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "keys").write_text(text)
    done = site.run(f"ApiKeys:File={tmp_path / 'keys'}")
    assert done.returncode == 78
    assert reason in done.stderr
    missing = site.run(f"ApiKeys:File={tmp_path / 'none'}")
    assert missing.returncode == 78
    assert "ApiKeys:File" in missing.stderr


@pytest.mark.e2e
def test_the_doctors_archive_holds_no_password_of_any_address(site: Site, tmp_path: Path) -> None:
    site.issue()
    settings = [
        f"Billing=https://user:{PASSWORD}@vendor.example/path",
        f"HTTP_PROXY=http://user:{PASSWORD}@proxy.example:3128",
        f"HTTPS_PROXY=user:{PASSWORD}@proxy.example:3128",
        f"HTTP_PROXY_CREDS=user:{PASSWORD}",
        f"Jobs:Database=postgresql://user:{PASSWORD}@db.example/jobs",
        f"ModelId=https://user:{PASSWORD}@vendor.example/model",
        f"ApiKeys:one={PASSWORD}",
        f"ApiKey={PASSWORD}",
    ]
    path = tmp_path / "doctor.tar.gz"
    done = site.operate("doctor", "--bundle", str(path), *settings)
    assert path.is_file(), done.stderr
    with tarfile.open(path) as archive:
        files = {entry.name: archive.extractfile(entry) for entry in archive.getmembers()}
        contents = {name: file.read().decode() for name, file in files.items() if file is not None}
    assert [name for name, text in contents.items() if PASSWORD in text] == []
    shown = json.loads(contents["appliance-doctor/settings.json"])
    assert shown["Billing"] == "https://…@vendor.example/path"
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.e2e
def test_a_refused_address_is_not_quoted_with_its_password(site: Site) -> None:
    for address in (f"https://user:{PASSWORD}@127.0.0.1", f"user:{PASSWORD}@127.0.0.1"):
        done = site.run(f"Billing={address}", "ApiKey=x", "DownloadLicense=True")
        assert done.returncode == 78
        assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.e2e
def test_a_root_of_ones_own_serves_a_plain_model_and_stands_in_the_status(
    new_site: Callable[..., Site], tmp_path: Path
) -> None:
    with Authority.create(tmp_path / "thief") as thief:
        own = new_site("own")
        own.vendor = thief
        own.issue()
        service = own.start()
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
        with service.client() as client:
            assert client.post("/language/:analyze-text", params=VERSION, json=body).status_code == 200
            root = client.get("/status").json()["license"]["root"]
        assert root in {path.read_text().strip() for path in thief.roots_dir.glob("*.vkey")}
