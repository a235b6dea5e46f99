"""From a report to the events that count it. Pure."""

from __future__ import annotations

from collections import defaultdict

from appliance.licensing.quota import window
from appliance.site.book import Book
from appliance.site.events import Counted, Event, Found
from license.licenses.terms import Plan
from license.metering_protocol import UsageReport


def term_of(plan: Plan, at: int) -> int:
    """Return the first second of the term that a second belongs to; 0 if it lies before the plan."""
    start, _ = window(plan, at)
    return start if at >= start else 0


def counted_events(book: Book, report: UsageReport, root: bytes, *, plan: Plan, now: int) -> list[Event]:
    """Return what happens when a report is counted that begins where the count of its log ends.

    What was used in a term that has ended is charged to the present one: a log whose entries are in the order
    of time cannot say it otherwise. What was written off before is not charged again.

    Args:
        book: The desk's.
        report: The report.
        root: Root hash over the entries up to its end.
        plan: The plan in force.
        now: Unix second.
    """
    term, of = term_of(plan, now), report.instance
    billed: dict[str, int] = defaultdict(int)
    for record in report.records:
        if term_of(plan, record.at) == term:
            billed[record.meter] += record.billed
    left = book.found(of, term, billed)
    events: list[Event] = [Found(of=of, term=term, units=dict(left))] if left else []
    for record in report.records:
        late = term_of(plan, record.at) != term
        covered = 0 if late else min(record.billed, left.get(record.meter, 0))
        if covered:
            left[record.meter] -= covered
        events.append(
            Counted(
                of=of,
                log=report.log,
                first=report.first,
                next=report.next,
                root=root,
                meter=record.meter,
                quantity=record.quantity,
                billed=record.billed - covered,
                late=late,
            )
        )
    return events
