"""Usage by day as rows: months in order and then the totals; two parts of one log's day become one."""

from appliance.ledger.read.reports import DayUsage
from appliance.ledger.read.usage_rows import TOTAL, metered, report_rows
from license.encoding.strict import parse_date
from license.evidence.log.entry import Tally

METER = "a.b.TextRecords"


def day(date: str, quantity: int, *, origin: str = "log/1", meter: str = METER) -> DayUsage:
    return DayUsage(
        service="customner", origin=origin, day=parse_date(date), sums={meter: Tally(1, quantity, quantity)}
    )


def test_months_come_in_order_with_a_total_for_each_meter() -> None:
    rows = report_rows(
        [day("2026-02-01", 5), day("2026-01-31", 2), day("2026-02-02", 1, meter="z"), day("2026-02-03", 3)]
    )
    assert [(row.month, row.meter, row.tally.quantity) for row in rows] == [
        ("2026-01", METER, 2),
        ("2026-02", METER, 8),
        ("2026-02", "z", 1),
        (TOTAL, METER, 10),
        (TOTAL, "z", 1),
    ]  # fmt: skip
    assert rows[0].cells() == ("2026-01", METER, "1", "2", "2")


def test_a_day_of_one_log_is_one_row_of_costs() -> None:
    rows = list(metered([day("2026-02-01", 5), day("2026-02-01", 2), day("2026-02-01", 1, origin="log/2")]))
    assert [(row.origin, row.date, row.tally.quantity) for row in rows] == [
        ("log/1", "2026-02-01", 7),
        ("log/2", "2026-02-01", 1),
    ]  # fmt: skip
