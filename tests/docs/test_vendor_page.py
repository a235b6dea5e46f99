"""The commands of docs/vendor.md, in the order of the page: from the first key to a rotation."""

import contextlib
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from license.authority.cli.main import main
from license.crypto.hpke import HpkeKey
from license.licenses.directory import load_directory
from license.licenses.request import LicenseRequest, sign_request
from license.trust.roots import load_roots
from tests.support.evidence import export, record
from tests.support.ledger import Machine, Vendor
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "vendor.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)


def commands() -> Iterator[tuple[list[str], str]]:
    """Each command in the page's indented code: its words, and the file that its output goes to."""
    code = "\n".join(line[4:] for line in PAGE.splitlines() if line.startswith("    "))
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith("license "):
            typed, _, target = line.partition(" > ")
            yield shlex.split(typed, comments=True)[1:], target.strip()


class Site:
    """A vendor's folder, and the machine of the customer."""

    def __init__(self, place: Path) -> None:
        for name in ("media/one", "media/two"):
            (place / name).mkdir(parents=True)
        (place / "phrase").write_text("five words that nobody guesses\n")
        shutil.copytree(
            ROOT / "appliance/bundled/ner-en", place / "model", ignore=shutil.ignore_patterns("model.json")
        )
        self.machine = Machine(place / "machine", Vendor(place), wall=int(time.time()))
        request = LicenseRequest(
            instance=self.machine.identity.verifying.vkey,
            product="ner",
            software="test",
            created=self.machine.wall,
            hpke=HpkeKey.generate().public,
        )
        (place / "request.note").write_bytes(sign_request(request, self.machine.identity))
        self.place = place

    def type_in(self, words: list[str], target: str) -> str:
        words = [word.replace("/media/", f"{self.place}/media/") for word in words]
        if words[0] in ("init", "rotate"):
            words += ["--passphrase-file", "phrase"]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}"
        if target:
            (self.place / target).write_text(done.stdout)
        return done.stdout

    def use_and_export(self, name: str) -> None:
        """What the customer does: serve under the licence that was delivered, then export."""
        self.machine.licensed = load_directory(
            self.place / "delivery",
            roots=load_roots(self.place / "authority" / "roots"),
            product="ner",
            instance_vkey=self.machine.identity.verifying.vkey,
        )
        ledger = self.machine.open()
        record(ledger, 1, 2, 3)
        ledger.close()
        export(self.machine, self.place / name, full=True)


def test_the_page_is_in_the_order_of_the_work() -> None:
    order = [
        *("Make the authority", "Choose product and plan", "Enter the customer's resource"),
        *("Hand out the licence", "Take usage in", "Renew and change", "When something is lost"),
    ]
    assert order == HEADINGS


def test_every_command_of_the_page_works_in_the_order_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LICENSE_HOME", raising=False)
    site = Site(tmp_path)
    ran = []
    with contextlib.chdir(tmp_path):
        for words, target in commands():
            ran.append(" ".join(words[:2] if words[0] in ("resource", "rotate") else words[:1]))
            if words[0] == "serve":
                continue  # it serves until it is told to stop: tests/unit/license/authority/cli/test_main.py
            if words[0] == "ingest":
                site.use_and_export(words[1])
            site.type_in(words, target)
        assert {path.name for path in (tmp_path / "receipt").iterdir()} >= {"receipt.note", "issuer.note"}
        assert (tmp_path / "acme.csv").read_text().count("\n") > 1
        renewed = site.type_in(
            ["issue", "request.note", "--home", "authority", "--resource", "acme-ner", "--out", "renewal"], ""
        )
    assert "serial 3" in renewed
    assert {
        "init",
        "issue",
        "ingest",
        "pack",
        "rotate issuer",
        "resource create",
        "resource renew",
        "serve",
    } <= set(ran)
