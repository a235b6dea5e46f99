"""The count of the plan after either of its two places was lost, changed or put back."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from appliance.errors import UsageStoreUnavailable
from appliance.ledger.ledger import Ledger
from license.evidence.log.entry import parse
from license.evidence.verify.verify import verify
from tests.support.evidence import METER, codes, export, record
from tests.support.ledger import DAY, Machine, Vendor, wait_until

ZERO = 'UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":0,"b":0\')'
MORE = 'UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":9,"b":9\')'


def sql(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def used(machine: Machine) -> int:
    """Start, ask what the plan counts, and stop."""
    ledger = machine.open()
    try:
        return ledger.used(METER, 0, machine.wall + DAY)
    finally:
        ledger.close()


def forget(machine: Machine) -> None:
    for path in machine.state.glob("usage-*"):
        path.unlink()


@pytest.fixture
def busy(machine: Machine) -> Machine:
    """A machine that used 40 units on each of two days, and stopped."""
    for _ in range(2):
        ledger = machine.open()
        record(ledger, *range(20))
        ledger.close()
        machine.pass_time(DAY)
    return machine


@pytest.mark.parametrize("edit", [ZERO, MORE])
def test_sums_of_a_log_that_was_edited_count_for_nothing(busy: Machine, edit: str) -> None:
    """Set aside because of it: once its sums were read as they stood."""
    busy.sql(edit)
    assert used(busy) == 80
    assert (busy.directory / "damaged-1.db").exists()
    forget(busy)
    assert used(busy) == 80, "the log after it says so, signed"


@pytest.mark.parametrize("edit", [ZERO, MORE])
def test_sums_of_a_log_that_is_edited_once_it_was_set_aside_count_for_nothing(
    busy: Machine, edit: str
) -> None:
    busy.sql("DELETE FROM tile")
    busy.sql("UPDATE tree SET frontier = zeroblob(length(frontier))")
    assert used(busy) == 80
    sql(busy.directory / "damaged-1.db", edit)
    assert used(busy) == 80


def test_without_a_second_copy_what_a_damaged_log_says_is_all_there_is(busy: Machine) -> None:
    """As older software left it; from then on the count is kept twice."""
    forget(busy)
    busy.sql("DELETE FROM checkpoint")
    assert used(busy) == 80
    shutil.rmtree(busy.output)
    busy.output.mkdir()
    assert used(busy) == 80


def test_a_log_that_was_set_aside_whole_still_proves_its_sums(busy: Machine) -> None:
    for path in busy.state.glob("day-*.key"):
        path.unlink()
    assert used(busy) == 80
    with contextlib.closing(sqlite3.connect(busy.directory / "ledger-2.db")) as log:
        texts = log.execute("SELECT text FROM entry").fetchall()
    assert "carry" not in [parse(text).kind for (text,) in texts]


def test_whatever_is_lost_in_turn_the_greater_count_goes_on(busy: Machine) -> None:
    for turn in range(3):
        if turn % 2:
            forget(busy)
        else:
            shutil.rmtree(busy.output)
            busy.output.mkdir()
        ledger = busy.open()
        record(ledger, turn)
        assert ledger.used(METER, 0, busy.wall + DAY) == 80 + 2 * (turn + 1)
        ledger.close()
    forget(busy)
    shutil.rmtree(busy.output)
    busy.output.mkdir()
    assert used(busy) == 0


def test_each_day_is_carried_into_its_own_plan(busy: Machine) -> None:
    shutil.rmtree(busy.output)
    busy.output.mkdir()
    ledger = busy.open()
    assert ledger.used(METER, 0, busy.wall - DAY - busy.wall % DAY) == 40
    ledger.close()


def test_the_count_of_the_last_commit_outlives_the_process(busy: Machine, tmp_path: Path) -> None:
    """Not the last minute's, nor that of an orderly stop: the state directory as it is in between."""
    ledger = busy.open(busy.renew(serial=2, overage="block"))
    record(ledger, *range(10))
    shutil.copytree(busy.state, tmp_path / "state")
    ledger.close()
    busy.licensed = busy.renew(serial=2, overage="block")
    busy.state = tmp_path / "state"
    busy.state.chmod(0o700)
    shutil.rmtree(busy.output)
    busy.output.mkdir()
    assert used(busy) == 100


def test_what_is_carried_is_told_by_a_clean_log_and_counted_in_no_sum(
    busy: Machine, vendor: Vendor, tmp_path: Path
) -> None:
    shutil.rmtree(busy.output)
    busy.output.mkdir()
    ledger = busy.open()
    record(ledger, 1)
    ledger.close()
    busy.pass_time(DAY)
    used(busy)
    for source in (
        busy.output,
        export(busy, tmp_path / "summary.zip"),
        export(busy, tmp_path / "full.zip", full=True),
    ):
        report = verify(source, vendor.roots)
        carried = [finding.message for finding in report.findings if finding.code == "carried"]
        assert [message.partition(",")[0] for message in carried] == [f"40 units of {METER}"] * 2
        assert codes(report) <= {"recovered", "missing-log"}
        assert sum(tally.billed for tally in report.totals.values()) == 2


def test_an_edited_carry_entry_is_not_gone_on_with(busy: Machine) -> None:
    shutil.rmtree(busy.output)
    busy.output.mkdir()
    assert used(busy) == 80
    sql(busy.directory / "ledger-2.db", "UPDATE entry SET text = replace(text, ',40]', ',10]')")
    assert used(busy) == 80
    assert (busy.directory / "damaged-2.db").exists()


def commit_fails(ledger: Ledger) -> bool:
    try:
        record(ledger, 1)
    except UsageStoreUnavailable:
        return True
    return False


def test_a_plan_that_blocks_answers_nothing_that_is_not_counted_twice(machine: Machine) -> None:
    machine.licensed = machine.vendor.license(machine.identity.verifying.vkey, overage="block")
    ledger = machine.open()
    in_the_way = machine.state / "usage-customner.today"
    in_the_way.mkdir()
    assert commit_fails(ledger)
    assert not ledger.healthy
    in_the_way.rmdir()
    wait_until(lambda: not commit_fails(ledger))
    ledger.close()


def test_a_plan_that_records_goes_on_without_the_second_count(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    (machine.state / "usage-customner").mkdir()
    ledger = machine.open()
    assert not commit_fails(ledger)
    assert caplog.text.count("the count of usage cannot be kept") == 1
    ledger.close()
