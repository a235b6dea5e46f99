"""The table of docs/walkthroughs.md: each persona's documented steps, typed as they stand in the pages."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.pages import Desk, beginning, commands
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, VERSION, Service, Site, clean_environ

PAGE = (ROOT / "docs" / "walkthroughs.md").read_text()
VENDOR = commands("vendor.md")


def test_the_table_names_pages_and_tests_that_exist() -> None:
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if re.match(r"\| (?!Who|---)", line)]
    assert {row[0].strip() for row in rows} >= {
        *("newcomer, text", "newcomer, speech", "operator, by network", "operator, by hand"),
        *("vendor, first year", "vendor, renewal", "auditor", "data person"),
    }
    for row in rows:
        tests = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(\w+)`", row[-1])
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


@pytest.fixture
def site(tmp_path: Path, vendor_desk: Desk) -> Iterator[Site]:
    vendor_desk.type(next(beginning(VENDOR, "license init")), "--passphrase-file", "phrase")
    with Authority.open(vendor_desk.home / "authority") as authority:
        made = Site(tmp_path / "site", authority)
        yield made
        made.close()


@pytest.fixture
def vendor_desk(tmp_path: Path) -> Desk:
    home = tmp_path / "vendor"
    (home / "model").mkdir(parents=True)
    (home / "model" / "model.onnx").write_bytes(b"weights")
    (home / "phrase").write_text("correct horse battery\n")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    places = {"/media/one": tmp_path / "one", "/media/two": tmp_path / "two"}
    return Desk(home=home, roots=home / "authority" / "roots", places=places)


@pytest.fixture
def operator_desk(tmp_path: Path, vendor_desk: Desk, site: Site) -> Desk:
    stick, place = tmp_path / "stick", tmp_path / "srv"
    stick.mkdir()
    place.mkdir()
    return Desk(
        home=place,
        roots=vendor_desk.roots,
        places={"/media/usb": stick, "/srv": place},
        environ={"Mounts__License": site.license, "Mounts__Output": site.output, "Mounts__State": site.state},
    )


def use(site: Site, *, proof: Path | None = None) -> None:
    """Answer two requests, and keep the proof of one, as a caller may."""
    service = site.start()
    with service.client() as client:
        for _ in range(2):
            body = {
                "kind": "EntityRecognition",
                "analysisInput": {"documents": [{"id": "1", "language": "en", "text": SENTENCE}]},
            }
            reply = client.post("/language/:analyze-text", params=VERSION, json=body)
            assert reply.status_code == 200
        number = reply.headers["Usage-Record"].rpartition("/")[2]
        if proof is not None:
            answer = client.get(f"/records/proof/{number}")
            for _ in range(600):
                if answer.status_code == 200:
                    break
                service.reload()  # signs a head now
                time.sleep(0.1)
                answer = client.get(f"/records/proof/{number}")
            assert answer.status_code == 200, answer.text
            proof.write_bytes(answer.content)
    assert service.stop() == 0


def carry(source: Path, target: Path, *names: str) -> None:
    for name in names:
        shutil.copy(source / name, target / name)


@pytest.mark.e2e
def test_vendor_operator_and_auditor_go_through_the_first_year_and_renew(
    vendor_desk: Desk, operator_desk: Desk, site: Site, tmp_path: Path
) -> None:
    stick, home = tmp_path / "stick", vendor_desk.home
    operator, export = commands("licence.md"), commands("runbooks/export.md")

    # The vendor sells, the operator asks by hand, and installs what comes.
    create, pack = beginning(VENDOR, "license resource create", "license pack")
    assert "key 1" in vendor_desk.type(create)
    vendor_desk.type(pack)
    ask, install = beginning(operator, "appliance license request", "appliance license install")
    operator_desk.type(ask)
    carry(operator_desk.home, home, "request.note")
    issue, inspect, verify = beginning(VENDOR, "license issue", "license inspect", "license verify")
    vendor_desk.type(issue)
    vendor_desk.type(inspect)
    assert "Acme Ltd" in vendor_desk.type(verify)
    carry(home / "delivery", stick, "license.note", "issuer.note")
    operator_desk.type(install)

    # It serves, and the usage is reported as the runbook says.
    use(site)
    show, dry, make, check, answer, keep = export
    assert "report by" in operator_desk.type(show)
    for command in (dry, make, check):
        operator_desk.type(command)
    assert SENTENCE not in (operator_desk.home / "leaves.txt").read_text()
    shutil.copy(operator_desk.home / "usage.zip", home / "usage-2026-11.zip")
    take = next(beginning(VENDOR, "license ingest usage"))
    assert "nothing is accepted yet" in vendor_desk.type(take)
    carry(home / "receipt", stick, "openings.note", "issuer.note")
    operator_desk.type(answer, "--roots", vendor_desk.roots)
    shutil.copy(operator_desk.home / "opened.zip", home / "usage-2026-11.zip")
    assert "1 log(s) cosigned" in vendor_desk.type(take)
    (stick / "openings.note").unlink()
    carry(home / "receipt", stick, "receipt.note", "issuer.note", "witness.note")
    assert "entries accepted" in operator_desk.type(keep)

    # The auditor checks that export, also against what is newer: the log went on.
    proof = tmp_path / "answer-4711.tlog-proof"
    use(site, proof=proof)
    audit(operator_desk, site, tmp_path, proof)

    # What was used and what it costs; more units, and the next period of the same resource.
    prices = home / "authority" / "prices.csv"
    for command in beginning(VENDOR, "license prices --init", "license usage acme-ner --csv"):
        vendor_desk.type(command)
    prices.write_text(prices.read_text().replace("# DC0", "DC0"))
    vendor_desk.type("license prices")
    for command in beginning(
        VENDOR, *(f"license resource {name}" for name in ("add-units", "grant", "limit"))
    ):
        vendor_desk.type(command)
    renew(vendor_desk, operator_desk, stick)
    use(site)
    rotate = next(beginning(VENDOR, "license rotate issuer"))
    assert "epoch 2" in vendor_desk.type(rotate, "--passphrase-file", "phrase")


def audit(operator_desk: Desk, site: Site, tmp_path: Path, proof: Path) -> None:
    verify, compare = beginning(
        commands("auditor.md"), "python3 usage-verify.pyz usage-2026", "python3 usage-verify.pyz usage.zip"
    )
    desk = Desk(
        home=tmp_path / "auditor",
        roots=operator_desk.roots,
        places={"DIRECTORY_WITH_VKEY": operator_desk.roots, "./roots": operator_desk.roots},
    )
    desk.home.mkdir()
    for name in ("usage-2026-11.zip", "usage.zip"):
        shutil.copy(operator_desk.home / "usage.zip", desk.home / name)
    (desk.home / "siem.log").write_text("".join(service.text() for service in site.running))
    shutil.copy(proof, desk.home)
    assert desk.type(verify).startswith("clean: 1 log(s)")
    assert "it is older, so compare a later export" in desk.type(compare)
    later = desk.home / "later.zip"
    operator_desk.type(f"appliance usage export -o {later}")
    assert "newer" not in desk.type(compare.replace(" usage.zip", " later.zip"), "--json")
    assert "newer" not in desk.type(f"{verify} --heads later.zip".replace("usage-2026-11.zip", "later.zip"))
    assert "newer" in desk.type(f"{verify} --heads later.zip", "--json")
    assert "newer" in desk.type(f"{verify} --heads {site.output}", "--json")


def renew(vendor_desk: Desk, operator_desk: Desk, stick: Path) -> None:
    """The runbook of the operator, and the vendor's part of it."""
    ask, dry, install, show, _doctor = commands("runbooks/renewal.md")
    for command in beginning(VENDOR, "license resource renew"):
        assert "next plan" in vendor_desk.type(command)
    operator_desk.type(ask)
    carry(operator_desk.home, vendor_desk.home, "request.note")
    after = VENDOR[VENDOR.index(next(beginning(VENDOR, "license resource renew"))) :]
    vendor_desk.type(next(beginning(after, "license issue")))
    for note in stick.glob("*.note"):
        note.unlink()
    carry(vendor_desk.home / "delivery", stick, "license.note", "issuer.note")
    for command in (dry, install):
        operator_desk.type(command)
    assert re.search(r"^next +\S+ \(serial 2\) from ", operator_desk.type(show), re.MULTILINE)
    shown = vendor_desk.type(next(beginning(VENDOR, "license resource show")))
    assert "renewed for" in shown
    for command in beginning(VENDOR, "license resource list", "license usage acme-ner --month"):
        vendor_desk.type(command)


@pytest.mark.e2e
@pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed (Debian: apt-get install curl)"
)
@pytest.mark.parametrize(
    "speech", [pytest.param(False, id="text"), pytest.param(True, id="speech", marks=pytest.mark.slow)]
)
def test_a_newcomer_starts_the_service_and_asks_it(tmp_path: Path, *, speech: bool) -> None:
    quickstart = (ROOT / "docs" / "quickstart.md").read_text()
    assert "make run\n" in quickstart
    assert 'make run ARGS="--speech"' in quickstart
    log = tmp_path / "demo.log"
    with log.open("wb") as output:
        words = ["demo", "--port", "0", "--home", str(tmp_path / "demo"), *(["--speech"] if speech else [])]
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", *words], stdout=output, stderr=output, env=clean_environ()
        )
    try:
        url = address(Service(process, log))
        text = quickstart.replace("http://localhost:5000", url)
        pieces = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
        curls = [piece for piece in pieces if piece.strip().startswith("curl ")]
        for piece in curls if not speech else curls[1:]:
            done = subprocess.run(
                ["bash", "-ec", piece], capture_output=True, text=True, timeout=60, check=True
            )
            assert "London" in done.stdout or "apiStatus" in done.stdout, done.stdout
            if '"kind"' in piece:
                (document,) = json.loads(done.stdout)["results"]["documents"]
                found = [(entity["text"], entity["category"]) for entity in document["entities"]]
                assert found == [("Alan Turing", "Person"), ("London", "Location")]
        with urllib.request.urlopen(f"{url}/status", timeout=60) as reply:  # noqa: S310
            assert json.load(reply)["apiStatus"] == "Valid"
    finally:
        process.terminate()
        process.wait(60)


def address(demo: Service) -> str:
    """Wait until a demo serves, and return where."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.process.poll() is None:
        if "Ctrl-C" in demo.text():
            url: str = re.findall(r"http://(?:127\.0\.0\.1|localhost):\d+", demo.text())[-1]
            return url.replace("localhost", "127.0.0.1")
        time.sleep(0.05)
    raise AssertionError(demo.text()[-3_000:])
