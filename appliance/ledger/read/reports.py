"""Usage reports as the containers give them: every ledger under the output mount, summed, read-only.

A log keeps the sums of each day, so a month is at most 32 small entries and what followed the last of them;
see `appliance.ledger.read.day_sums`.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.ledger.read.day_sums import read_day_sums
from appliance.ledger.read.entries import entry_text, first_entry
from appliance.ledger.read.totals import merge
from license.encoding.strict import format_date
from license.errors import LicenseError
from license.evidence.log.entry import Sums
from license.evidence.log.source import find_copies, find_databases, find_ledgers, open_database

_log = logging.getLogger("appliance.usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """What one log recorded on one UTC day.

    Attributes:
        service: Service name.
        origin: The log.
        day: First Unix second of the day.
        sums: Usage by meter.
    """

    service: str
    origin: str
    day: int
    sums: Sums

    @property
    def month(self) -> str:
        """The month as `YYYY-MM`."""
        return format_date(self.day)[:7]


def usage_by_day(output: Path) -> Iterator[DayUsage]:
    """Return the usage of every log at or below a directory, day by day; an unreadable one is only logged."""
    paths = [path for ledger in find_ledgers(output) for path in find_databases(ledger)]
    copies = find_copies(paths)
    for path in paths:
        if path in copies:
            _log.warning("%s is a copy of the log in %s, and is not in the sums", path, copies[path])
        else:
            try:
                yield from _read(path)
            except (sqlite3.Error, LicenseError) as error:
                _log.error("the usage log %s cannot be read and is not in the sums: %s", path, error)


def month_text(month: int, year: int) -> str:
    """Return a month as `YYYY-MM`; raises `ValueError` outside the months 1-12 or the years 1970-9999."""
    if not 1 <= month <= 12 or not 1970 <= year <= 9999:
        raise ValueError(f"there is no month {month} of the year {year}")
    return f"{year:04d}-{month:02d}"


def usage_logs(
    output: Path, month: int | None = None, year: int | None = None, *, service: str = "customner"
) -> dict[str, Any]:
    """Return the usage report of the containers for one UTC month, or for all time.

    Args:
        output: The output mount.
        month: 1 to 12, together with `year`; None for all time.
        year: Four digits.
        service: Service whose ledgers are summed.

    Raises:
        ValueError: There is no such month.
    """
    wanted = None if month is None or year is None else month_text(month, year)
    days = (usage for usage in usage_by_day(output) if wanted in (None, usage.month))
    return usage_response(days, service)


def usage_response(days: Iterable[DayUsage], service: str) -> dict[str, Any]:
    """Return the containers' JSON for one service's usage by day; that of other services is left out."""
    sums = merge(usage.sums for usage in days if usage.service == service)
    return {
        "type": "CommerceUsageResponse",
        "apiType": service,
        "serviceName": service,
        "meters": [
            {"name": meter, "quantity": tally.quantity, "billedUnit": tally.billed}
            for meter, tally in sorted(sums.items())
        ],
    }


def _read(path: Path) -> list[DayUsage]:
    with contextlib.closing(open_database(path)) as connection:
        if entry_text(connection, 0) is None:
            return []
        first = first_entry(connection)
        days = read_day_sums(connection, first)
    service, origin = first.text("s"), first.text("o")
    return [DayUsage(service=service, origin=origin, day=day, sums=sums) for day, sums in days.all()]
