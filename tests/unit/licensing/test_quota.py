"""What a plan includes and what is said about it."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.licensing.quota import PlanUse, plan_use, quota_notice, window
from license.encoding.strict import DAY, MAX_TIME, parse_date
from license.licenses.terms import Plan

METER = "CognitiveServices.Ner.Container.TextRecords"
YEAR = (parse_date("2026-03-10"), parse_date("2027-03-10"))


def plan(tier: str = "DC0", *, units: int = 1_000, overage: str = "record") -> Plan:
    return Plan(tier=tier, period=YEAR, meters=((METER, units),), overage=overage)


def at(day: str) -> int:
    return parse_date(day) + 12 * 3600


def uses(by_day: Mapping[str, int], bought: Plan, now: int) -> PlanUse:
    def used(meter: str, start: int, end: int) -> int:
        assert meter == METER
        return sum(units for day, units in by_day.items() if start <= parse_date(day) < end)

    return plan_use(bought, now, used)[0]


def test_a_yearly_plan_counts_from_its_first_day_and_on_into_the_grace() -> None:
    days = {"2026-03-09": 5, "2026-03-10": 7, "2027-03-09": 11, "2027-03-12": 13}
    assert uses(days, plan(), at("2027-03-12")).used == 31


def test_a_renewed_plan_has_days_of_its_own() -> None:
    days = {"2027-03-09": 11, "2027-03-12": 13}
    renewed = Plan(tier="DC0", period=(YEAR[1], parse_date("2028-03-10")), meters=((METER, 1_000),))
    assert uses(days, renewed, at("2027-03-12")).used == 13


def test_a_free_plan_counts_each_month_anew() -> None:
    days = {"2026-11-30": 4_000, "2026-12-01": 10, "2026-12-31": 20}
    free = plan("F0", units=5_000, overage="block")
    assert (uses(days, free, at("2026-11-30")).used, uses(days, free, at("2026-12-31")).used) == (4_000, 30)
    assert window(free, at("2026-12-31")) == (parse_date("2026-12-01"), parse_date("2027-01-01"))


@given(st.integers(0, MAX_TIME - 40 * DAY))
def test_every_second_lies_in_its_month(now: int) -> None:
    start, end = window(plan("F0", overage="block"), now)
    assert start <= now < end
    assert 28 * DAY <= end - start <= 31 * DAY
    assert datetime.fromtimestamp(start, UTC).day == 1


@pytest.mark.parametrize(
    ("used", "mark"), [(799, None), (800, 80), (899, 80), (900, 90), (999, 90), (1_000, 100), (5_000, 100)]
)
def test_eighty_ninety_and_a_hundred_percent_are_announced(used: int, mark: int | None) -> None:
    notice = quota_notice(uses({"2026-03-10": used}, plan(), at("2026-04-01")))
    assert (None if notice is None else notice.mark) == mark


def test_the_notice_says_what_follows() -> None:
    records = quota_notice(uses({"2026-03-10": 1_200}, plan(), at("2026-04-01")))
    assert records is not None
    assert "1,200 of the 1,000 units" in records.message
    assert "service goes on and counts" in records.message
    blocks = quota_notice(uses({"2026-03-10": 1_000}, plan(overage="block"), at("2026-04-01")))
    assert blocks is not None
    assert "requests are refused with 403 OutOfQuota" in blocks.message


def test_a_plan_without_units_is_used_up_from_the_start() -> None:
    assert uses({}, plan(units=0), at("2026-04-01")).percent == 100
