"""What a licence allows at one instant, in whole seconds. Pure: no clock is read here.

          not_before            expires - 90 d        expires          terminates
    NotYetValid │      Valid          │    Expiring      │     Grace       │  Expired
    ────────────┼─────────────────────┼──────────────────┼─────────────────┼──────────▶ seconds
      refused   │        serves       │  serves, warns   │ serves, marked  │  refused

Each boundary belongs to the state on its right. `not_before` is taken `clock.tolerance_s` earlier, because
the authority's clock may run ahead; the other dates are exact. A service asks anew for every request, so a
licence ends while the service runs. Records, status, export, verify and installing a licence keep working.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from license.encoding.strict import DAY, MAX_TIME, format_time
from license.errors import Expired, NotYetValid
from license.licenses.license import License

MARKS: Final = (90, 60, 30, 14, 7, 6, 5, 4, 3, 2, 1)
"""Days before a date at which it is announced."""
REPORT_MARKS: Final = tuple(mark for mark in MARKS if mark <= 30)

STAYS: Final = "records, export and installing a licence keep working"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class State(StrEnum):
    """What a licence is worth."""

    NOT_YET_VALID = "NotYetValid"
    VALID = "Valid"
    EXPIRING = "Expiring"
    GRACE = "Grace"
    EXPIRED = "Expired"

    @property
    def serves(self) -> bool:
        """Whether requests are answered in this state."""
        return self in (State.VALID, State.EXPIRING, State.GRACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell the operator in advance; log it once per (`code`, `mark`).

    Attributes:
        code: `Expiring`, `Grace` or `ReportDue`.
        mark: The announced number of days that has been reached; 0 when the date has passed.
        message: What will stop, and when.
        hint: What to do.
    """

    code: str
    mark: int
    message: str
    hint: str


def state_at(license: License, now: int) -> State:
    """Return the state of a verified licence at the Unix second `now`."""
    if now < license.not_before - license.clock.tolerance_s:
        return State.NOT_YET_VALID
    if now >= license.terminates:
        return State.EXPIRED
    if now >= license.expires:
        return State.GRACE
    # A lease lasts days and is renewed by itself: its end is not announced.
    if license.expires - now <= MARKS[0] * DAY and license.connected is None:
        return State.EXPIRING
    return State.VALID


def days_left(license: License, now: int) -> int:
    """Return the days until `expires`, a begun day counting as one; 0 from `expires` on."""
    return _days(license.expires - now)


def grace_days_left(license: License, now: int) -> int:
    """Return the days until `terminates`, a begun day counting as one; 0 from `terminates` on."""
    return _days(license.terminates - now)


def warnings(license: License, now: int) -> tuple[Notice, ...]:
    """Return what the operator should know at `now`, most urgent first; empty when all is well."""
    notices = []
    state = state_at(license, now)
    if state is State.GRACE:
        left = grace_days_left(license, now)
        notices.append(
            Notice(
                code="Grace",
                mark=_mark(left, MARKS) or MARKS[0],
                message=f"the licence expired at {format_time(license.expires)}. {what_stops(license)}"
                f" ({days_text(left)} left)",
                hint="install the renewed licence now",
            )
        )
    elif state is State.EXPIRING:
        left = days_left(license, now)
        notices.append(
            Notice(
                code="Expiring",
                mark=_mark(left, MARKS) or MARKS[0],
                message=f"the licence ends on {moment_text(license.expires)}, in {days_text(left)}."
                f" {what_stops(license)}",
                hint="export the usage records, send them to the vendor and install the renewed licence",
            )
        )
    if state.serves and license.connected is None:
        notices.extend(_report_due(license, now))
    return tuple(notices)


def what_stops(license: License) -> str:
    """Say what stops when the licence ends, when, and what keeps working."""
    return f"From {moment_text(license.terminates)} requests are refused; {STAYS}"


def moment_text(second: int) -> str:
    """Return a Unix second for people, in UTC: `19 Dec 2026`, with the time unless it is midnight."""
    date, _, clock = format_time(second).partition("T")
    year, month, day = date.split("-")
    text = f"{int(day)} {_MONTHS[int(month) - 1]} {year}"
    return text if clock == "00:00:00Z" else f"{text} {clock[:5]} UTC"


def check_dates(license: License, now: int) -> None:
    """Return if the licence serves at `now`.

    Raises:
        NotYetValid: before `not_before`, tolerance included.
        Expired: from `terminates` on.
    """
    state = state_at(license, now)
    if state is State.NOT_YET_VALID:
        raise NotYetValid(
            f"the licence is valid from {format_time(license.not_before)}; the clock here says {_when(now)}"
        )
    if state is State.EXPIRED:
        raise Expired(
            f"the licence expired at {format_time(license.expires)} and its grace ended at "
            f"{format_time(license.terminates)}; {STAYS}"
        )


def _report_due(license: License, now: int) -> list[Notice]:
    left = _days(license.report_by - now)
    mark = _mark(left, REPORT_MARKS)
    if mark is None:
        return []
    due = f"in {days_text(left)}, by" if left else "since"
    return [
        Notice(
            code="ReportDue",
            mark=mark,
            message=f"a usage report is due {due} {format_time(license.report_by)}; service is not affected",
            hint="export the usage records and send them to the vendor: appliance usage export -o usage.zip",
        )
    ]


def _mark(left: int, marks: tuple[int, ...]) -> int | None:
    """Return the smallest mark not below `left` days: the one reached last; 0 once the date has passed."""
    if left == 0:
        return 0
    return min((mark for mark in marks if mark >= left), default=None)


def _days(seconds: int) -> int:
    return max(0, -(-seconds // DAY))


def days_text(days: int) -> str:
    """Return a number of days in words."""
    return "1 day" if days == 1 else f"{days} days"


def _when(now: int) -> str:
    return format_time(min(max(now, 0), MAX_TIME))
