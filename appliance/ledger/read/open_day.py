"""Sums of the day in progress, which no `key` entry says yet, as a reader of a log's database finds them.

The log itself keeps them in a `sum` entry every few thousand uses, so only those after the last one are added
up, however busy the day.
"""

import sqlite3
from typing import Final

from appliance.ledger.read.totals import merge
from license.evidence.log.entry import Tally, parse

_SUMMED: Final = (
    # The second condition lets SQLite use the index that leaves usage out.
    "SELECT text FROM entry WHERE kind = 'sum' AND kind <> 'use' AND n >= ? AND n < ? ORDER BY n DESC LIMIT 1"
)
_AFTER: Final = (
    "SELECT meter, count(*), sum(quantity), sum(billed) FROM entry "
    "WHERE n >= ? AND n < ? AND kind = 'use' GROUP BY meter"
)
_END: Final = 1 << 62


def open_day(connection: sqlite3.Connection, start: int, stop: int = _END) -> dict[str, Tally]:
    """Return the sums by meter of the entries of one day.

    Args:
        connection: Open on the log.
        start: Index of the entry that began the day.
        stop: Leave out the entries from this index on.

    Raises:
        sqlite3.Error: The log cannot be read.
        LicenseError: A `sum` entry cannot be read.
    """
    row = connection.execute(_SUMMED, (start, stop)).fetchone()
    summed = None if row is None else parse(str(row[0]))
    rows = connection.execute(_AFTER, (start if summed is None else summed.n, stop))
    after = {str(meter): Tally(int(n), int(q or 0), int(b or 0)) for meter, n, q, b in rows}
    return after if summed is None else merge([summed.sums(), after])
