"""Bundles for the tests: built once, carried into a booted system, verified and used there."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.support.site import SENTENCE
from tests.system.boot.conftest import Container

BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
PATH = "'http://127.0.0.1:5000/language/:analyze-text?api-version=2023-04-01'"
TIME_SERVICE = "mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized"
"""What systemd-timesyncd does on each answer of its server. The container's clock is that of its host, and
cannot be set in here: so the host says that it keeps the clock."""


def why_no_bundle() -> str:
    """Why no bundle can be built here; empty if one can."""
    if not (Path(sys.executable).parent / "cyclonedx-py").exists():
        return "needs pip install --no-deps --require-hashes -r requirements-bundle.lock"
    if sys.version_info[:2] != (3, 11):
        return "the package for Debian 12 is built and tried with Python 3.11"
    return ""


def build(out: Path, *words: str) -> Path:
    done = subprocess.run(
        [sys.executable, ROOT / "packaging/build.py", "--out", out, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return next(out.glob("*.tar"))


def wheels_of(bundle: Path, into: Path) -> Path:
    """Take the wheels out of a bundle, so that the next one need not fetch them; return their folder."""
    with tarfile.open(bundle) as tar:
        tar.extractall(into, [one for one in tar if "/wheels/" in one.name], filter="data")
    return next(into.glob("*/wheels"))


def carry_in(container: Container, bundle: Path, to: str) -> None:
    """Unpack a bundle inside, as `tar -xf` would there."""
    words = container.command(f"mkdir -p {to} && tar -C {to} --strip-components=1 -x")
    with bundle.open("rb") as file:
        subprocess.run(words, stdin=file, check=True, cwd="/")
    assert container.run("ip route", check=False).stdout.strip() == "", "no way out"


def license_it(container: Container, vendor: Authority) -> None:
    """Carry a request out to the vendor, and the licence back in as files."""
    container.run("appliance license request -o /srv/request.note")
    request = container.run("cat /srv/request.note").stdout.encode()
    bought = vendor.create_resource(
        customer="Test", product="ner", tier="DC0", meters={TEXT_RECORDS: 10_000_000}
    )
    issued = vendor.issue(bought.resource, request)
    container.write("/media/usb/license.note", issued.note.decode())
    container.write("/media/usb/issuer.note", issued.issuer_note.decode())
    container.run("appliance license install /media/usb")


def ask(container: Container) -> set[str]:
    container.write("/srv/body.json", json.dumps(BODY))
    answer = container.run(
        f"curl -sSf -m 60 -H 'Content-Type: application/json' --data @/srv/body.json {PATH}"
    ).stdout
    return {entity["text"] for entity in json.loads(answer)["results"]["documents"][0]["entities"]}


def doctor_finds_everything_in_order(container: Container) -> None:
    report = json.loads(container.run("appliance doctor --json --verify", check=False).stdout)
    troubled = {one["check"]: one["message"] for one in report["findings"] if one["level"] != "pass"}
    assert troubled == {}


def ledger_is_clean(container: Container) -> None:
    verified = container.run("appliance usage verify /var/lib/appliance/output", check=False)
    assert verified.returncode == 0, verified.stdout


def kept(container: Container) -> str:
    """Sums of what an upgrade must leave alone, the ledger apart, which grows."""
    files = "/var/lib/private/appliance/*.key /etc/appliance/license/*.note /etc/appliance/appliance.env"
    return container.run(f"sha256sum {files}").stdout


def under_load(container: Container, script: str) -> None:
    """Run a script while callers never pause; each of them must be answered, before, meanwhile and after."""
    container.run("rm -f /srv/enough")
    load = container.start("exec python3 /srv/tree/tests/system/boot/caller.py 3")
    container.run(f"sleep 1; {script}")
    container.run("sleep 1; touch /srv/enough")
    said, _ = load.communicate(timeout=90)
    outcomes = json.loads(said.splitlines()[-1])["outcomes"]
    assert set(outcomes) == {"200"}, outcomes
