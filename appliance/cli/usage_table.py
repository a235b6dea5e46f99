"""The usage report as a table for people: a row for each month and meter, and the total of each meter.

Where several services keep their ledgers under one mount, each has a table of its own.
"""

from collections.abc import Iterable, Iterator, Sequence

from appliance.ledger.read.reports import DayUsage, month_text
from appliance.ledger.read.usage_rows import TOTAL, Row, report_rows

_HEADINGS = ("month", "meter", "requests", "quantity", "billed")


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
