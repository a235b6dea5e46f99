"""How much of a plan is used, and what to say about it. Pure: sums come in, notices go out.

Units count from the first day of the plan's period. What is used after its last day, in the licence's grace,
still counts against it: a renewed plan has days of its own. A free plan (tier F0) has its units anew in each
UTC month.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from appliance.licensing.effective_time import clamp_time
from license.encoding.strict import DAY, MAX_TIME, format_date
from license.licenses.terms import Plan
from license.licenses.validity import Notice

Used = Callable[[str, int, int], int]
"""`used(meter, start, end)`: billed units of `meter` recorded from `start` up to `end`, Unix seconds."""

MARKS: Final = (80, 90, 100)
"""Percentages of the included units that are announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanUse:
    """One meter of a plan at one instant.

    Attributes:
        meter: Its name.
        included: Units the plan includes.
        used: Units used since `start`.
        start: First second that counts.
        end: The second at which the units are there anew, or the plan's period ends.
        blocks: Whether the plan refuses beyond the included units.
    """

    meter: str
    included: int
    used: int
    start: int
    end: int
    blocks: bool

    @property
    def percent(self) -> int:
        """Whole percent of the included units that are used; 100 of nothing."""
        return self.used * 100 // self.included if self.included else 100


def window(plan: Plan, now: int) -> tuple[int, int]:
    """Return the first second whose usage counts against the plan at `now`, and the end of its term."""
    if not plan.monthly:
        return plan.period
    today = datetime.fromtimestamp(clamp_time(now), UTC)
    first = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return int(first.timestamp()), int(following.timestamp())


def counted(plan: Plan, meter: str, used: Used, start: int) -> int:
    """Return the units of a meter that count against the plan from `start` on."""
    end = window(plan, start)[1] if plan.monthly else MAX_TIME
    return used(meter, start, end)


def plan_use(plan: Plan, now: int, used: Used) -> tuple[PlanUse, ...]:
    """Return every meter of the plan as it stands at `now`."""
    start, end = window(plan, now)
    return tuple(
        PlanUse(
            meter=meter,
            included=included,
            used=counted(plan, meter, used, start),
            start=start,
            end=end,
            blocks=plan.overage == "block",
        )
        for meter, included in plan.meters
    )


def quota_notice(use: PlanUse) -> Notice | None:
    """Return what to say once 80, 90 or 100 percent of a meter are used; log it once per mark and term."""
    if use.percent < MARKS[0]:
        return None
    return Notice(
        code="Quota",
        mark=max(mark for mark in MARKS if mark <= use.percent),
        message=f"{use.used:,} of the {use.included:,} units of {use.meter} that the plan includes until"
        f" {format_date(use.end)} are used ({use.percent} %); {_what_follows(use)}",
        hint=_hint(use),
    )


def _what_follows(use: PlanUse) -> str:
    if not use.blocks:
        return "service goes on and counts, what is beyond is settled later"
    if use.used >= use.included:
        return "requests are refused with 403 OutOfQuota"
    return "beyond them requests are refused with 403 OutOfQuota"


def _hint(use: PlanUse) -> str:
    more = "buy more units: install the licence that names them; a connected run gets them by itself"
    return f"{more}, or wait until {format_date(use.end)}" if _is_monthly(use) else more


def _is_monthly(use: PlanUse) -> bool:
    return use.end - use.start <= 31 * DAY
