"""Usage against what was bought: one line for each meter and period of each plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from license.authority.book.heads import Days
from license.encoding.strict import format_date
from license.evidence.log.entry import NOTHING, Tally
from license.licenses.terms import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was used of one meter in one period of the plan.

    Attributes:
        period: A month (`YYYY-MM`) where the plan is monthly, else first day and the day after the last.
        meter: The meter.
        used: Sums in the period.
        included: Units that the plan includes in it; None where it does not limit the meter.
        blocks: Whether the plan lets nothing be used beyond that.
    """

    period: str
    meter: str
    used: Tally
    included: int | None
    blocks: bool = False

    @property
    def over(self) -> int:
        """Billed units beyond what is included."""
        return 0 if self.included is None else max(0, self.used.billed - self.included)

    @property
    def percent(self) -> int | None:
        """How much of what is included was used, rounded down; None without a limit."""
        return None if not self.included else 100 * self.used.billed // self.included


def reconcile(plans: Sequence[Plan], usage: Iterable[Days]) -> list[Account]:
    """Return the accounts of a resource's plans, for the usage of any number of logs.

    Each day counts against the plan in whose period it lies. Usage outside every period is told too, under
    the word `outside`.
    """
    sums: dict[tuple[str, str], Tally] = {}
    included: dict[tuple[str, str], int | None] = {}
    blocks: set[tuple[str, str]] = set()
    for plan in plans:
        for meter, _ in () if plan.monthly else plan.meters:
            key = _period(plan, ""), meter
            sums[key], included[key] = NOTHING, plan.units(meter)
    for days in usage:
        for (date, meter), tally in days.items():
            found = plan_of(plans, date)
            key = "outside" if found is None else _period(found, date), meter
            sums[key] = sums.get(key, NOTHING).plus(tally)
            included[key] = None if found is None else found.units(meter)
            if found is not None and found.overage == "block":
                blocks.add(key)
    return [
        Account(
            period=period,
            meter=meter,
            used=tally,
            included=included[period, meter],
            blocks=(period, meter) in blocks,
        )
        for (period, meter), tally in sorted(sums.items())
    ]


def plan_of(plans: Sequence[Plan], date: str) -> Plan | None:
    """Return the plan in whose period a day (`YYYY-MM-DD`) lies; None if it lies in no period."""
    for plan in plans:
        start, end = (format_date(day) for day in plan.period)
        if start <= date < end:
            return plan
    return None


def _period(plan: Plan, date: str) -> str:
    return date[:7] if plan.monthly else " to ".join(format_date(day) for day in plan.period)
