"""`docs/formats.md` must be true: its examples are opened, its tables compared with the code."""

import json
import re

import pytest

from license import errors
from license.authority.book.resource import make_plan
from license.authority.http.openapi import document
from license.crypto.ed25519 import VerifyingKey
from license.errors import DownloadError, LicenseError
from license.licenses.license import License
from license.licenses.request import open_request
from license.licenses.terms import ConnectedTerms
from license.licenses.validity import MARKS, State
from license.licenses.verify import open_license
from license.metering_protocol import open_report
from license.models.manifest import Manifest, open_manifest
from license.trust.delegation import Delegation
from license.trust.roots import TrustRoots
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "formats.md"
TEXT = PAGE.read_text(encoding="utf-8").partition("\n## Evidence")[0]


def block(kind: str) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1, kind
    return str(found[0])


def section(title: str) -> str:
    return TEXT.partition(f"### {title}\n")[2].partition("\n### ")[0]


def test_the_licence_on_the_page_verifies_with_the_key_on_the_page() -> None:
    root = VerifyingKey.from_vkey(block("vkey").strip())
    request = open_request(block("note request").encode())
    opened = open_license(
        block("note license").encode(),
        block("note issuer").encode(),
        roots=TrustRoots(keys=(root,), sources=(PAGE,)),
        product=request.product,
        instance_vkey=request.instance,
    )
    assert opened.license.serial == 7


@pytest.mark.parametrize(
    ("title", "kind"), [("Licence", License), ("Delegation", Delegation), ("Model manifest", Manifest)]
)
def test_every_field_has_a_row(title: str, kind: type) -> None:
    rows = "\n".join(line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", rows)) == set(kind.__slots__)  # type: ignore[attr-defined]


def test_the_manifest_on_the_page_verifies_too() -> None:
    root = VerifyingKey.from_vkey(block("vkey").strip())
    issuer, roots = block("note issuer").encode(), TrustRoots(keys=(root,), sources=(PAGE,))
    manifest = open_manifest(block("note model").encode(), issuer, roots)
    assert f"{manifest.line} {manifest.release}" == "ner-en/3 1.0.2"


def test_the_free_plan_on_the_page_is_the_one_that_is_sold() -> None:
    found = re.search(r'`(\{"tier": "F0".*?\})`', section("Plans"))
    assert found is not None
    plan = make_plan(tier="F0", product="ner", period=(0, 86_400)).to_claims()
    assert json.loads(found.group(1)) | {"period": plan["period"]} == plan


def test_every_address_of_the_authority_is_on_the_page() -> None:
    page = (
        section("Asking the authority").replace("<line>", "{name}/{number}").replace("<release>", "{release}")
    )
    assert [path for path in document()["paths"] if path not in page] == []


def test_every_refusal_of_verifying_is_in_the_table() -> None:
    named = set(re.findall(r"`([A-Z]\w+)`", section("Verifying")))
    assert named <= {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, LicenseError)
    }
    assert {
        "Malformed",
        "Forged",
        "UnknownSigner",
        "UnknownIssuer",
        "WrongType",
        "DelegationExpired",
    } <= named
    assert {"EpochTooLow", "SerialTooLow", "WrongProduct", "WrongMachine", "NeedsNewerVersion"} <= named


def test_every_state_and_mark_is_in_the_table() -> None:
    states = section("States")
    assert all(f"`{state}`" in states for state in State)
    announced = re.search(r"announced ([0-9, and]+) days before", states)
    assert announced is not None
    assert tuple(int(mark) for mark in re.findall(r"\d+", announced.group(1))) == MARKS


def test_every_status_word_is_on_the_page() -> None:
    words = {
        error.status
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, DownloadError)
    }
    assert [word for word in sorted(words) if f"`{word}`" not in section("Asking the authority")] == []


def test_the_usage_report_on_the_page_is_what_is_sent() -> None:
    sent = open_report((ROOT / "tests" / "vectors" / "report.note").read_bytes())
    assert block("usage-report").rstrip("\n").encode() == sent.report.to_bytes()


def test_every_claim_of_a_lease_is_on_the_page() -> None:
    assert [
        name for name in ConnectedTerms().to_claims() if f"| `{name}` |" not in section("Connected")
    ] == []
