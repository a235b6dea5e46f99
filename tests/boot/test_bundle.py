"""The bundle from end to end: built twice, verified, installed without network, used, upgraded, removed."""

import json
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from appliance.pipeline import TEXT_RECORDS
from license.authority import Authority
from tests.boot.conftest import ROOT, VENV, Container
from tests.support.site import SENTENCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(
        shutil.which("cyclonedx-py", path=str(Path(sys.executable).parent)) is None,
        reason="needs pip install --require-hashes -r requirements-bundle.lock",
    ),
]

BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
VERIFY = (
    "openssl pkeyutl -verify -rawin -pubin -inkey {key} -in SHA256SUMS -sigfile SHA256SUMS.sig"
    " && sha256sum -c --quiet --strict SHA256SUMS"
)
INSTALL_SECONDS = 60  # on two busy cores; 30 is meant for an idle server


def build(out: Path, *words: str) -> Path:
    subprocess.run(
        [sys.executable, ROOT / "packaging/build.py", "--out", out, *words],
        check=True,
        capture_output=True,
        timeout=500,
    )
    return next(out.glob("*.tar"))


def unpacked(bundle: Path, to: Path) -> Path:
    with tarfile.open(bundle) as archive:
        archive.extractall(to, filter="data")
    return next(path for path in to.iterdir() if path.is_dir())


def run(directory: Path, script: str) -> int:
    return subprocess.run(["sh", "-c", script], cwd=directory, capture_output=True, check=False).returncode


@pytest.mark.timeout(900)
def test_the_bundle_from_end_to_end(container: Container, tmp_path: Path) -> None:
    key, public = tmp_path / "release.pem", tmp_path / "release.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    with Authority.create(tmp_path / "authority") as vendor:
        words = ("--key", str(key), "--roots", str(vendor.roots_dir))
        bundle = build(tmp_path / "one", *words)
        top = unpacked(bundle, tmp_path / "unpacked")
        the_same_commit_gives_the_same_bytes(
            bundle, build(tmp_path / "two", *words, "--wheels", str(top / "wheels"))
        )
        the_signature_is_checked_with_openssl(top, public)
        the_sbom_names_every_wheel(top)
        started = time.monotonic()
        it_installs_without_network(container, bundle)
        the_licence_is_carried_in(container, vendor)
    it_serves_and_the_doctor_is_content(container)
    an_upgrade_keeps_keys_licence_and_ledger(container)
    removal_leaves_the_ledger(container)
    assert time.monotonic() - started < 180


def the_same_commit_gives_the_same_bytes(one: Path, two: Path) -> None:
    assert one.read_bytes() == two.read_bytes()


def the_signature_is_checked_with_openssl(top: Path, public: Path) -> None:
    verify = VERIFY.format(key=public)
    assert run(top, verify) == 0
    script = top / "install.sh"
    whole = script.read_bytes()
    script.write_bytes(whole + b"\n")
    assert run(top, verify) != 0
    script.write_bytes(whole)
    sums = top / "SHA256SUMS"
    listed = sums.read_bytes()
    sums.write_bytes(listed + b"\n")
    assert run(top, verify) != 0
    sums.write_bytes(listed)


def the_sbom_names_every_wheel(top: Path) -> None:
    sbom = json.loads((top / "sbom.cdx.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    named = {part["name"].lower().replace("_", "-") for part in sbom["components"]}
    wheels = {wheel.name.split("-")[0].lower().replace("_", "-") for wheel in top.glob("wheels/*.whl")}
    assert wheels - {"pip"} <= named


def it_installs_without_network(container: Container, bundle: Path) -> None:
    words = container.command("mkdir -p /srv/bundle && tar -C /srv/bundle --strip-components=1 -x")
    with bundle.open("rb") as file:
        subprocess.run(words, stdin=file, check=True, cwd="/")
    assert container.run("ip route", check=False).stdout.strip() == "", "no way out"
    started = time.monotonic()
    container.run("sh /srv/bundle/install.sh")
    assert time.monotonic() - started < INSTALL_SECONDS
    assert container.run("appliance --version").stdout.strip()


def the_licence_is_carried_in(container: Container, vendor: Authority) -> None:
    container.run("appliance license request -o /srv/request.note")
    request = container.run("cat /srv/request.note").stdout.encode()
    bought = vendor.create_resource(
        customer="Test", product="ner", tier="DC0", meters={TEXT_RECORDS: 1_000_000}
    )
    issued = vendor.issue(bought.resource, request)
    container.write("/media/usb/license.note", issued.note.decode())
    container.write("/media/usb/issuer.note", issued.issuer_note.decode())
    container.run("appliance license install /media/usb")


def ask(container: Container) -> set[str]:
    container.write("/srv/body.json", json.dumps(BODY))
    answer = container.run(
        "curl -sSf -m 60 -H 'Content-Type: application/json' --data @/srv/body.json "
        "'http://127.0.0.1:5000/language/:analyze-text?api-version=2023-04-01'"
    ).stdout
    return {entity["text"] for entity in json.loads(answer)["results"]["documents"][0]["entities"]}


def it_serves_and_the_doctor_is_content(container: Container) -> None:
    container.run("systemctl enable --now appliance.socket appliance.service")
    assert "Berlin" in ask(container)
    report = json.loads(container.run("appliance doctor --json").stdout)
    troubled = {one["check"] for one in report["findings"] if one["level"] != "pass"}
    assert troubled <= {"time source"}, "nobody synchronises a container's clock"


def an_upgrade_keeps_keys_licence_and_ledger(container: Container) -> None:
    kept = "/var/lib/private/appliance/*.key /etc/appliance/license/*.note /etc/appliance/appliance.env"
    state = f"sha256sum {kept}"
    container.run("echo '# mine' >> /etc/appliance/appliance.env")
    before = container.run(state).stdout
    program = container.run(f"readlink {VENV}").stdout
    container.run("sh /srv/bundle/install.sh")
    assert container.run(state).stdout == before
    assert container.run(f"readlink {VENV}").stdout != program
    assert container.run("ls -d /opt/appliance/venv.* | wc -l").stdout.strip() == "1"
    assert container.show("ActiveState") == "active"
    assert "Berlin" in ask(container)
    container.run("systemctl stop appliance.socket appliance.service")
    verified = container.run("appliance usage verify /var/lib/appliance/output", check=False)
    assert verified.returncode == 0, verified.stdout


def removal_leaves_the_ledger(container: Container) -> None:
    container.run("sh /srv/bundle/install.sh --uninstall")
    assert container.run(f"test -e {VENV}", check=False).returncode
    assert container.run(
        "ls /var/lib/private/appliance/output/customner/*/*.db /etc/appliance/license"
    ).stdout
    container.run("sh /srv/bundle/install.sh --uninstall --purge")
    assert container.run("test -e /var/lib/private/appliance", check=False).returncode


def test_the_installer_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", ROOT / "packaging/install.sh", "--force"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--uninstall" in done.stderr
