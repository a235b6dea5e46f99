"""The auditor's own file: it stands alone, says what the command says, and its page is one file."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from license.evidence.render.html import render_page
from license.evidence.render.meanings import MEANINGS
from license.evidence.tool.command import EXIT_UNREADABLE, EXIT_USAGE, main, run_verify
from license.evidence.tool.zipapp import build, modules
from license.evidence.verify.checks import CHECKS, outcomes
from license.evidence.verify.verify import verify
from tests.docs.test_evidence_formats import codes as written_codes
from tests.support.evidence import codes, members, rewrite
from tests.support.ledger import Machine, Vendor
from tests.support.paths import ROOT

BLOCKED = ("sqlmodel", "sqlalchemy", "onnxruntime", "starlette", "numpy", "click", "pydantic", "tokenizers")
RUN = f"""
import runpy, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in {BLOCKED!r} or top == "appliance":
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist") / "usage-verify.pyz"
    build(target, ROOT)
    return target


def run(pyz: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", RUN, str(pyz), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=pyz.parent,
    )


def test_the_file_holds_nothing_of_the_appliance_or_the_authority(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
    assert {f"license/evidence/verify/{name}.py" for name in ("rules", "findings", "tree")} <= set(names)
    assert not [name for name in names if name.startswith(("appliance", "license/authority"))]


def test_the_same_sources_give_the_same_file(pyz: Path, tmp_path: Path) -> None:
    build(tmp_path / "again.pyz", ROOT)
    assert (tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()


def test_its_modules_need_the_standard_library_and_cryptography_only() -> None:
    allowed = {*sys.stdlib_module_names, "license", "cryptography"}
    for path in modules(ROOT).values():
        tops = re.findall(r"^\s*(?:from|import) ([a-z_0-9]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(tops) <= allowed, path


@pytest.mark.parametrize("full", [False, True])
def test_it_verifies_with_everything_else_blocked(
    pyz: Path, packed: Callable[..., Path], vendor: Vendor, full: bool
) -> None:
    path = packed(full=full)
    done = run(pyz, str(path), "--roots", str(vendor.directory), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "clean"
    assert report["totals"][0]["quantity"] == 60
    data = members(path)["focus.csv"]
    rewrite(path, {"focus.csv": data + b"x"})
    done = run(pyz, str(path), "--root", vendor.root.verifying.vkey)
    assert (done.returncode, "member" in done.stdout) == (2, True)


def test_it_verifies_a_ledger_directory_too(pyz: Path, closed: Machine, vendor: Vendor) -> None:
    done = run(pyz, str(closed.output), "--roots", str(vendor.directory))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [[], ["x.zip"], ["x.zip", "--roots", "nowhere"], ["--bad"]])
def test_wrong_usage_does_not_look_like_a_verdict(pyz: Path, words: list[str]) -> None:
    assert run(pyz, *words).returncode == EXIT_USAGE


def test_a_file_that_is_no_export_has_a_status_of_its_own(pyz: Path, vendor: Vendor, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no")
    done = run(pyz, str(tmp_path / "x.zip"), "--roots", str(vendor.directory))
    assert done.returncode == EXIT_UNREADABLE
    assert done.stderr.startswith("error: x.zip is not a zip archive")


class Links(HTMLParser):
    """Collects whatever a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object") or any(
            name in ("src", "href", "onload", "onclick") for name, _ in attrs
        ):
            self.found.append(tag)
        if tag not in ("meta", "br", "line", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("line", "rect"):
            return
        assert self.open.pop() == tag


def test_the_page_is_one_file_with_charts_checks_and_findings(
    packed: Callable[..., Path], vendor: Vendor, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    run_verify(packed(), vendor.roots, html=page, tool="usage-verify.pyz 9.9")
    text = page.read_text(encoding="utf-8")
    parser = Links()
    parser.feed(text)
    assert (parser.found, parser.open) == ([], [])
    assert text.count('<rect class="bar"') == 3
    assert "Clean" in text
    assert "Example Hospital" in text
    assert text.count("<main>") == text.count("</main>") == 1
    assert "usage-verify.pyz 9.9" in text
    assert "Units that the licences include" in text
    assert '<section class="keep"><h2>Coverage</h2>' in text, "on paper it stays on one page"
    for check in CHECKS:
        assert check.title in text


def test_what_a_stranger_wrote_is_shown_as_text(packed: Callable[..., Path], vendor: Vendor) -> None:
    path = rewrite(packed(), {"<script>alert(1)</script>.txt": b""})
    report = verify(path, vendor.roots)
    page = render_page(report, subject="<b>x</b>", sha256="", roots=vendor.roots, checked_at=0)
    assert "<script" not in page
    assert "<b>x" not in page
    assert "&lt;script&gt;" in page


def test_every_code_belongs_to_exactly_one_check() -> None:
    known = [code for check in CHECKS for code in check.codes]
    assert len(known) == len(set(known))
    assert written_codes("Checking a log") - set(known) == {
        "not-reported",
        "too-many-logs",
        "plan-exceeded",
        "two-resources",
        "metered-differs",
    }


def test_the_page_says_what_each_finding_means_and_whom_to_ask(
    closed: Machine, vendor: Vendor, tmp_path: Path
) -> None:
    closed.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":1') WHERE n = 5")
    report = verify(closed.output, vendor.roots)
    page = render_page(report, subject="x", sha256="", roots=vendor.roots, checked_at=0)
    assert MEANINGS["changed"].means in page
    assert MEANINGS["changed"].ask in page
    assert page.count('class="means"') == len(report.findings)


def test_every_code_has_a_meaning() -> None:
    assert {code for check in CHECKS for code in check.codes} - set(MEANINGS) == set()
    assert written_codes("Checking a log") - set(MEANINGS) == set()


def test_outcomes_tell_each_finding_once(closed: Machine, vendor: Vendor) -> None:
    closed.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":1') WHERE n = 5")
    report = verify(closed.output, vendor.roots)
    told = [finding for outcome in outcomes(report) for finding in outcome.findings]
    assert len(told) == len(report.findings)
    assert "changed" in codes(report)


def test_the_command_prints_what_the_page_says(
    packed: Callable[..., Path], vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(packed()), "--roots", str(vendor.directory)]) == 0
    assert capsys.readouterr().out.startswith("clean: 1 log(s)")
