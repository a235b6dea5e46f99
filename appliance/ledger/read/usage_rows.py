"""Usage by day as rows: of a month and a meter for people, and of a day for a table of costs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.ledger.read.reports import DayUsage
from license.encoding.strict import format_date
from license.evidence.bundle.focus import MeteredDay
from license.evidence.log.entry import NOTHING, Tally

TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: a month (`YYYY-MM`, or `total`), a meter and its sums."""

    month: str
    meter: str
    tally: Tally

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line; numbers with thousands separators."""
        return (self.month, self.meter, *(f"{number:,}" for number in self.tally))


def metered(days: Iterable[DayUsage]) -> Iterator[MeteredDay]:
    """Return usage by day as rows for a table of costs; two parts of one log's day become one."""
    sums: dict[tuple[str, str, str], Tally] = {}
    for day in days:
        for meter, tally in day.sums.items():
            key = (day.origin, format_date(day.day), meter)
            sums[key] = sums.get(key, NOTHING).plus(tally)
    for (origin, date, meter), tally in sums.items():
        yield MeteredDay(origin=origin, date=date, meter=meter, tally=tally)


def report_rows(days: Iterable[DayUsage]) -> list[Row]:
    """Return the rows of a report on usage by day, months in order, then a total for each meter."""
    months: dict[tuple[str, str], Tally] = {}
    totals: dict[str, Tally] = {}
    for day in days:
        for meter, tally in day.sums.items():
            months[day.month, meter] = months.get((day.month, meter), NOTHING).plus(tally)
            totals[meter] = totals.get(meter, NOTHING).plus(tally)
    rows = [Row(month=at, meter=meter, tally=tally) for (at, meter), tally in sorted(months.items())]
    return rows + [Row(month=TOTAL, meter=meter, tally=tally) for meter, tally in sorted(totals.items())]
