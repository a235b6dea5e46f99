"""Logs of other installations in the same output directory, and what they prove."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.evidence import METER, record
from tests.support.ledger import DAY, Machine, Vendor

ZERO = 'UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":0,"b":0\')'
MORE = 'UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":9,"b":9\')'


def sql(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.fixture
def beside(tmp_path: Path, vendor: Vendor) -> Callable[..., Machine]:
    """Make a machine whose ledger lies beside those of others."""

    def make(name: str, **terms: Any) -> Machine:
        made = Machine(tmp_path / name, vendor)
        made.output = tmp_path / "shared"
        made.directory = made.output / "customner" / made.identity.verifying.fingerprint
        made.directory.parent.mkdir(parents=True, exist_ok=True)
        made.licensed = vendor.license(made.identity.verifying.vkey, **({"overage": "block"} | terms))
        return made

    return make


def run(machine: Machine, uses: int) -> int:
    ledger = machine.open()
    record(ledger, *range(uses))
    total = ledger.used(METER, 0, machine.wall + DAY)
    ledger.close()
    return total


def test_a_fresh_state_goes_on_from_the_logs_that_lie_there(beside: Callable[..., Machine]) -> None:
    assert run(beside("first"), 20) == 40
    second = beside("second")
    assert run(second, 5) == 50
    assert run(second, 0) == 50
    shutil.rmtree(beside("third").directory.parent / second.identity.verifying.fingerprint)
    assert run(beside("fourth"), 0) == 40


def test_what_one_of_them_knew_outlives_the_others(beside: Callable[..., Machine]) -> None:
    first, second = beside("first"), beside("second")
    run(first, 20)
    run(second, 5)
    shutil.rmtree(first.directory)
    assert run(beside("third"), 0) == 50


def test_a_machine_that_comes_back_does_not_count_its_own_usage_twice(
    beside: Callable[..., Machine],
) -> None:
    first, second = beside("first"), beside("second")
    run(first, 20)
    run(second, 5)
    assert run(first, 0) == 50
    assert run(second, 0) == 50


def test_other_resources_and_plans_that_record_are_left_alone(beside: Callable[..., Machine]) -> None:
    run(beside("first"), 20)
    assert run(beside("stranger", subscription="sub-2"), 1) == 2
    assert run(beside("recording", overage="record"), 1) == 2


@pytest.mark.parametrize("edit", [ZERO, MORE, "DELETE FROM checkpoint"])
def test_a_log_beside_it_that_does_not_prove_its_sums_counts_for_nothing_and_is_named(
    beside: Callable[..., Machine], edit: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = beside("first")
    run(first, 20)
    sql(first.directory / "ledger-1.db", edit)
    assert run(beside("second"), 1) == 2
    assert f"{first.directory / 'ledger-1.db'} is not what was signed" in caplog.text


def test_a_licence_that_begins_to_block_counts_them_at_once(beside: Callable[..., Machine]) -> None:
    run(beside("first"), 20)
    second = beside("second", overage="record")
    ledger = second.open()
    assert ledger.used(METER, 0, second.wall + DAY) == 0
    ledger.change_license(second.vendor.license(second.identity.verifying.vkey, serial=2, overage="block"))
    assert ledger.used(METER, 0, second.wall + DAY) == 40
    ledger.close()


def test_backups_beside_a_log_count_nothing_twice(beside: Callable[..., Machine]) -> None:
    """Nor for others: of copies of one log, each entry was used once."""
    first = beside("first")
    run(first, 20)
    for name in ("backup", "older"):
        shutil.copytree(first.directory, first.directory.parent / name)
    assert run(first, 5) == 50
    second = beside("second")
    assert run(second, 1) == 52
    assert (run(first, 0), run(second, 0)) == (52, 52)


def test_a_log_that_was_moved_aside_is_known_all_the_same(beside: Callable[..., Machine]) -> None:
    first = beside("first")
    run(first, 20)
    first.directory.rename(first.directory.parent / "aside")
    for path in first.state.iterdir():
        path.unlink()
    assert run(first, 5) == 50


def test_a_backup_of_a_file_beside_the_log_that_followed_it_counts_once(
    beside: Callable[..., Machine],
) -> None:
    first = beside("first")
    run(first, 20)
    for path in first.state.glob("day-*.key"):
        path.unlink()  # so that the log is set aside, whole as it is
    assert run(first, 1) == 42
    shutil.copyfile(first.directory / "damaged-1.db", first.directory / "ledger-1.db")
    assert run(first, 0) == 42
