"""Reading entries of one log from its database: by index, by kind, by what `ack` entries say."""

import sqlite3
from typing import Final

from appliance.ledger.read.totals import greater
from license.encoding.strict import parse_date
from license.errors import LicenseError
from license.evidence.log.entry import Entry, Sums, parse

_TEXT: Final = "SELECT text FROM entry WHERE n = ?"
# In these the second condition lets SQLite use the index that leaves usage out.
_EVENTS: Final = "SELECT text FROM entry WHERE kind = ? AND kind <> 'use' AND n < ? ORDER BY n"
_LAST_EVENT: Final = (
    "SELECT text FROM entry WHERE kind = ? AND kind <> 'use' AND n >= ? AND n < ? ORDER BY n DESC LIMIT 1"
)
_ACKNOWLEDGED: Final = (
    "SELECT json_extract(text,'$.o'), max(json_extract(text,'$.x')) FROM entry "
    "WHERE kind = 'ack' AND kind <> 'use' GROUP BY 1"
)
END: Final = 1 << 62
"""An index behind every entry."""


def entry_text(connection: sqlite3.Connection, n: int) -> str | None:
    """Return the exact text of an entry; None where there is none."""
    row = connection.execute(_TEXT, (n,)).fetchone()
    return None if row is None else str(row[0])


def first_entry(connection: sqlite3.Connection) -> Entry:
    """Return the entry that begins a log and names it.

    Raises:
        LicenseError: The log has no entries, or this one cannot be read.
    """
    text = entry_text(connection, 0)
    if text is None:
        raise LicenseError("the log has no entries")
    return parse(text)


def read_events(connection: sqlite3.Connection, kind: str, stop: int = END) -> list[Entry]:
    """Return the entries of a kind before an index, in order; for kinds other than `use`.

    Raises:
        LicenseError: One cannot be read.
    """
    return [parse(str(text)) for (text,) in connection.execute(_EVENTS, (kind, stop))]


def last_event(connection: sqlite3.Connection, kind: str, start: int = 0, stop: int = END) -> Entry | None:
    """Return the newest entry of a kind from one index up to another; for kinds other than `use`.

    Raises:
        LicenseError: It cannot be read.
    """
    row = connection.execute(_LAST_EVENT, (kind, start, stop)).fetchone()
    return None if row is None else parse(str(row[0]))


def read_carried(connection: sqlite3.Connection) -> dict[int, Sums]:
    """Return by day what `carry` entries say: units that count against the plan without an entry of this log.

    Raises:
        LicenseError: One cannot be read.
    """
    days: dict[int, Sums] = {}
    for entry in read_events(connection, "carry"):
        days = greater(days, {parse_date(entry.text("of")): entry.sums()})
    return days


def read_acknowledged(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many entries of each log are counted by the endpoint of a connected run, as `ack` says."""
    return {str(origin): int(position) for origin, position in connection.execute(_ACKNOWLEDGED)}
