"""The vendor takes exports in: cosigns what holds, refuses what is old, and finds what is missing."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import UsageStoreUnavailable
from license.authority.authority import Authority
from license.authority.book.heads import HeadRepository
from license.authority.book.metering import MeterRepository, usage_of
from license.authority.ingest import ingest_bundle
from license.errors import AuthorityError
from license.evidence.bundle.receipt import open_receipt
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.cosignature import check_cosignature
from license.evidence.log.merkle import consistency_path, leaf_hash, root_at
from license.evidence.verify.verify import verify
from license.metering_protocol import UsageRecord, UsageReport, sign_report
from license.trust.delegations import DelegationSet
from tests.support.customer import Customer
from tests.support.evidence import METER, codes, export, run_days, subtrees_of
from tests.support.ledger import DAY, NOON, Machine, Vendor, wait_until


def test_a_sound_export_is_cosigned_and_receipted(customer: Customer) -> None:
    run_days(customer.machine, 2)
    done = customer.ingest()
    assert done.report.exit_code == 0, done.report.findings
    (head,) = done.accepted
    witness = customer.authority.keyring.witness.verifying
    note = done.checkpoints[head.origin]
    assert check_cosignature(head.cosig, read_checkpoint(note), witness) == customer.machine.wall
    ring = customer.authority.keyring
    receipt = open_receipt(done.receipt, DelegationSet([ring.issuer_note], roots=ring.roots))
    assert receipt.logs == done.accepted
    assert receipt.totals == {("2026-09", METER): (20, 40, 40)}
    assert [(account.used.billed, account.included, account.over) for account in done.accounts] == [
        (40, 50, 0)
    ]


def test_usage_beyond_the_plan_is_told(customer: Customer) -> None:
    run_days(customer.machine, 3)
    assert [(account.over, account.percent) for account in customer.ingest().accounts] == [(10, 120)]


@pytest.mark.parametrize(("overage", "found"), [("block", True), ("record", False)])
def test_usage_beyond_a_plan_that_blocks_is_a_finding(customer: Customer, overage: str, found: bool) -> None:
    """Machines that share a plan each know their own usage alone."""
    customer.resource = customer.authority.create_resource(
        "shared",
        customer="Acme Ltd",
        meters={METER: 50},
        period=("2026-01-01", "2028-01-01"),
        overage=overage,
    ).resource
    customer.machine.licensed = customer.license()
    run_days(customer.machine, 2)
    assert "plan-exceeded" not in codes(customer.ingest().report)
    run_days(customer.machine, 1, first=2)
    done = customer.ingest()
    assert ("plan-exceeded" in codes(done.report)) == found
    assert done.report.exit_code == int(found)
    assert done.accepted, "the usage is taken in all the same"


@pytest.mark.parametrize("full", [False, True])
def test_a_second_export_extends_the_first(customer: Customer, full: bool) -> None:
    run_days(customer.machine, 2)
    customer.ingest()
    run_days(customer.machine, 2, first=2)
    done = customer.ingest(customer.export(full=full))
    assert done.report.exit_code == 0, done.report.findings
    assert customer.sizes() == [done.report.logs[0].size]


def test_the_same_export_twice_changes_nothing(customer: Customer) -> None:
    run_days(customer.machine, 1)
    path = customer.export()
    assert customer.ingest(path).report.exit_code == customer.ingest(path).report.exit_code == 0


def test_an_old_export_is_refused_and_changes_nothing(customer: Customer) -> None:
    run_days(customer.machine, 1)
    old = customer.export()
    run_days(customer.machine, 1, first=1)
    customer.ingest()
    before = customer.sizes()
    with pytest.raises(AuthorityError) as refused:
        customer.ingest(old)
    assert refused.value.code == "OldExport"
    assert customer.sizes() == before


def test_a_restored_snapshot_that_went_on_is_a_fork(customer: Customer) -> None:
    run_days(customer.machine, 1)
    shutil.copytree(customer.machine.home, customer.place / "snapshot")
    run_days(customer.machine, 1, first=1)
    customer.ingest()
    before = customer.sizes()
    restored = replace(customer.machine, home=customer.place / "snapshot")
    run_days(restored, 3, first=7)
    done = customer.ingest(customer.export(machine=restored, full=True))
    assert codes(done.report, 2) & {"fork", "checkpoint"}
    assert (done.accepted, done.receipt, customer.sizes()) == ((), b"", before)


def test_a_restored_log_is_succeeded_when_a_licence_with_heads_comes_while_it_runs(
    customer: Customer,
) -> None:
    machine = customer.machine
    run_days(machine, 1)
    shutil.copytree(machine.home, customer.place / "snapshot")
    run_days(machine, 1, first=1)
    customer.ingest()
    renewed = customer.license()
    assert renewed.license.ledger.logs
    restored = replace(machine, home=customer.place / "snapshot")
    ledger = restored.open(machine.licensed)
    assert ledger.origin.endswith("/1"), "nothing here tells that it is an older one"
    with pytest.raises(UsageStoreUnavailable):
        ledger.change_license(renewed)
    wait_until(lambda: ledger.healthy)
    assert ledger.origin.endswith("/2")
    ledger.change_license(renewed)
    assert ledger.highest_serial == renewed.license.serial
    ledger.close()
    report = verify(restored.output, customer.authority.keyring.roots)
    assert codes(report, 2) == {"rollback"}


def test_a_clone_that_reports_as_well_is_a_fork(customer: Customer) -> None:
    run_days(customer.machine, 1)
    shutil.copytree(customer.machine.home, customer.place / "clone")
    clone = replace(customer.machine, home=customer.place / "clone")
    run_days(customer.machine, 1, first=1)
    run_days(clone, 2, first=5)
    customer.ingest()
    done = customer.ingest(customer.export(machine=clone, full=True))
    assert done.report.exit_code == 2
    assert not done.accepted


def test_a_log_begun_anew_under_the_old_name_is_found(customer: Customer) -> None:
    run_days(customer.machine, 1)
    customer.ingest()
    # Everything is lost: the machine begins its ledger anew.
    shutil.rmtree(customer.machine.output)
    for path in customer.machine.state.iterdir():
        path.unlink()
    run_days(customer.machine, 1, first=1)
    done = customer.ingest()
    assert codes(done.report, 2) & {"fork", "checkpoint"}
    assert not done.accepted


def test_a_predecessor_left_out_is_missed(customer: Customer) -> None:
    run_days(customer.machine, 1)
    customer.ingest()
    customer.machine.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":3')")
    run_days(customer.machine, 1, first=1)
    for path in customer.machine.directory.glob("damaged-1.db*"):
        path.unlink()
    done = customer.ingest()
    assert ("missing-log", 2) in {(f.code, int(f.severity)) for f in done.report.findings}
    assert not done.accepted


def test_a_replica_that_falls_silent_is_noticed(customer: Customer, vendor: Vendor) -> None:
    run_days(customer.machine, 1)
    customer.ingest()
    other = Machine(customer.place / "other", vendor)
    other.wall = customer.machine.wall = NOON + 150 * DAY
    second = replace(customer, machine=other)
    other.licensed = second.license()
    run_days(other, 1)
    customer.machine.wall = other.wall
    assert "not-reported" in codes(second.ingest().report)


def test_more_logs_than_the_licence_allows_are_told(customer: Customer, vendor: Vendor) -> None:
    run_days(customer.machine, 1)
    customer.ingest()
    other = Machine(customer.place / "other", vendor, wall=customer.machine.wall)
    second = replace(customer, machine=other)
    other.licensed = second.license(max_logs=1)
    run_days(other, 1)
    assert "too-many-logs" in codes(second.ingest().report)


def test_an_export_of_a_stranger_is_refused(customer: Customer, tmp_path: Path, three_days: Machine) -> None:
    with pytest.raises(AuthorityError) as refused:
        customer.ingest(export(three_days, tmp_path / "stranger.zip"))
    assert refused.value.code == "UnknownCustomer"


def test_a_licence_of_another_resource_slipped_into_a_log_pays_for_nothing(customer: Customer) -> None:
    first, machine = customer.resource, customer.machine
    run_days(machine, 1)
    customer.resource = customer.authority.create_resource(
        "another", customer="Acme Ltd", meters={METER: 10**9}, period=("2026-01-01", "2028-01-01")
    ).resource
    other = [customer.license() for _ in range(3)][-1]  # it has the higher serial
    statement = "INSERT INTO note (sha256, note) VALUES (?, ?)"
    machine.sql(statement, hashlib.sha256(other.note).hexdigest(), other.note)
    for full in (False, True):
        done = customer.ingest(customer.export(full=full))
        assert (done.resource.name, len(done.accepted), codes(done.report)) == (first.name, 1, set())


def test_usage_under_licences_of_two_resources_is_told(customer: Customer) -> None:
    run_days(customer.machine, 1)
    customer.resource = customer.authority.create_resource(
        "another", customer="Acme Ltd", meters={METER: 10**9}, period=("2026-01-01", "2028-01-01")
    ).resource
    customer.machine.licensed = [customer.license() for _ in range(3)][-1]
    run_days(customer.machine, 1, first=1)
    done = customer.ask(customer.export(full=True))
    assert (done.resource.name, codes(done.report)) == ("another", {"two-resources"})


def test_a_looked_at_export_is_not_cosigned(customer: Customer) -> None:
    run_days(customer.machine, 1)
    done = ingest_bundle(customer.authority, customer.export(), keep=False)
    assert (done.accepted, done.receipt, done.checkpoints, customer.sizes()) == ((), b"", {}, [])


def test_two_who_accept_at_once_do_not_both_move_the_row(customer: Customer) -> None:
    run_days(customer.machine, 1)
    customer.ingest()
    book = HeadRepository(customer.authority.store.engine)
    (log,) = book.logs("acme")
    book.advance([log], {log.head.origin: log.head.size})
    with pytest.raises(AuthorityError):
        book.advance([log], {log.head.origin: log.head.size - 1})
    with pytest.raises(AuthorityError):
        book.advance([log], {})


def test_the_next_licence_carries_the_heads_and_the_verifier_compares_them(customer: Customer) -> None:
    run_days(customer.machine, 1)
    accepted = customer.ingest().accepted
    renewed = customer.license(days=30, on_fork="refuse")
    assert renewed.license.ledger.logs == accepted
    assert renewed.license.ledger.on_fork == "refuse"
    customer.machine.licensed = renewed
    run_days(customer.machine, 1, first=1)
    for full in (False, True):
        report = verify(customer.export(full=full), customer.authority.keyring.roots)
        assert report.exit_code == 0, report.findings
        assert report.logs[0].witnessed == 1


def test_a_bearer_licence_with_model_keys_stays_at_home_and_the_vendor_knows_it(
    tmp_path: Path, vendor: Vendor
) -> None:
    machine = Machine(tmp_path / "machine", vendor)
    authority = Authority.create(tmp_path / "authority", clock=lambda: machine.wall)
    authority.create_line("ner-en/1")
    resource = authority.create_resource(
        "acme", customer="Acme Ltd", binding="any", models=["ner-en/1"], period=("2026-01-01", "2028-01-01")
    ).resource
    customer = Customer(authority, resource, machine, tmp_path)
    with authority:
        machine.licensed = customer.license()
        secret = machine.licensed.license.models[0].key
        run_days(machine, 1)
        path = customer.export(full=True)
        import zipfile

        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                assert secret not in archive.read(name)
                assert b'"enc": "plain"' not in archive.read(name)
        report = verify(path, authority.keyring.roots)
        assert codes(report) == {"license-withheld"}
        assert verify(path, authority.keyring.roots, notes=[machine.licensed.note]).exit_code == 0
        done = customer.ingest(path)
        assert done.report.exit_code == 0, done.report.findings
        assert done.accepted


def reported(customer: Customer, *, first: int, after: int, quantity: int) -> int:
    """Report a run of the machine's log as a connected appliance would, quantity on the first day."""
    origin = str(customer.machine.sql("SELECT origin FROM tree")[0][0])
    book = MeterRepository(customer.authority.store.engine)
    instance, vkey = origin.split("/")[2], customer.machine.identity.verifying.vkey
    now = customer.machine.wall
    book.meet(customer.resource.name, instance=instance, vkey=vkey, software="test", now=now)
    record = UsageRecord(meter=METER, entries=quantity // 2, quantity=quantity, billed=quantity, at=NOON)
    found = UsageReport(log=origin, first=first, next=after, software="0.1.0", records=(record,))
    texts = customer.machine.texts() + [f"later {n}" for n in range(after)]
    subtree = subtrees_of([leaf_hash(text.encode()) for text in texts])
    signed = sign_report(
        found,
        root=root_at(after, subtree),
        growth=consistency_path(first, after, subtree),
        key=customer.machine.identity,
    )
    return book.accept(customer.resource.name, signed, now=now)


def billed(customer: Customer) -> int:
    usage = usage_of(customer.authority.store.engine, customer.resource.name)
    return sum(tally.billed for log in usage for tally in log.days.values())


def test_usage_that_came_connected_and_by_export_is_counted_once(customer: Customer) -> None:
    run_days(customer.machine, 1)
    size = len(customer.machine.texts())
    assert reported(customer, first=0, after=size, quantity=20) == size
    done = customer.ingest()
    assert done.report.exit_code == 0, done.report.findings
    assert [account.used.billed for account in done.accounts] == [20]
    assert billed(customer) == 20


def test_an_export_that_reaches_further_takes_over_and_reports_go_on_from_it(customer: Customer) -> None:
    run_days(customer.machine, 1)
    assert reported(customer, first=0, after=8, quantity=10) == 8
    customer.ingest()
    size = customer.sizes()[0]
    assert billed(customer) == 20
    # The appliance goes on from where it was acknowledged, and is told that more is counted already.
    assert reported(customer, first=8, after=size + 5, quantity=18) == size
    assert billed(customer) == 20
    assert reported(customer, first=size, after=size + 5, quantity=8) == size + 5
    assert billed(customer) == 28


def test_reports_that_reach_further_than_an_export_stand(customer: Customer) -> None:
    run_days(customer.machine, 1)
    path = customer.export()
    size = len(customer.machine.texts())
    assert reported(customer, first=0, after=size + 30, quantity=44) == size + 30
    done = customer.ingest(path)
    assert done.report.exit_code == 0
    assert [account.used.billed for account in done.accounts] == [44]
    assert billed(customer) == 44


def test_an_export_that_contradicts_the_reports_is_a_finding(customer: Customer) -> None:
    run_days(customer.machine, 1)
    reported(customer, first=0, after=len(customer.machine.texts()), quantity=26)
    done = customer.ingest()
    assert "metered-differs" in codes(done.report)
