import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.encoding.strict import DAY, MAX_TIME, parse_time
from license.errors import Expired, NotYetValid
from license.licenses.license import License
from license.licenses.terms import ClockPolicy, InstanceBinding, Plan
from license.licenses.validity import (
    MARKS,
    State,
    check_dates,
    days_left,
    days_text,
    grace_days_left,
    moment_text,
    state_at,
    warnings,
)

BEGIN = parse_time("2026-01-01T00:00:00Z")
EXPIRES = parse_time("2027-01-01T00:00:00Z")
TERMINATES = parse_time("2027-01-31T00:00:00Z")

LICENCE = License(
    id="1",
    serial=1,
    issued=BEGIN,
    not_before=BEGIN,
    expires=EXPIRES,
    terminates=TERMINATES,
    report_by=parse_time("2026-07-01T00:00:00Z"),
    customer="Acme",
    subscription="s",
    product="ner",
    plan=Plan(tier="DC0", period=(BEGIN, EXPIRES), meters=()),
    instance=InstanceBinding(binding="any"),
    clock=ClockPolicy(tolerance_s=300),
)
ORDER = [State.NOT_YET_VALID, State.VALID, State.EXPIRING, State.GRACE, State.EXPIRED]


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (0, State.NOT_YET_VALID),
        (BEGIN - 301, State.NOT_YET_VALID),
        (BEGIN - 300, State.VALID),
        (BEGIN, State.VALID),
        (EXPIRES - 90 * DAY - 1, State.VALID),
        (EXPIRES - 90 * DAY, State.EXPIRING),
        (EXPIRES - 1, State.EXPIRING),
        (EXPIRES, State.GRACE),
        (TERMINATES - 1, State.GRACE),
        (TERMINATES, State.EXPIRED),
        (MAX_TIME, State.EXPIRED),
    ],
)
def test_each_boundary_belongs_to_the_later_state(now: int, state: State) -> None:
    assert state_at(LICENCE, now) is state


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**62))
def test_time_never_makes_a_licence_younger(now: int, later: int) -> None:
    assert ORDER.index(state_at(LICENCE, now)) <= ORDER.index(state_at(LICENCE, now + later))


@given(st.integers(-(2**62), 2**62))
def test_dates_pass_exactly_where_the_state_serves(now: int) -> None:
    try:
        check_dates(LICENCE, now)
    except (NotYetValid, Expired):
        assert not state_at(LICENCE, now).serves
        assert warnings(LICENCE, now) == ()
    else:
        assert state_at(LICENCE, now).serves


@pytest.mark.parametrize(
    ("left", "days"), [(DAY * 30, 30), (DAY * 30 - 1, 30), (DAY * 29, 29), (1, 1), (0, 0), (-5, 0)]
)
def test_a_begun_day_counts(left: int, days: int) -> None:
    assert days_left(LICENCE, EXPIRES - left) == days
    assert grace_days_left(LICENCE, TERMINATES - left) == days


@pytest.mark.parametrize(
    ("days", "mark"),
    [(90, 90), (61, 90), (60, 60), (31, 60), (30, 30), (14, 14), (8, 14), (7, 7), (6, 6), (1, 1)],
)
def test_expiry_is_announced_at_each_mark(days: int, mark: int) -> None:
    notice = warnings(LICENCE, EXPIRES - days * DAY)[0]
    assert (notice.code, notice.mark) == ("Expiring", mark)
    assert notice.message == (
        f"the licence ends on 1 Jan 2027, in {days_text(days)}. From 31 Jan 2027 requests are refused; "
        "records, export and installing a licence keep working"
    )
    assert notice.hint


def test_a_moment_within_a_day_has_its_time() -> None:
    assert moment_text(TERMINATES) == "31 Jan 2027"
    assert moment_text(TERMINATES + 7_793) == "31 Jan 2027 02:09 UTC"


def test_there_are_as_many_announcements_as_marks() -> None:
    seen = {warnings(LICENCE, EXPIRES - left)[0].mark for left in range(1, 90 * DAY + 1, DAY // 2)}
    assert seen == set(MARKS)


def test_grace_says_how_long_it_lasts() -> None:
    notice = warnings(LICENCE, EXPIRES)[0]
    assert (notice.code, notice.mark) == ("Grace", 30)
    assert "30 days left" in notice.message
    last = warnings(LICENCE, TERMINATES - 1)[0]
    assert last.mark == 1
    assert "1 day left" in last.message


def test_a_long_grace_still_has_a_mark() -> None:
    long = License(
        **{name: getattr(LICENCE, name) for name in LICENCE.__slots__} | {"terminates": EXPIRES + 200 * DAY}
    )
    assert warnings(long, EXPIRES)[0].mark == 90


def test_reports_are_announced_and_never_stop_service() -> None:
    due = LICENCE.report_by
    assert warnings(LICENCE, due - 31 * DAY) == ()
    assert [(n.code, n.mark) for n in warnings(LICENCE, due - 30 * DAY)] == [("ReportDue", 30)]
    assert [(n.code, n.mark) for n in warnings(LICENCE, due)] == [("ReportDue", 0)]
    assert "service is not affected" in warnings(LICENCE, due)[0].message


def test_refusals_name_the_dates_and_the_clock() -> None:
    with pytest.raises(NotYetValid, match=r"valid from 2026-01-01T00:00:00Z.* 2025-12-31T00:00:00Z"):
        check_dates(LICENCE, BEGIN - DAY)
    with pytest.raises(Expired, match=r"2027-01-01T00:00:00Z.*2027-01-31T00:00:00Z"):
        check_dates(LICENCE, TERMINATES)
