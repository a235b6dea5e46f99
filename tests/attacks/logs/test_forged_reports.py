"""Somebody has the key of the resource, and reports for a machine that is not theirs, or too little."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from appliance.ledger.transfer.export import write_bundle
from appliance.metering.reports import find_logs, next_report
from license.authority.ingest import ingest_bundle
from license.crypto.ed25519 import SigningKey
from license.evidence.log.merkle import consistency_path, root_at
from license.evidence.log.tiles import stored_subtree
from license.metering_protocol import SignedReport, UsageReport, sign_report
from tests.integration.connected.conftest import Machine, Vendor
from tests.support.evidence import codes


def send(reporting: Machine, body: bytes) -> httpx2.Response:
    """What anybody who has the resource's key can put on the wire."""
    return httpx2.post(
        f"{reporting.client.billing}/v1/usage",
        content=body,
        headers={"Ocp-Apim-Subscription-Key": reporting.client.api_key},
        trust_env=False,
    )


def honest(reporting: Machine) -> SignedReport:
    reporting.ledger.checkpoint()
    signed = next_report(find_logs(reporting.directory)[-1], 0, "0.1.0", reporting.identity.signing)
    assert signed is not None
    return signed


def units(meter: Vendor) -> int:
    return sum(tally.quantity for tally in meter.metered().values())


def inflated(report: UsageReport) -> UsageReport:
    (record,) = report.records
    return replace(report, records=(replace(record, quantity=999_999_999, billed=999_999_999),))


def test_a_report_without_the_machines_signature_is_refused_with_words(
    reporting: Machine, meter: Vendor
) -> None:
    reporting.use(3, 1)
    answer = send(reporting, honest(reporting).report.to_bytes())
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "UnsignedReport")
    assert "update the appliance" in error["hint"]
    assert units(meter) == 0


def test_a_strangers_report_is_refused_whatever_key_signs_it(reporting: Machine, meter: Vendor) -> None:
    reporting.use(3, 1)
    signed = honest(reporting)
    stranger = SigningKey.generate("offline-appliance/instance")
    by_stranger = sign_report(inflated(signed.report), root=signed.root, growth=(), key=stranger)
    assert send(reporting, by_stranger.note).status_code == 400
    # In the machine's name, but by the other key; or the machine's own signature over another text.
    in_its_name = by_stranger.note.replace(stranger.verifying.vkey.encode(), signed.instance.encode())
    assert send(reporting, in_its_name).status_code == 400
    changed = signed.note.replace(b'"quantity": 4.0', b'"quantity": 1.0')
    assert changed != signed.note
    assert send(reporting, changed).json()["error"]["code"] == "Forged"
    assert units(meter) == 0


def test_the_machine_itself_cannot_report_for_a_log_that_is_not_its_own(
    reporting: Machine, meter: Vendor
) -> None:
    reporting.use(3, 1)
    signed = honest(reporting)
    other = replace(signed.report, log="offline-appliance/customner/0f3a9c2b7d11/1")
    made = sign_report(other, root=signed.root, growth=(), key=reporting.identity.signing)
    assert send(reporting, made.note).status_code == 400
    assert units(meter) == 0


def test_a_position_pushed_ahead_does_not_stop_the_real_machine(reporting: Machine, meter: Vendor) -> None:
    """Before, a stranger's `next` of a million left the machine behind: refused, and then silent."""
    reporting.use(3, 1)
    signed = honest(reporting)
    ahead = replace(signed.report, next=1_000_000)
    stranger = SigningKey.generate("offline-appliance/instance")
    send(reporting, sign_report(ahead, root=bytes(32), growth=(), key=stranger).note)
    send(reporting, ahead.to_bytes())
    reporting.reporter.attempt()
    assert reporting.reporter.endpoint_state.failed == 0
    assert units(meter) == 4


def test_a_log_that_does_not_grow_from_what_was_reported_is_refused(
    reporting: Machine, meter: Vendor
) -> None:
    """Even with the machine's key: the next report has to extend the head under the one before."""
    reporting.use(3, 1)
    reporting.reporter.attempt()
    before = units(meter)
    reporting.use(5)
    reporting.ledger.checkpoint()
    log = find_logs(reporting.directory)[-1]
    (counted,) = reporting.reporter._positions.values()
    signed = next_report(log, counted, "0.1.0", reporting.identity.signing)
    assert signed is not None
    key = reporting.identity.signing
    for root, growth in ((bytes(32), signed.growth), (signed.root, ()), (signed.root, signed.growth[:-1])):
        made = sign_report(signed.report, root=root, growth=growth, key=key)
        assert send(reporting, made.note).json()["error"]["code"] == "OtherHistory"
    assert units(meter) == before
    reporting.reporter.attempt()
    assert units(meter) == 9


@pytest.mark.parametrize("full", [False, True], ids=["summary", "full"])
def test_ranges_reported_too_low_are_found_by_the_next_export(
    reporting: Machine, meter: Vendor, tmp_path: Path, full: bool
) -> None:
    """The owner of the machine can sign what they like: the log they export says otherwise."""
    reporting.use(*([75] * 4))
    reporting.ledger.checkpoint()
    log = find_logs(reporting.directory)[-1]
    with closing(sqlite3.connect(log.path)) as connection:
        subtree = stored_subtree(connection)
        uses = [row[0] for row in connection.execute("SELECT n FROM entry WHERE kind = 'use' ORDER BY n")]
        first = 0
        for n in uses:
            signed = next_report(replace(log, signed=n + 1), first, "0.1.0", reporting.identity.signing)
            assert signed is not None
            (record,) = signed.report.records
            low = replace(signed.report, records=(replace(record, quantity=1, billed=1),))
            growth = consistency_path(first, n + 1, subtree)
            made = sign_report(
                low, root=root_at(n + 1, subtree), growth=growth, key=reporting.identity.signing
            )
            assert send(reporting, made.note).status_code == 200
            first = n + 1
    assert units(meter) == 4
    with (tmp_path / "e.zip").open("wb") as file:
        write_bundle(reporting.directory, file, identity=reporting.identity.signing, full=full)
    done = ingest_bundle(meter.authority, tmp_path / "e.zip")
    assert "metered-differs" in codes(done.report)
    assert [tally.quantity for tally in done.report.totals.values()] == [300]
