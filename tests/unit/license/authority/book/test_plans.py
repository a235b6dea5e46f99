"""Renewal: the same resource with the same keys and the next period; what was before stays what it was."""

from collections.abc import Callable
from typing import Any

import pytest

from license.authority.billing.reconcile import reconcile
from license.authority.book.plans import following, parse_period
from license.encoding.strict import format_date
from license.errors import AuthorityError, Malformed
from license.evidence.log.entry import Tally
from tests.unit.license.conftest import METER

PERIOD = ("2026-01-01", "2027-01-01")


@pytest.fixture
def yearly(new_vendor: Callable[..., Any]) -> Any:
    return new_vendor(period=PERIOD, max_instances=2)


@pytest.mark.parametrize(
    ("period", "next_end"),
    [
        (("2026-01-01", "2027-01-01"), "2028-01-01"),
        (("2027-03-01", "2028-03-01"), "2029-03-01"),
        (("2026-11-29", "2027-11-29"), "2028-11-29"),
        (("2026-12-01", "2027-01-01"), "2027-02-01"),
        (("2026-10-31", "2027-01-31"), "2027-04-30"),
        (("2026-06-10", "2026-06-20"), "2026-06-30"),
        (("2028-02-29", "2029-02-28"), "2030-02-28"),
    ],
)
def test_the_period_after_is_as_long_in_months_where_it_is_whole_ones(
    period: tuple[str, str], next_end: str
) -> None:
    assert [format_date(day) for day in following(parse_period(period))] == [period[1], next_end]


def test_renewal_keeps_keys_units_machines_and_history(yearly: Any) -> None:
    before = yearly.authority.store.get("acme-ner")
    after = yearly.authority.renew_resource("acme-ner")
    assert after.plan.period == parse_period(("2027-01-01", "2028-01-01"))
    assert (after.plan.meters, after.plan.overage) == (((METER, 1_000),), "record")
    assert after.earlier == (before.plan,)
    assert (after.subscription, after.models, after.max_instances) == (before.subscription, (), 2)
    assert yearly.authority.store.find_by_key(yearly.key) == after
    assert [change.what for change in yearly.authority.store.history("acme-ner")][1:] == [
        f"renewed for 2027-01-01 to 2028-01-01: 1,000 {METER}, overage record"
    ]


def test_units_added_in_the_term_are_of_the_present_period_and_go_into_the_next(yearly: Any) -> None:
    yearly.authority.add_units("acme-ner", METER, 5)
    renewed = yearly.authority.renew_resource("acme-ner")
    assert renewed.plan.units(METER) == 1_005
    later = yearly.authority.add_units("acme-ner", METER, 7)
    assert [plan.units(METER) for plan in later.plans] == [1_012, 1_005]
    yearly.clock.now = later.plan.period[0]
    assert yearly.authority.add_units("acme-ner", METER, 1).plan.units(METER) == 1_006


def test_the_next_period_can_be_changed_until_it_begins(yearly: Any) -> None:
    authority = yearly.authority
    authority.renew_resource("acme-ner", meters={METER: 7})
    with pytest.raises(AuthorityError, match="renewed already") as caught:
        authority.renew_resource("acme-ner")
    assert caught.value.code == "AlreadyRenewed"
    changed = authority.renew_resource("acme-ner", meters={METER: 9}, overage="block", again=True)
    assert [plan.units(METER) for plan in changed.plans] == [1_000, 9]
    assert (changed.plan.period[0], changed.plan.overage) == (changed.earlier[0].period[1], "block")
    yearly.clock.now = changed.plan.period[0]
    with pytest.raises(AuthorityError, match="no next period") as caught:
        authority.renew_resource("acme-ner", again=True)
    assert caught.value.code == "NotRenewed"
    assert len(authority.renew_resource("acme-ner").plans) == 3


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (("2026-12-31", "2027-12-31"), "cannot begin on 2026-12-31"),
        (("2027-06-01", "2027-06-01"), "must end after it begins"),
        (("2027-06-01", "2027-05-01"), "must end after it begins"),
        (("2027-06-01", "soon"), "soon"),
    ],
)
def test_a_period_that_cannot_be_the_next_is_refused(yearly: Any, period: tuple[str, str], said: str) -> None:
    with pytest.raises(Malformed, match=said):
        yearly.authority.renew_resource("acme-ner", period=period)
    assert len(yearly.authority.store.get("acme-ner").plans) == 1


def test_a_period_that_would_be_over_is_refused(yearly: Any) -> None:
    yearly.clock.now = parse_period(("2028-02-01", "2028-02-02"))[0]
    with pytest.raises(Malformed, match="2027-01-01 to 2028-01-01, is over already"):
        yearly.authority.renew_resource("acme-ner")
    later = yearly.authority.renew_resource("acme-ner", period=("2028-02-01", "2029-02-01"))
    assert later.plan_at(yearly.clock.now) == later.plan


def test_a_misspelt_meter_is_refused(yearly: Any) -> None:
    with pytest.raises(Malformed, match="is not a meter of product ner"):
        yearly.authority.renew_resource("acme-ner", meters={METER[:-1]: 5})


def test_each_day_counts_against_the_plan_of_its_own_period(yearly: Any) -> None:
    renewed = yearly.authority.renew_resource("acme-ner", meters={METER: 50})
    days = {
        (date, METER): Tally(1, units, units)
        for date, units in [("2025-12-31", 3), ("2026-12-31", 1_200), ("2027-01-01", 60), ("2028-01-01", 5)]
    }
    accounts = {account.period: account for account in reconcile(renewed.plans, [days])}
    assert {period: (account.used.billed, account.over) for period, account in accounts.items()} == {
        "2026-01-01 to 2027-01-01": (1_200, 200),
        "2027-01-01 to 2028-01-01": (60, 10),
        "outside": (8, 0),
    }


def test_a_licence_lasts_as_long_as_its_year_also_in_a_leap_year(new_vendor: Callable[..., Any]) -> None:
    """Otherwise the machine is in grace on the last day, and its renewal is for the present period again."""
    vendor = new_vendor(period=("2027-03-01", "2028-03-01"))
    vendor.clock.now = parse_period(("2027-03-01", "2028-03-01"))[0]
    first = vendor.opened().license
    assert format_date(first.expires) == "2028-03-01"
    vendor.authority.renew_resource("acme-ner")
    assert format_date(vendor.opened().license.not_before) == "2028-03-01"


def test_a_licence_of_a_longer_plan_lasts_365_days(new_vendor: Callable[..., Any]) -> None:
    vendor = new_vendor(period=("2027-03-01", "2029-03-01"))
    vendor.clock.now = parse_period(("2027-03-01", "2028-03-01"))[0]
    assert format_date(vendor.opened().license.expires) == "2028-02-29"
