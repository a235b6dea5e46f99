"""Evidence of different age, each pair in both orders: what is newer is no verdict on what is older.

What a log had at a time that an export made later does not show stays a rollback.
"""

import io
import json
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.ledger.read.inclusion_proof import prove_entry
from license.evidence.tool.command import main
from tests.support.customer import Customer
from tests.support.evidence import export, record, run_days
from tests.support.ledger import DAY, Machine

Ages = tuple[dict[str, Path], dict[str, Path]]
"""What was kept of a log before, and after it went on over two midnights."""


def audited(customer: Customer, path: Path, *more: object) -> tuple[int, set[str]]:
    """Run the auditor's command; returns exit status and codes."""
    out = io.StringIO()
    words = [path, "--roots", customer.authority.roots_dir, "--json", *more]
    status = main([str(word) for word in words], out=out)
    return status, {finding["code"] for finding in json.loads(out.getvalue())["findings"]}


class Journal(logging.Handler):
    """What a collector keeps of a service's journal."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, line: logging.LogRecord) -> None:
        self.lines.append(f"Nov 21 10:00:00 host appliance[1]: {line.getMessage()}\n")


@pytest.fixture
def journal() -> Iterator[Journal]:
    logger, handler = logging.getLogger("appliance.usage"), Journal()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


def taken(customer: Customer, journal: Journal, name: str) -> dict[str, Path]:
    """Everything that somebody may keep of a log as it is now."""
    machine, folder = customer.machine, customer.place / name
    folder.mkdir()
    kept = {kind: folder / kind for kind in ("summary", "full", "checkpoint", "siem.log", "proof")}
    export(machine, kept["summary"])
    export(machine, kept["full"], full=True)
    shutil.copy(machine.directory / "checkpoint", kept["checkpoint"])
    kept["siem.log"].write_text("".join(journal.lines))
    shutil.copytree(machine.home, folder / "home")
    kept["output"] = folder / "home" / "output"
    ledger = machine.open()
    kept["proof"].write_bytes(prove_entry(machine.output, ledger.origin, 5))
    ledger.close()
    return kept


@pytest.fixture
def ages(customer: Customer, journal: Journal) -> Ages:
    run_days(customer.machine, 2)
    before = taken(customer, journal, "before")
    run_days(customer.machine, 2, first=2)
    return before, taken(customer, journal, "after")


def restored(machine: Machine, home: Path) -> Machine:
    """The machine as a copy of its directories has it, under the licence that it had."""
    copy = replace(machine, home=home)
    copy.licensed = machine.licensed
    return copy


def test_what_was_kept_later_is_newer_than_an_export(customer: Customer, ages: Ages) -> None:
    before, after = ages
    for form in ("summary", "full"):
        for kind, path in after.items():
            status, codes = audited(customer, before[form], "--heads", path)
            assert (status, "newer" in codes, "rollback" in codes) == (0, True, False), (form, kind, codes)


def test_what_was_kept_earlier_is_compared_with_a_later_export_or_the_log(
    customer: Customer, ages: Ages
) -> None:
    before, after = ages
    for form in ("summary", "full", "output"):
        for kind, path in before.items():
            status, codes = audited(customer, after[form], "--heads", path)
            assert (status, "newer" in codes) == (0, False), (form, kind, codes)


def test_everything_of_one_age_agrees(customer: Customer, ages: Ages) -> None:
    _, after = ages
    heads: list[object] = []
    for kind in ("summary", "full", "checkpoint", "siem.log"):
        heads += ["--heads", after[kind]]
    for form in ("summary", "full"):
        assert audited(customer, after[form], *heads)[0] == 0


@pytest.fixture
def put_back(customer: Customer, ages: Ages) -> dict[str, Path]:
    """The log of before went on on its own, on a day after everything else, and is shorter."""
    folder = ages[0]["output"].parent
    machine = restored(customer.machine, folder)
    machine.pass_time(9 * DAY)
    run_days(machine, 1, each=1)
    return {
        "summary": export(machine, folder / "summary"),
        "full": export(machine, folder / "full", full=True),
        "output": machine.output,
    }


def test_a_log_that_was_put_back_and_went_on_is_a_rollback(
    customer: Customer, ages: Ages, put_back: dict[str, Path]
) -> None:
    for form, path in put_back.items():
        for kind in ("summary", "full", "siem.log", "output"):
            status, codes = audited(customer, path, "--heads", ages[1][kind])
            assert status == 2, (form, kind)
            assert codes & {"rollback", "fork", "checkpoint"}, (form, kind, codes)


def test_a_directory_that_is_behind_a_head_is_a_rollback_whatever_its_age(
    customer: Customer, ages: Ages
) -> None:
    before, after = ages
    for kind in ("summary", "siem.log", "proof", "output"):
        status, codes = audited(customer, before["output"], "--heads", after[kind])
        assert (status, "rollback" in codes) == (2, True), kind


@pytest.mark.parametrize("kind", ["receipt", "licence"])
def test_heads_that_the_vendor_cosigned_later_are_newer_than_an_export(
    customer: Customer, journal: Journal, kind: str
) -> None:
    run_days(customer.machine, 2)
    old = customer.export(full=True)
    shutil.copytree(customer.machine.home, customer.place / "restored")
    run_days(customer.machine, 2, first=2)
    now = customer.authority.clock()
    receipt = customer.ingest()
    notes = customer.place / "notes"
    notes.mkdir()
    (notes / "issuer.note").write_bytes(customer.authority.keyring.issuer_note)
    (notes / "witness.note").write_bytes(customer.authority.keyring.witness_note)
    brought = receipt.receipt if kind == "receipt" else customer.license().note
    (notes / "brought.note").write_bytes(brought)
    status, codes = audited(customer, old, "--notes", notes)
    assert (status, "newer" in codes, "rollback" in codes) == (0, True, False), codes
    status, codes = audited(customer, customer.export(), "--notes", notes)
    assert (status, "newer" in codes) == (0, False), codes
    # A log put back that went on past the day of the cosignature had those entries once.
    machine = restored(customer.machine, customer.place / "restored")
    machine.pass_time(max(0, now - machine.wall) + 3 * DAY)
    run_days(machine, 1, each=1)
    status, codes = audited(customer, export(machine, customer.place / "e.zip"), "--notes", notes)
    assert (status, "rollback" in codes) == (2, True), codes


def test_a_log_that_began_after_an_export_is_newer(
    customer: Customer, journal: Journal, tmp_path: Path
) -> None:
    machine = customer.machine
    run_days(machine, 1)
    old = customer.export()
    machine.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":3') WHERE n = 7")
    run_days(machine, 1, first=1)
    kept = tmp_path / "siem.log"
    kept.write_text("".join(journal.lines))
    assert any("/2 | " in line for line in journal.lines)
    status, codes = audited(customer, old, "--heads", kept)
    assert (status, "newer" in codes, "missing-log" in codes) == (0, True, False), codes


def test_each_head_in_the_journal_says_when_it_was_signed(customer: Customer, journal: Journal) -> None:
    ledger = customer.machine.open()
    record(ledger, 1)
    ledger.close()
    assert all(
        re.search(": checkpoint of 20[-0-9]+T12:00:00Z: offline-appliance/", line) for line in journal.lines
    )
