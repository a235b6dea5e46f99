"""A busy day keeps its own sums in the log: read instead of added up, and checked like everything else."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.log.journal import SUM_ENTRIES
from appliance.ledger.read.reports import usage_logs
from appliance.ledger.transfer.export import write_bundle
from license.evidence.log.entry import Tally, parse
from license.evidence.verify.result import Finding
from license.evidence.verify.verify import verify
from tests.support.ledger import DAY, NOON, Machine, Vendor

METERS = ("A.Meter", "B.Meter")
HALF = SUM_ENTRIES // 2


def use(ledger: Ledger, count: int) -> None:
    uses = [UsageRecord(meter=METERS[n % 2], quantity=2, billed=1, request_id=f"r{n}") for n in range(count)]
    asyncio.run(ledger.commit(uses))


@pytest.fixture(scope="module")
def busy_day(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Machine:
    """A day in progress with two `sum` entries, the second after a restart; not to be touched."""
    machine = Machine(tmp_path_factory.mktemp("busy"), vendor)
    ledger = machine.open()
    for count in (SUM_ENTRIES, 2, HALF):  # the sum stands before the two
        use(ledger, count)
    ledger.close()
    machine.pass_time(60)
    ledger = machine.open()
    for count in (HALF, 4, 6):  # the sum stands before the four
        use(ledger, count)
    ledger.close()
    return machine


@pytest.fixture
def busy(tmp_path: Path, busy_day: Machine) -> Machine:
    """A copy, to be tampered with."""
    shutil.copytree(busy_day.home, tmp_path / "machine")
    return replace(busy_day, home=tmp_path / "machine")


def sums(machine: Machine) -> list[tuple[int, list[Tally]]]:
    entries = [parse(text) for text in machine.texts() if text.startswith('{"k":"sum"')]
    return [(entry.n, list(entry.sums().values())) for entry in entries]


def broken(machine: Machine) -> list[Finding]:
    report = verify(machine.output, machine.vendor.roots)
    return [finding for finding in report.findings if finding.severity == 2]


def tally(entries: int) -> list[Tally]:
    return [Tally(entries // 2, entries, entries // 2)] * 2


def test_a_busy_day_is_summed_each_few_thousand_uses_also_across_a_restart(busy_day: Machine) -> None:
    assert [found for _, found in sums(busy_day)] == [tally(SUM_ENTRIES), tally(2 * SUM_ENTRIES + 2)]
    report = verify(busy_day.output, busy_day.vendor.roots)
    assert report.exit_code == 0, report.findings


def test_a_report_adds_up_only_what_follows_the_last_sum(busy: Machine) -> None:
    whole = usage_logs(busy.output, 9, 2026)
    assert sum(meter["quantity"] for meter in whole["meters"]) == 2 * (2 * SUM_ENTRIES + 12)
    last = sums(busy)[-1][0]
    busy.sql("DELETE FROM entry WHERE kind = 'use' AND n < ?", last)
    assert usage_logs(busy.output, 9, 2026) == whole


def test_a_start_goes_on_from_the_last_sum(busy: Machine) -> None:
    ledger = busy.open()
    use(ledger, 2)
    assert ledger.used(METERS[0], NOON - DAY, NOON + DAY) == SUM_ENTRIES + 7
    ledger.close()
    busy.pass_time(DAY)
    ledger = busy.open()
    use(ledger, 2)
    ledger.close()
    turn = next(parse(text) for text in busy.texts() if text.startswith('{"k":"key"'))
    assert list(turn.sums().values()) == tally(2 * SUM_ENTRIES + 14)
    assert len(sums(busy)) == 2
    assert verify(busy.output, busy.vendor.roots).exit_code == 0


def test_a_log_without_sums_reads_and_goes_on(machine: Machine) -> None:
    ledger = machine.open()
    use(ledger, SUM_ENTRIES + 2)  # as older software left a day: far more than a sum may stay away
    ledger.close()
    assert sums(machine) == []
    ledger = machine.open()
    assert ledger.used(METERS[0], NOON - DAY, NOON + DAY) == HALF + 1
    assert sum(meter["billedUnit"] for meter in usage_logs(machine.output)["meters"]) == SUM_ENTRIES + 2
    use(ledger, 2)
    ledger.close()
    assert [found for _, found in sums(machine)] == [tally(SUM_ENTRIES + 2)]
    assert verify(machine.output, machine.vendor.roots).exit_code == 0


def test_a_wrong_sum_is_found_and_told_once_for_the_day(busy: Machine) -> None:
    first = sums(busy)[0][0]
    busy.sql("UPDATE entry SET text = replace(text, ?, ?) WHERE n = ?", f"[{HALF},", f"[{HALF - 1},", first)
    assert [(f.code, f.index) for f in broken(busy)] == [("changed", first), ("day-sums", first)]


def test_an_edited_use_contradicts_the_sum_after_it(busy: Machine) -> None:
    first, second = (n for n, _ in sums(busy))
    busy.sql("UPDATE entry SET text = replace(text, '\"b\":1', '\"b\":0') WHERE n = ?", first + 1)
    assert [(f.code, f.index) for f in broken(busy)] == [("changed", first + 1), ("day-sums", second)]


@pytest.mark.parametrize("full", [False, True])
def test_an_export_shows_the_sums_and_is_clean(busy_day: Machine, tmp_path: Path, full: bool) -> None:
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_bundle(busy_day.directory, file, identity=busy_day.identity, full=full)
    report = verify(path, busy_day.vendor.roots)
    assert report.exit_code == 0, report.findings
    assert sum(found.entries for found in report.totals.values()) == 2 * SUM_ENTRIES + 12
    assert report.totals == verify(busy_day.output, busy_day.vendor.roots).totals
