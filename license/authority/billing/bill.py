"""What the usage of a resource costs, day by day: units beyond what its plan includes, at their prices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from license.authority.billing.prices import PriceTable
from license.authority.billing.reconcile import plan_of
from license.authority.book.metering import LogUsage
from license.evidence.log.entry import Tally
from license.licenses.terms import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one log used of one meter on one UTC day, and what it costs.

    Attributes:
        origin: The log.
        date: `YYYY-MM-DD`.
        meter: The meter.
        tally: The sums.
        included: Billed units among them that the plan includes.
        cost: Of the others; None without a price.
    """

    origin: str
    date: str
    meter: str
    tally: Tally
    included: int
    cost: Decimal | None


def charges(plans: Sequence[Plan], prices: PriceTable, usage: Iterable[LogUsage]) -> list[Charge]:
    """Return every charge in the order of days.

    Included units are used up in that order: those of a plan over its period, those of a free plan in each
    month. Each day is charged by the plan in whose period it lies; usage outside every period is charged too,
    by the last one's tier and with nothing included. The costs of a month add up to what its units cost
    together.

    Args:
        plans: The plans of a resource, in the order of their periods; at least one.
        prices: What units cost.
        usage: Its logs.
    """
    days = sorted(
        (date, log.origin, meter, tally) for log in usage for (date, meter), tally in log.days.items()
    )
    taken: defaultdict[tuple[int, str, str], int] = defaultdict(int)
    charged: defaultdict[tuple[str, str], int] = defaultdict(int)
    result = []
    for date, origin, meter, tally in days:
        found = plan_of(plans, date)
        plan = found or plans[-1]
        units = None if found is None else found.units(meter)
        window = (plan.period[0], date[:7] if plan.monthly else "", meter)
        free = 0 if units is None else min(tally.billed, max(0, units - taken[window]))
        taken[window] += 0 if found is None else tally.billed
        month = (date[:7], meter)
        before = prices.cost(plan.tier, meter, charged[month])
        charged[month] += tally.billed - free
        after = prices.cost(plan.tier, meter, charged[month])
        result.append(
            Charge(
                origin=origin,
                date=date,
                meter=meter,
                tally=tally,
                included=free,
                cost=None if before is None or after is None else after - before,
            )
        )
    return result
