"""For which period of a resource a licence is, and how long it may last."""

from collections.abc import Callable
from typing import Any

import pytest

from license.authority.book.metering import MeterRepository
from license.authority.issuing.lease import is_used_up
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import DAY, parse_time
from license.errors import AuthorityError
from tests.unit.license.authority.book.test_metering import origin_of, report, signed

END = parse_time("2027-01-01T00:00:00Z")


@pytest.fixture
def yearly(new_vendor: Callable[..., Any]) -> Any:
    """A vendor on 1 June of the year that was bought."""
    return new_vendor(period=("2026-01-01", "2027-01-01"))


def test_a_machine_with_a_licence_to_the_end_gets_the_next_period(yearly: Any) -> None:
    first = yearly.opened()
    renewed = yearly.authority.renew_resource("acme-ner")
    second = yearly.opened()
    assert (first.license.expires, second.license.not_before) == (END, END)
    assert second.license.plan == renewed.plan
    assert second.license.subscription == first.license.subscription
    assert (second.license.serial, second.license.replaces) == (2, first.license.id)


def test_a_machine_without_one_gets_the_present_period_first(yearly: Any) -> None:
    yearly.opened()
    yearly.authority.renew_resource("acme-ner")
    other = yearly.request(machine=SigningKey.generate("offline-appliance/instance"))
    assert yearly.issue(other).license.expires == END
    assert yearly.issue(other).license.not_before == END
    assert yearly.issue(other, period="present").license.expires == END


def test_the_next_period_has_to_be_entered(yearly: Any) -> None:
    with pytest.raises(AuthorityError, match="no period after") as caught:
        yearly.issue(period="next")
    assert caught.value.code == "NotRenewed"
    assert "license resource renew acme-ner" in caught.value.hint
    yearly.authority.renew_resource("acme-ner")
    assert yearly.issue(period="next").license.not_before == END


def test_days_beyond_the_plan_are_refused_and_never_cut(yearly: Any) -> None:
    most = (END - yearly.clock.now) // DAY + 1  # the day in progress counts
    with pytest.raises(AuthorityError, match="800 days from 2026-06-01 go beyond") as caught:
        yearly.issue(days=800)
    assert caught.value.code == "BeyondPlan"
    assert f"--days {most} is the longest" in caught.value.hint
    assert "license resource renew acme-ner" in caught.value.hint
    with pytest.raises(AuthorityError):
        yearly.issue(days=most + 1)
    assert yearly.issue(days=most).license.expires == END
    assert yearly.authority.store.highest_serial() == 1


def test_a_plan_that_ended_names_the_command_that_renews_it(yearly: Any) -> None:
    yearly.clock.now = END
    with pytest.raises(AuthorityError, match="ended on 2027-01-01") as caught:
        yearly.issue()
    assert "license resource renew acme-ner" in caught.value.hint
    yearly.authority.renew_resource("acme-ner")
    assert yearly.issue().license.not_before == END


def test_a_connected_run_goes_on_through_an_early_renewal(new_vendor: Callable[..., Any]) -> None:
    vendor = new_vendor(period=("2026-01-01", "2027-01-01"), overage="block")
    vendor.authority.renew_resource("acme-ner")

    def lease() -> Any:
        resource = vendor.authority.store.get("acme-ner")
        return vendor.authority.grant_lease(resource, vendor.request()).license

    assert (lease().not_before, lease().plan.period[1]) == (vendor.clock.now, END)
    book = MeterRepository(vendor.authority.store.engine)
    used = report(origin_of(vendor.machine), 0, 12, 1_000)
    book.accept("acme-ner", signed(vendor.machine, used), now=vendor.clock())
    with pytest.raises(AuthorityError, match="used up"):
        lease()
    vendor.clock.now = END
    assert not is_used_up(vendor.authority.store, vendor.authority.store.get("acme-ner"), END)
    assert lease().plan.period[0] == END
