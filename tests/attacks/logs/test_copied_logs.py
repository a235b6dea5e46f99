"""A usage log lies twice in an output directory: as a backup, or to make the sums others than they are."""

import shutil

import pytest

from appliance.ledger.read.reports import usage_logs
from license.errors import LicenseError
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.customer import Customer
from tests.support.evidence import METER, codes, record
from tests.support.ledger import Machine


@pytest.mark.parametrize("name", ["instance/damaged-1.db", "backup/ledger-1.db"])
def test_a_copy_of_a_log_counts_nothing(customer: Customer, name: str) -> None:
    machine = used(customer.machine, 5)
    copy = machine.directory.parent / name
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(machine.database, copy)
    used(machine, 3)
    (meter,) = usage_logs(machine.output)["meters"]
    assert (meter["name"], meter["quantity"]) == (METER, 16)
    report = verify(machine.output, load_roots(customer.authority.roots_dir))
    assert codes(report) == {"copied"}
    assert report.exit_code == 1
    assert [tally.quantity for tally in report.totals.values()] == [16]


def test_two_histories_of_one_log_are_found_beside_each_other(customer: Customer) -> None:
    machine = used(customer.machine, 5)
    saved = machine.home.with_name("saved")
    shutil.copytree(machine.home, saved)
    used(machine, 3)
    other = machine.directory.with_name("backup") / "ledger-1.db"
    shutil.copy(machine.database, saved)
    shutil.rmtree(machine.home)
    kept = saved / machine.database.name
    shutil.copytree(saved, machine.home)
    used(machine, 6)
    other.parent.mkdir()
    shutil.copy(kept, other)
    report = verify(machine.output, load_roots(customer.authority.roots_dir))
    assert codes(report) >= {"copied", "fork"}
    assert report.exit_code == 2


def test_an_export_names_a_copy_and_what_to_keep(customer: Customer) -> None:
    machine = used(customer.machine, 2)
    shutil.copy(machine.database, machine.directory / "damaged-1.db")
    with pytest.raises(
        LicenseError, match=r"damaged-1.db and ledger-1.db in .* hold the same log"
    ) as refused:
        customer.export()
    assert "ledger-N.db" in refused.value.hint


def used(machine: Machine, times: int) -> Machine:
    ledger = machine.open()
    record(ledger, *range(times))
    ledger.close()
    return machine
