"""Signed usage reports: what is written is what is read, and nothing else is."""

import pytest

from license.crypto.ed25519 import SigningKey
from license.errors import Forged, LicenseError, Malformed, UnsignedReport
from license.evidence.log.merkle import EMPTY_ROOT, check_consistency
from license.metering_protocol import SignedReport, UsageRecord, UsageReport, open_report, sign_report
from license.trust.signed_note import read_unverified, sign_note
from tests.support.paths import ROOT

VECTOR = ROOT / "tests" / "vectors" / "report.note"


def made(key: SigningKey, **changes: object) -> SignedReport:
    record = UsageRecord(meter="Ner.TextRecords", entries=3, quantity=7, billed=7, at=1_789_992_000)
    values: dict[str, object] = {
        "log": f"offline-appliance/customner/{key.verifying.fingerprint}/1",
        "first": 5,
        "next": 9,
        "software": "0.1.0",
        "records": (record,),
    }
    report = UsageReport(**values | changes)  # type: ignore[arg-type]
    return sign_report(report, root=bytes(32), growth=(bytes(32), b"\x01" * 32), key=key)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate("offline-appliance/instance")


def test_what_is_signed_is_what_is_opened(key: SigningKey) -> None:
    signed = made(key)
    assert open_report(signed.note) == signed
    assert made(key).note == signed.note


def test_the_vector_opens() -> None:
    signed = open_report(VECTOR.read_bytes())
    assert (signed.report.first, signed.report.next) == (0, 5)
    assert [(record.entries, record.quantity) for record in signed.report.records] == [(1, 3)]
    check_consistency(0, 5, EMPTY_ROOT, signed.root, signed.growth)


def test_a_report_as_it_was_before_is_refused_with_the_way_out(key: SigningKey) -> None:
    with pytest.raises(UnsignedReport) as refused:
        open_report(made(key).report.to_bytes())
    assert "update the appliance" in refused.value.hint


@pytest.mark.parametrize(
    "change", [(b"7.0", b"6.0"), (b'"next": 9', b'"next": 10'), (b"customner", b"speech2text")]
)
def test_a_changed_report_is_forged(key: SigningKey, change: tuple[bytes, bytes]) -> None:
    note = made(key).note.replace(*change)
    with pytest.raises((Forged, Malformed)):
        open_report(note)


def test_a_head_of_another_place_is_refused(key: SigningKey) -> None:
    text = read_unverified(made(key).note)
    other = read_unverified(made(key, next=10).note)
    head = text[text.index('"checkpoint"') : text.index('"growth"')]
    wrong = other[other.index('"checkpoint"') : other.index('"growth"')]
    with pytest.raises(Malformed, match="where the report ends"):
        open_report(sign_note(text.replace(head, wrong), key))


@pytest.mark.parametrize("growth", ['"growth": {}', '"growth": ["AA=="]', '"growth": [1]'])
def test_a_proof_is_a_list_of_hashes(key: SigningKey, growth: str) -> None:
    text = read_unverified(made(key).note)
    with pytest.raises(LicenseError):
        open_report(sign_note(text[: text.index('"growth"')] + growth + "\n}\n", key))
