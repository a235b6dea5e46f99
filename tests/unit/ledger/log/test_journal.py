"""Weeks of a machine's life in a moment: on, off, busy, idle, clocks that stray; and what always holds."""

import asyncio
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.log.journal import IDLE_SECONDS, Journal
from license.encoding.strict import format_date
from license.evidence.log.entry import Tally, parse
from license.evidence.verify.verify import verify
from tests.support.ledger import DAY, NOON, Machine, Vendor

METER = "Ner.TextRecords"
HOUR = 3600
STEP = HOUR // 12  # a longer one could leave more than the 70 minutes between two ticks that auditors allow

# What happens next: some requests, time that passes, a restart after some time off, a wall clock that strays.
events = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.integers(1, 20 * HOUR)),
        st.tuples(st.just("off"), st.integers(1, 40 * DAY)),
        st.tuples(st.just("stray"), st.integers(-50 * DAY, 40 * DAY)),
    ),
    max_size=14,
)


def use(ledger: Ledger, count: int) -> None:
    uses = [UsageRecord(meter=METER, quantity=2, billed=2, request_id="r") for _ in range(count)]
    asyncio.run(ledger.commit(uses))


def wait(machine: Machine, ledger: Ledger, seconds: int) -> None:
    """Let time pass in steps, as the writer's own pulse would see it."""
    for passed in range(0, seconds, STEP):
        machine.pass_time(min(STEP, seconds - passed))
        ledger._writer.call(Journal.do_what_is_due)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(life=events)
@example(life=[("wait", 8701), ("wait", 2700)])
def test_whatever_a_machine_goes_through_its_log_is_in_order(
    tmp_path_factory: pytest.TempPathFactory, vendor: Vendor, life: list[tuple[str, int]]
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"), vendor)
    machine.licensed = machine.renew(days=3000)
    ledger = machine.open()
    for word, number in life:
        if word == "use":
            use(ledger, number)
        elif word == "wait":
            wait(machine, ledger, number)
        elif word == "stray":
            machine.wall += number
        else:
            ledger.close()
            machine.pass_time(number)
            machine.boot += "+"
            ledger = machine.open()
    ledger.close()
    entries = [parse(text) for text in machine.texts()]

    times = [entry.at for entry in entries]
    assert times == sorted(times), "effective time never runs back"
    days = [entry for entry in entries if entry.kind in ("open", "key")]
    keys = [entry.text("vk") for entry in days]
    assert len(set(keys)) == len(keys), "each day has a key of its own"
    assert len(list(machine.state.glob("day-*.key"))) == 1, "and only the last is kept"
    for turn in days[1:]:
        assert turn.at - turn.at % DAY == turn.at // DAY * DAY
        assert format_date(turn.at) == turn.text("d") > turn.text("of"), "UTC midnight turns the day"
    months = sorted({format_date(entry.at)[:7] for entry in days})
    closed = [entry.text("mo") for entry in entries if entry.kind == "close"]
    assert closed == months[:-1], "each month but the last is closed, once"
    used = sum(number for word, number in life if word == "use")
    counted = sum((Tally(*turn.sums().get(METER, (0, 0, 0))) for turn in days[1:]), start=())
    assert sum(counted[0::3]) <= used
    report = verify(machine.output, machine.vendor.roots)
    found = {finding.code for finding in report.findings if finding.severity}
    allowed = {"clock-back", "clock-held", "clock-adopted", "silent"} if "stray" in dict(life) else set()
    assert found <= allowed, report.findings
    assert sum(tally.entries for tally in report.totals.values()) == used


def test_an_idle_week_has_a_sign_of_life_each_hour_and_a_key_each_day(machine: Machine) -> None:
    ledger = machine.open()
    wait(machine, ledger, 7 * DAY)
    ledger.close()
    entries = [parse(text) for text in machine.texts()]
    ticks = [entry.at for entry in entries if entry.kind == "tick"]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(entries)]
    assert max(gaps) <= IDLE_SECONDS + STEP
    assert len(ticks) >= 7 * 24 * 0.75
    assert [entry.text("d") for entry in entries if entry.kind == "key"] == [
        format_date(NOON + day * DAY) for day in range(1, 8)
    ]
    report = verify(machine.output, machine.vendor.roots)
    assert report.exit_code == 0, report.findings
    assert report.coverage.up == 7 * DAY
    assert report.coverage.unexplained == 0


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati"])
def test_summer_time_and_zones_move_no_day(
    tmp_path: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """2026-10-25: clocks in Europe go back an hour. The log knows UTC only."""
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        machine = Machine(tmp_path / "machine", vendor)
        machine.wall = 1_792_800_000 + 23 * HOUR  # 2026-10-24T23:00:00Z
        ledger = machine.open()
        for _ in range(30):
            use(ledger, 1)
            machine.pass_time(HOUR)
        ledger.close()
    finally:
        monkeypatch.undo()
        time.tzset()
    entries = [parse(text) for text in machine.texts()]
    per_day: dict[str, int] = {}
    for entry in entries:
        if entry.kind == "use":
            per_day[format_date(entry.at)] = per_day.get(format_date(entry.at), 0) + 1
    assert list(per_day.values()) == [1, 24, 5]
    assert verify(machine.output, machine.vendor.roots).exit_code == 0
