"""Closed months may go once a receipt covers them; what is left proves as much as before."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import LedgerLocked
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.read.fork_check import LedgerMismatch, check_heads, compare_heads
from appliance.ledger.read.inclusion_proof import NoProof, prove_entry
from appliance.ledger.transfer.receipts import OtherHistory, keep_receipt
from appliance.ledger.transfer.retention import plan_pruning, prune
from license.authority.authority import Authority
from license.authority.ingest import ingest_bundle
from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError
from license.evidence.log.proof import InclusionProof
from license.evidence.verify.verify import verify
from license.trust.roots import TrustRoots
from tests.support.customer import Customer
from tests.support.evidence import METER, codes
from tests.support.ledger import DAY, Machine, Vendor


async def commit(ledger: Ledger, uses: list[UsageRecord]) -> None:
    await asyncio.gather(*(ledger.commit([use]) for use in uses))


def busy_days(machine: Machine, days: int, each: int, *, first: int = 0) -> None:
    for day in range(first, first + days):
        ledger = machine.open()

        names = [f"d{day}r{i}" for i in range(each)]
        asyncio.run(
            commit(ledger, [UsageRecord(meter=METER, quantity=1, billed=1, request_id=n) for n in names])
        )
        ledger.close()
        machine.pass_time(DAY)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Iterator[Customer]:
    """Twelve days over the turn of a month, exported, accepted, and the receipt brought back."""
    place = tmp_path_factory.mktemp("retention")
    machine = Machine(place / "machine", vendor)
    authority = Authority.create(place / "authority", clock=lambda: machine.wall)
    resource = authority.create_resource(
        "acme", customer="Acme Ltd", meters={METER: 50}, period=("2026-01-01", "2028-01-01")
    ).resource
    customer = Customer(authority, resource, machine, place)
    machine.licensed = customer.license()
    busy_days(machine, 14, 120)
    save(customer, place / "receipt")
    with authority:
        yield customer


def save(customer: Customer, delivery: Path) -> None:
    done = customer.ingest()
    assert done.receipt, done.report.findings
    delivery.mkdir()
    keyring = customer.authority.keyring
    files = {"receipt": done.receipt, "issuer": keyring.issuer_note, "witness": keyring.witness_note}
    for name, note in files.items():
        (delivery / f"{name}.note").write_bytes(note)


@pytest.fixture
def customer(made: Customer, tmp_path: Path) -> Customer:
    shutil.copytree(made.machine.home, tmp_path / "machine")
    machine = replace(made.machine, home=tmp_path / "machine")
    machine.licensed = made.machine.licensed
    return replace(made, machine=machine, place=tmp_path)


@pytest.fixture
def roots(made: Customer) -> TrustRoots:
    return made.authority.keyring.roots


def test_nothing_is_pruned_without_a_receipt(customer: Customer, roots: TrustRoots) -> None:
    (planned,) = plan_pruning(customer.machine.output, roots)
    assert planned.reason == "no receipt covers it"


def test_a_receipt_by_a_stranger_is_not_kept(customer: Customer, made: Customer, vendor: Vendor) -> None:
    with pytest.raises(LicenseError):
        keep_receipt(customer.machine.output, made.place / "receipt", vendor.roots)


def test_after_pruning_everything_else_verifies_as_before(
    customer: Customer, made: Customer, roots: TrustRoots
) -> None:
    machine, delivery = customer.machine, made.place / "receipt"
    before = verify(machine.output, roots)
    keep_receipt(machine.output, delivery, roots)
    (planned,) = plan_pruning(machine.output, roots)
    assert planned.through == "2026-09"
    assert planned.entries > 1000
    size = machine.database.stat().st_size
    prune(planned)
    assert machine.database.stat().st_size < size * 0.7
    after = verify(machine.output, roots)
    assert after.exit_code == before.exit_code == 0, after.findings
    assert (after.totals, after.logs[0].days) == (before.totals, before.logs[0].days)
    assert after.logs[0].hidden == planned.entries
    assert after.logs[0].witnessed == 1
    # The service goes on with it, and exports of it are clean, in full too.
    busy_days(machine, 2, 5, first=14)
    assert verify(machine.output, roots).exit_code == 0
    assert "recover" not in machine.kinds()
    for full in (False, True):
        report = verify(customer.export(full=full), roots)
        assert report.exit_code == 0, report.findings
    looked_at = ingest_bundle(customer.authority, customer.export(), keep=False)
    assert looked_at.report.exit_code == 0
    # Of a summary only what is still there is asked for: not what the receipt covers.
    assert looked_at.demand is not None
    assert looked_at.openings == b""
    covered = customer.sizes()[0]
    assert all(stretch.stop > covered for log in looked_at.demand.openings.logs for stretch in log.stretches)
    assert looked_at.demand.hidden == 10


def test_nothing_that_a_receipt_covers_is_asked_for(
    customer: Customer, made: Customer, roots: TrustRoots
) -> None:
    machine = customer.machine
    keep_receipt(machine.output, made.place / "receipt", roots)
    (planned,) = plan_pruning(machine.output, roots)
    prune(planned)
    again = customer.ask()
    assert (again.report.exit_code, again.demand, len(again.accepted)) == (0, None, 1)


def test_proofs_of_what_is_left_hold_after_pruning(
    customer: Customer, made: Customer, roots: TrustRoots
) -> None:
    machine = customer.machine
    keep_receipt(machine.output, made.place / "receipt", roots)
    (planned,) = plan_pruning(machine.output, roots)
    prune(planned)
    turns = [n for n, text in machine.sql("SELECT n, text FROM entry WHERE kind = 'key'")]
    keys = [
        VerifyingKey.from_vkey(str(text).partition('"vk":"')[2].partition('"')[0])
        for (text,) in machine.sql("SELECT text FROM entry WHERE kind IN ('open', 'key')")
    ]
    for n in (int(str(turn)) for turn in turns):
        proof = InclusionProof.from_bytes(prove_entry(machine.output, planned.origin, n))
        assert proof.extra is not None
        proof.open(proof.extra.decode(), keys)
    gone = next(n for n in range(planned.stop) if not machine.sql("SELECT 1 FROM entry WHERE n = ?", n))
    with pytest.raises(NoProof):
        prove_entry(machine.output, planned.origin, gone)


def test_entries_that_vanish_without_a_receipt_are_missing(customer: Customer, roots: TrustRoots) -> None:
    machine = customer.machine
    machine.sql(
        "INSERT INTO tile (level, idx, root) SELECT 0, n, leaf FROM entry WHERE kind = 'use' AND n < 500"
    )
    machine.sql("DELETE FROM entry WHERE kind = 'use' AND n < 500")
    assert "missing" in codes(verify(machine.output, roots), 2)


def test_entries_beyond_the_receipt_may_not_vanish(
    customer: Customer, made: Customer, roots: TrustRoots
) -> None:
    machine = customer.machine
    keep_receipt(machine.output, made.place / "receipt", roots)
    busy_days(machine, 1, 20, first=14)
    last = max(int(str(n)) for (n,) in machine.sql("SELECT n FROM entry WHERE kind = 'use'"))
    machine.sql("INSERT INTO tile (level, idx, root) SELECT 0, n, leaf FROM entry WHERE n = ?", last)
    machine.sql("DELETE FROM entry WHERE n = ?", last)
    assert ("missing", last) in {(f.code, f.index) for f in verify(machine.output, roots).findings}


def test_a_running_service_is_not_pruned(customer: Customer, made: Customer, roots: TrustRoots) -> None:
    keep_receipt(customer.machine.output, made.place / "receipt", roots)
    (planned,) = plan_pruning(customer.machine.output, roots)
    ledger = customer.machine.open()
    try:
        with pytest.raises(LedgerLocked):
            prune(planned)
    finally:
        ledger.close()


def test_a_broken_log_is_left_as_it_is(customer: Customer, made: Customer, roots: TrustRoots) -> None:
    keep_receipt(customer.machine.output, made.place / "receipt", roots)
    customer.machine.sql("UPDATE entry SET text = replace(text, '\"q\":1', '\"q\":2') WHERE n = 20")
    (planned,) = plan_pruning(customer.machine.output, roots)
    assert planned.reason.startswith("the log is broken (changed")


def test_the_receipt_of_another_history_is_refused(
    customer: Customer, made: Customer, roots: TrustRoots
) -> None:
    customer.machine.sql("DELETE FROM entry WHERE n > 900")
    with pytest.raises(OtherHistory):
        keep_receipt(customer.machine.output, made.place / "receipt", roots)


def test_a_licence_with_heads_tells_a_restored_machine(
    made: Customer, customer: Customer, tmp_path: Path
) -> None:
    licensed = customer.license(on_fork="refuse").license
    instance = licensed.ledger.logs[0].origin.split("/")[2]
    directory = customer.machine.directory
    assert compare_heads(directory, licensed, instance=instance) == []
    assert compare_heads(directory, licensed, instance="0" * 12) == []
    customer.machine.sql("DELETE FROM entry WHERE n > 900")
    (found,) = compare_heads(directory, licensed, instance=instance)
    assert "only 901 are here" in found.message
    with pytest.raises(LedgerMismatch):
        check_heads(directory, licensed, instance=instance)
    (gone,) = compare_heads(tmp_path / "nothing", licensed, instance=instance)
    assert "not here" in gone.message
    flagged = customer.license().license
    assert check_heads(directory, flagged, instance=instance) == [found]


def test_a_rewritten_history_is_not_the_accepted_one(customer: Customer, made: Customer) -> None:
    licensed = customer.license().license
    instance = licensed.ledger.logs[0].origin.split("/")[2]
    customer.machine.sql("UPDATE entry SET leaf = zeroblob(32) WHERE n = 3")
    customer.machine.sql("DELETE FROM tile")
    (found,) = compare_heads(customer.machine.directory, licensed, instance=instance)
    assert found.origin == licensed.ledger.logs[0].origin


def test_a_start_under_a_licence_with_heads_goes_on_in_a_successor_of_a_restored_log(
    customer: Customer, made: Customer, roots: TrustRoots
) -> None:
    machine = customer.machine
    renewed = customer.license()
    busy = [path for path in machine.directory.iterdir() if path.name.startswith("ledger-1")]
    assert busy
    machine.sql("DELETE FROM entry WHERE n > 900")
    machine.licensed = renewed
    ledger = machine.open()
    ledger.close()
    assert ledger.origin.endswith("/2")
    report = verify(machine.output, roots)
    assert "recovered" in codes(report)
    assert ("rollback", 2) in {(finding.code, int(finding.severity)) for finding in report.findings}
