"""The usage report as a table for people: a row for each month and meter, and the total of each meter.

Where several services keep their ledgers under one mount, each has a table of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from appliance.ledger.read.reports import DayUsage, month_text
from license.encoding.strict import format_date
from license.evidence.bundle.focus import MeteredDay
from license.evidence.log.entry import NOTHING, Tally

TOTAL = "total"
_HEADINGS = ("month", "meter", "requests", "quantity", "billed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: a month (`YYYY-MM`, or `total`), a meter and its sums."""

    month: str
    meter: str
    tally: Tally

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line; numbers with thousands separators."""
        return (self.month, self.meter, *(f"{number:,}" for number in self.tally))


def between(
    days: Iterable[DayUsage],
    *,
    month: tuple[int, int] | None = None,
    first: int | None = None,
    last: int | None = None,
) -> Iterator[DayUsage]:
    """Leave out other days.

    Args:
        days: Usage by day.
        month: Month and year wanted; None for all.
        first: Unix second at which the first day wanted begins; None for no limit.
        last: Likewise of the last one.
    """
    wanted = None if month is None else month_text(*month)
    for day in days:
        late = last is not None and day.day > last
        if wanted in (None, day.month) and (first is None or day.day >= first) and not late:
            yield day


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


def render_report(days: Sequence[DayUsage], services: Sequence[str]) -> str:
    """Return the report on usage by day: one table, or one under the name of each of several services."""
    if len(services) == 1:
        return render_table(report_rows(days))
    tables = (
        f"{service}\n\n{render_table(report_rows(day for day in days if day.service == service))}"
        for service in services
    )
    return "\n\n".join(tables)


def render_table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text; numbers to the right."""
    if not rows:
        return "no usage recorded"
    lines = [_HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    rendered = [_align(line, widths) for line in lines]
    rule = "  ".join("-" * width for width in widths)
    first_total = next((i for i, row in enumerate(rows, 1) if row.month == TOTAL), len(rendered))
    return "\n".join([rendered[0], rule, *rendered[1:first_total], rule, *rendered[first_total:]])


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    words = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
    return "  ".join([*words, *numbers]).rstrip()
