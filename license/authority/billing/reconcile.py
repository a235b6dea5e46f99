"""Usage against what was bought: one line for each meter and period of a plan."""

from collections.abc import Iterable
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
    """

    period: str
    meter: str
    used: Tally
    included: int | None

    @property
    def over(self) -> int:
        """Billed units beyond what is included."""
        return 0 if self.included is None else max(0, self.used.billed - self.included)

    @property
    def percent(self) -> int | None:
        """How much of what is included was used, rounded down; None without a limit."""
        return None if not self.included else 100 * self.used.billed // self.included


def reconcile(plan: Plan, usage: Iterable[Days]) -> list[Account]:
    """Return the accounts of a plan, for the usage of any number of logs.

    Usage outside the plan's period is told too, under the word `outside`.
    """
    start, end = (format_date(day) for day in plan.period)
    whole = f"{start} to {end}"
    sums: dict[tuple[str, str], Tally] = {}
    if not plan.monthly:
        sums = {(whole, meter): NOTHING for meter, _ in plan.meters}
    for days in usage:
        for (date, meter), tally in days.items():
            period = (date[:7] if plan.monthly else whole) if start <= date < end else "outside"
            sums[period, meter] = sums.get((period, meter), NOTHING).plus(tally)
    return [
        Account(
            period=period,
            meter=meter,
            used=tally,
            included=None if period == "outside" else plan.units(meter),
        )
        for (period, meter), tally in sorted(sums.items())
    ]
