"""An export says what its ledger says, and any change to it is found."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import UsageStoreUnavailable
from appliance.ledger.ledger import UsageRecord
from license.crypto.ed25519 import SigningKey
from license.errors import Forged, LicenseError, Malformed
from license.evidence.bundle.archive import NOTE, open_bundle
from license.evidence.bundle.lines import parse_head_lines, render_head_lines
from license.evidence.log.source import KeptHead
from license.evidence.verify.result import Report
from license.evidence.verify.verify import verify
from tests.support.evidence import (
    METER,
    broken,
    bytes_of,
    codes,
    export,
    members,
    record,
    rewrite,
    run_days,
)
from tests.support.ledger import DAY, Machine, Vendor

Packed = Callable[..., Path]


@pytest.mark.parametrize("full", [False, True])
def test_an_export_of_a_sound_ledger_is_clean_and_has_its_totals(
    packed: Packed, vendor: Vendor, closed: Machine, full: bool
) -> None:
    report, ledger = verify(packed(full=full), vendor.roots), verify(closed.output, vendor.roots)
    assert report.exit_code == 0, report.findings
    assert report.totals == ledger.totals
    assert report.logs[0].days == ledger.logs[0].days
    assert report.logs[0].size == ledger.logs[0].size
    assert report.logs[0].hidden == (0 if full else 30)


@pytest.mark.parametrize("full", [False, True])
def test_the_same_ledger_gives_the_same_bytes(closed: Machine, full: bool) -> None:
    assert bytes_of(closed, full=full) == bytes_of(closed, full=full)


def test_a_summary_holds_no_usage_entry_and_no_request_id(packed: Packed) -> None:
    everything = b"".join(members(packed()).values())
    assert b'"k":"use"' not in everything
    assert b'"r3"' not in everything


def test_nothing_leaves_that_is_not_named(packed: Packed) -> None:
    names = {name.rpartition("/")[0] + "/" + name.rpartition(".")[2] for name in members(packed())}
    assert names == {"/note", "/csv", "logs/1/txt", "logs/1/jsonl", "notes/note"}


def test_a_day_in_progress_counts_as_claimed(machine: Machine, tmp_path: Path, vendor: Vendor) -> None:
    ledger = machine.open()
    record(ledger, 1, 2, 3)
    ledger.close()
    report = verify(export(machine, tmp_path / "e.zip"), vendor.roots)
    assert report.exit_code == 0
    assert codes(report, 0) >= {"claimed"}
    assert sum(tally.quantity for tally in report.totals.values()) == 6


def test_false_sums_of_the_day_in_progress_are_found_by_their_number(
    machine: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    ledger = machine.open()
    record(ledger, 1, 2, 3)
    ledger.close()
    path = export(machine, tmp_path / "e.zip")
    note = members(path)[NOTE].replace(b"3,", b"2,", 1)
    changed = rewrite(path, {NOTE: note}, key=machine.identity)
    assert "day-sums" in codes(verify(changed, vendor.roots), 2)


@pytest.mark.parametrize("member", ["logs/1/heads.txt", "focus.csv", "logs/1/events.jsonl"])
def test_a_changed_member_is_named(packed: Packed, vendor: Vendor, member: str) -> None:
    path = packed()
    data = members(path)[member]
    rewrite(path, {member: data[:-2] + b"x\n"})
    found = broken(verify(path, vendor.roots))
    assert [finding for finding in found if finding.code == "member" and member in finding.message]


@pytest.mark.parametrize("member", ["logs/1/heads.txt", "focus.csv", "logs/1/events.jsonl"])
def test_a_missing_member_is_named(packed: Packed, vendor: Vendor, member: str) -> None:
    report = verify(rewrite(packed(), {member: None}), vendor.roots)
    assert "member" in codes(report, 2)


def test_a_member_that_was_added_is_found(packed: Packed, vendor: Vendor) -> None:
    report = verify(rewrite(packed(), {"extra.txt": b"hello"}), vendor.roots)
    assert codes(report, 2) == {"member"}


def test_a_changed_note_is_forged(packed: Packed, vendor: Vendor) -> None:
    path = packed()
    note = members(path)[NOTE].replace(b'"serial": 1', b'"serial": 2')
    with pytest.raises(Forged):
        verify(rewrite(path, {NOTE: note}), vendor.roots)


def test_an_export_signed_by_another_installation_is_found(packed: Packed, vendor: Vendor) -> None:
    path, other = packed(), SigningKey.generate("offline-appliance/instance")
    own = json.loads(members(path)[NOTE].decode().partition("\n")[2].partition("\n\n")[0])["instance"]
    note = members(path)[NOTE].replace(own.encode(), other.verifying.vkey.encode())
    report = verify(rewrite(path, {NOTE: note}, key=other), vendor.roots)
    assert "signer" in codes(report, 2)


def edited(path: Path, machine: Machine, change: Callable[[list[str]], list[str]]) -> Path:
    """Edit the entries of a full export and sign it again, as the owner of the machine could."""
    name = "logs/1/entries.jsonl.gz"
    lines = gzip.decompress(members(path)[name]).decode().splitlines()
    text = "".join(f"{line}\n" for line in change(lines))
    return rewrite(path, {name: gzip.compress(text.encode())}, key=machine.identity)


def uses(lines: list[str]) -> list[int]:
    return [n for n, line in enumerate(lines) if line.startswith('{"k":"use"')]


def less(lines: list[str]) -> list[str]:
    n = uses(lines)[14]
    return [*lines[:n], lines[n].replace('"q":2', '"q":1'), *lines[n + 1 :]]


def without_one(lines: list[str]) -> list[str]:
    return [line for n, line in enumerate(lines) if n != uses(lines)[14]]


def swapped(lines: list[str]) -> list[str]:
    n = uses(lines)[14]
    return [*lines[:n], lines[n + 1], lines[n], *lines[n + 2 :]]


def doubled(lines: list[str]) -> list[str]:
    n = uses(lines)[14]
    return [*lines[: n + 1], *lines[n:]]


@pytest.mark.parametrize(
    ("change", "code"),
    [(less, "tree"), (without_one, "missing"), (swapped, "index"), (doubled, "index")],
)
def test_an_edited_full_export_is_found_with_its_index(
    packed: Packed,
    closed: Machine,
    vendor: Vendor,
    change: Callable[[list[str]], list[str]],
    code: str,
) -> None:
    report = verify(edited(packed(full=True), closed, change), vendor.roots)
    found = next(finding for finding in broken(report) if finding.code == code)
    assert found.index is not None
    assert found.at is not None


def test_a_tail_cut_from_an_export_contradicts_its_heads(
    packed: Packed, closed: Machine, vendor: Vendor
) -> None:
    report = verify(edited(packed(full=True), closed, lambda lines: lines[:-3]), vendor.roots)
    assert {"rollback", "member"} <= codes(report, 2)


def test_an_edited_database_is_exported_as_it_is_and_the_entry_is_named(
    packed: Packed, closed: Machine, vendor: Vendor
) -> None:
    n = closed.kinds().index("use") + 4
    closed.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":1') WHERE n = ?", n)
    report = verify(packed(full=True), vendor.roots)
    assert ("changed", n) in {(finding.code, finding.index) for finding in broken(report)}


def test_entries_removed_from_the_database_are_missing_from_a_summary_too(
    packed: Packed, closed: Machine, vendor: Vendor
) -> None:
    n = closed.kinds().index("use") + 4
    closed.sql("DELETE FROM entry WHERE n = ?", n)
    assert "missing" in codes(verify(packed(), vendor.roots), 2)


def test_a_hash_in_a_gap_cannot_be_another(packed: Packed, closed: Machine, vendor: Vendor) -> None:
    path = packed()
    name = "logs/1/events.jsonl"
    lines = members(path)[name].decode().splitlines()
    gaps = [n for n, line in enumerate(lines) if line.startswith('{"gap"')]
    first, second = (json.loads(lines[n]) for n in gaps[:2])
    first["h"][0] = second["h"][0]
    lines[gaps[0]] = json.dumps(first, separators=(",", ":"))
    changed = rewrite(path, {name: "".join(f"{line}\n" for line in lines).encode()}, key=closed.identity)
    assert "tree" in codes(verify(changed, vendor.roots), 2)


def test_a_day_with_other_sums_than_its_entries_number_is_found(
    packed: Packed, closed: Machine, vendor: Vendor
) -> None:
    path = packed()
    name = "logs/1/events.jsonl"
    data = members(path)[name].replace(b"[10,20,20]", b"[9,18,18]", 1)
    changed = rewrite(path, {name: data}, key=closed.identity)
    assert codes(verify(changed, vendor.roots), 2) >= {"tree", "day-sums"}


def test_a_table_that_says_something_else_is_found(packed: Packed, closed: Machine, vendor: Vendor) -> None:
    path = packed()
    table = members(path)["focus.csv"].replace(b",20,", b",2,")
    report = verify(rewrite(path, {"focus.csv": table}, key=closed.identity), vendor.roots)
    assert codes(report, 2) == {"table"}


def test_what_a_damaged_log_recorded_last_is_exported_and_signed(
    machine: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    """No checkpoint of its minute was due yet; its last head was signed when it was set aside."""
    ledger = machine.open()
    asyncio.run(ledger.commit([UsageRecord(meter=METER, quantity=2, billed=2, request_id="r")] * 600))
    machine.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":3') WHERE n = 7")
    ledger.scrubber.round()
    with contextlib.suppress(UsageStoreUnavailable):
        record(ledger, 1)
    ledger.close()
    report = verify(export(machine, tmp_path / "e.zip", full=True), vendor.roots)
    assert [(log.size, log.signed) for log in report.logs[:1]] == [(603, 603)]
    assert {(f.code, f.index) for f in broken(report)} == {("changed", 7)}


def test_a_head_that_others_kept_later_is_no_verdict_on_an_older_export(
    packed: Packed, closed: Machine, vendor: Vendor, tmp_path: Path
) -> None:
    old = packed(name="old.zip")
    run_days(closed, 1, first=3)
    head = (closed.directory / "checkpoint").read_bytes()
    report = verify(old, vendor.roots, heads=[KeptHead("siem.log", head)])
    assert codes(report, 0) >= {"newer"}
    early = verify(old, vendor.roots).logs[-1].last - 1
    report = verify(old, vendor.roots, heads=[KeptHead("siem.log", head, early)])
    assert codes(report, 2) == {"rollback"}


def test_a_copy_of_the_machine_is_found_by_a_head_of_the_other_copy(
    closed: Machine, packed: Packed, vendor: Vendor, tmp_path: Path
) -> None:
    import shutil
    from dataclasses import replace

    shutil.copytree(closed.home, tmp_path / "clone")
    clone = replace(closed, home=tmp_path / "clone")
    # Both sign with the same key of the same day.
    closed.pass_time(-DAY // 2)
    clone.pass_time(-DAY // 2)
    for machine, numbers in ((closed, (100, 101)), (clone, (200, 201))):
        ledger = machine.open()
        record(ledger, *numbers)
        ledger.close()
    line = render_head_lines([(clone.directory / "checkpoint").read_bytes()])
    report = verify(
        packed(), vendor.roots, heads=[KeptHead("siem.log", parse_head_lines(b"Nov 21 " + line)[0])]
    )
    assert "fork" in codes(report, 2) or "checkpoint" in codes(report, 2)


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip" * 50])
def test_what_is_no_export_is_refused(tmp_path: Path, vendor: Vendor, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(Malformed):
        verify(tmp_path / "x.zip", vendor.roots)


def test_an_export_cut_short_anywhere_is_refused_or_broken(
    packed: Packed, vendor: Vendor, tmp_path: Path
) -> None:
    data = packed().read_bytes()
    for cut in range(1, len(data), max(1, len(data) // 40)):
        path = tmp_path / "cut.zip"
        path.write_bytes(data[:cut])
        assert _verdict(path, vendor) == 2


def test_flipped_bits_are_refused_or_found(packed: Packed, vendor: Vendor, tmp_path: Path) -> None:
    path = packed(full=True)
    files = members(path)
    for name, data in files.items():
        at = len(data) // 2
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        copy = tmp_path / "flipped.zip"
        copy.write_bytes(path.read_bytes())
        assert _verdict(rewrite(copy, {name: changed}), vendor) == 2, name


def _verdict(path: Path, vendor: Vendor) -> int:
    try:
        report: Report = verify(path, vendor.roots)
    except LicenseError:
        return 2
    return report.exit_code


def test_heads_survive_a_journal(packed: Packed) -> None:
    with open_bundle(packed()) as bundle:
        heads = bundle.logs()[0].checkpoints()
    assert len(heads) >= 3
    assert parse_head_lines(render_head_lines(heads)) == heads
