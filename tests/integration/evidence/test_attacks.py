"""What an owner of the machine can try with the file that leaves it; each is found, or known not to be.

The table in `docs/threat-model.md` says the same in words. Attacks on the database itself: `tests/usage`.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from appliance.ledger.read.inclusion_proof import prove_entry
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import format_time
from license.evidence.bundle.kept_heads import read_heads
from license.evidence.bundle.lines import parse_head_lines, render_head_lines
from license.evidence.log.checkpoint import read_checkpoint, sign_checkpoint
from license.evidence.log.merkle import Frontier, leaf_hash
from license.evidence.verify.verify import verify
from license.trust.roots import TrustRoots
from tests.support.evidence import codes, export, members, record, rewrite, run_days
from tests.support.ledger import DAY, Machine, Vendor

Packed = Callable[..., Path]
ENTRIES, HEADS = "logs/1/entries.jsonl.gz", "logs/1/heads.txt"


def lines_of(path: Path) -> list[str]:
    return gzip.decompress(members(path)[ENTRIES]).decode().splitlines()


def forge(path: Path, lines: list[str], heads: list[bytes], machine: Machine) -> Path:
    """Put other entries and heads into an export, and sign it again with the key of the installation."""
    text = "".join(f"{line}\n" for line in lines).encode()
    changed = {ENTRIES: gzip.compress(text), HEADS: render_head_lines(heads), "logs/1/consistency.txt": None}
    return rewrite(path, changed, key=machine.identity)


def test_a_newer_day_key_cannot_sign_for_an_older_day(
    machine: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    run_days(machine, 1)
    # The thief comes on the second day: its key is there, that of the first is not.
    ledger = machine.open()
    record(ledger, 99)
    stolen = SigningKey.from_text(next(machine.state.glob("day-*.key")).read_text().strip())
    ledger.close()
    path = export(machine, tmp_path / "e.zip", full=True)
    lines, heads = lines_of(path), parse_head_lines(members(path)[HEADS])
    n = next(i for i, line in enumerate(lines) if '"k":"use"' in line)
    lines[n] = lines[n].replace('"q":2', '"q":1')
    forged = []
    for note in heads:
        head = read_checkpoint(note)
        frontier = Frontier()
        for line in lines[: head.size]:
            frontier.append(leaf_hash(line.encode()))
        keep = frontier.root() == head.root
        forged.append(note if keep else sign_checkpoint(replace(head, root=frontier.root()), stolen))
    found = codes(verify(forge(path, lines, forged, machine), vendor.roots), 2)
    assert {"wrong-key", "day-unsigned"} & found


def test_heads_left_out_do_not_hide_a_rewritten_day(packed: Packed, closed: Machine, vendor: Vendor) -> None:
    path = packed(full=True)
    lines, heads = lines_of(path), parse_head_lines(members(path)[HEADS])
    n = next(i for i, line in enumerate(lines) if '"k":"use"' in line)
    lines[n] = lines[n].replace('"q":2', '"q":1')
    early = [note for note in heads if read_checkpoint(note).size <= n]
    found = codes(verify(forge(path, lines, early, closed), vendor.roots))
    assert {"day-unsigned", "day-sums", "unsigned-tail"} <= found


def test_two_adjacent_days_cut_out_and_renumbered_are_found(
    packed: Packed, closed: Machine, vendor: Vendor
) -> None:
    path = packed(full=True)
    lines, heads = lines_of(path), parse_head_lines(members(path)[HEADS])
    turns = [n for n, line in enumerate(lines) if line.startswith('{"k":"key"')]
    kept = lines[: turns[0]] + lines[turns[1] :]
    renumbered = [
        line.replace(f'"n":{json.loads(line)["n"]},', f'"n":{n},', 1) for n, line in enumerate(kept)
    ]
    found = codes(verify(forge(path, renumbered, heads, closed), vendor.roots), 2)
    assert {"day", "tree"} <= found


def test_a_tail_that_is_not_signed_is_told(packed: Packed, closed: Machine, vendor: Vendor) -> None:
    path = packed(full=True)
    heads = parse_head_lines(members(path)[HEADS])
    report = verify(forge(path, lines_of(path), heads[:-2], closed), vendor.roots)
    assert codes(report, 2) == {"unsigned"}


def test_another_root_is_named(packed: Packed, tmp_path: Path) -> None:
    other = SigningKey.generate("other.example/root").verifying
    report = verify(packed(), TrustRoots(keys=(other,), sources=(tmp_path,)))
    assert {"root", "license"} <= codes(report, 2)


def test_a_licence_taken_out_of_an_export_is_missed(packed: Packed, closed: Machine, vendor: Vendor) -> None:
    path = packed()
    notes: dict[str, bytes | None] = {
        name: None for name, data in members(path).items() if b"offline-appliance/license/v1" in data
    }
    report = verify(
        rewrite(path, {name: data for name, data in notes.items() if name != "bundle.note"}), vendor.roots
    )
    assert {"member", "license"} <= codes(report, 2)


def test_a_whole_log_taken_out_of_an_export_is_missed(
    closed: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    closed.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":3')")
    run_days(closed, 1, first=3)
    for path in closed.directory.glob("damaged-1.db*"):
        path.unlink()
    report = verify(export(closed, tmp_path / "e.zip"), vendor.roots)
    assert "missing-log" in codes(report, 2)


# -- not detectable from the export alone, and found by what others kept ------------------------------------


def test_an_old_snapshot_looks_clean_until_a_newer_head_is_at_hand(
    closed: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    shutil.copytree(closed.home, tmp_path / "snapshot")
    run_days(closed, 1, first=3)
    snapshot = replace(closed, home=tmp_path / "snapshot")
    path = export(snapshot, tmp_path / "old.zip")
    assert verify(path, vendor.roots).exit_code == 0
    kept = tmp_path / "siem.log"
    line = render_head_lines([(closed.directory / "checkpoint").read_bytes()])
    when = format_time(verify(closed.output, vendor.roots).logs[-1].last).encode()
    kept.write_bytes(b"Sep 24 host appliance[1]: checkpoint of " + when + b": " + line)
    assert "newer" in codes(verify(path, vendor.roots, heads=read_heads(kept)), 0), "it may be an old export"
    snapshot.pass_time(9 * DAY)
    run_days(snapshot, 1, each=1)
    path = export(snapshot, tmp_path / "new.zip")
    assert codes(verify(path, vendor.roots, heads=read_heads(kept)), 2) == {"rollback"}


def test_todays_tail_rewritten_looks_clean_until_a_callers_proof_is_at_hand(
    machine: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    ledger = machine.open()
    record(ledger, 1)
    ledger.checkpoint()
    shutil.copytree(machine.home, tmp_path / "snapshot")
    record(ledger, 2, 3, 4)
    ledger.checkpoint()
    proof = tmp_path / "caller.tlog-proof"
    proof.write_bytes(prove_entry(machine.output, ledger.origin, ledger.size - 1))
    ledger.close()
    shutil.rmtree(machine.home)
    shutil.move(tmp_path / "snapshot", machine.home)
    ledger = machine.open()
    record(ledger, 9, 9, 9, 9, 9)
    ledger.close()
    path = export(machine, tmp_path / "e.zip", full=True)
    assert verify(path, vendor.roots).exit_code == 0
    assert codes(verify(path, vendor.roots, heads=read_heads(proof)), 2) == {"fork"}


def test_one_of_two_copies_that_reports_alone_looks_clean(
    closed: Machine, tmp_path: Path, vendor: Vendor
) -> None:
    shutil.copytree(closed.home, tmp_path / "clone")
    clone = replace(closed, home=tmp_path / "clone")
    closed.pass_time(DAY)
    clone.pass_time(DAY)
    run_days(clone, 1, first=7)
    run_days(closed, 1, first=3)
    assert verify(export(closed, tmp_path / "one.zip"), vendor.roots).exit_code == 0
    assert verify(export(clone, tmp_path / "two.zip"), vendor.roots).exit_code == 0
    heads = read_heads(clone.directory / "checkpoint")
    assert verify(tmp_path / "one.zip", vendor.roots, heads=heads).exit_code == 2
