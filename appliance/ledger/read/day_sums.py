"""Usage of one log by day, as the log itself keeps it: the one reader of `key` and `sum` entries.

The `key` entry that ends a day holds its sums. Of the day in progress there is a `sum` entry every few
thousand uses, so only those after the last one are added up, however busy the day. Whether all those sums are
true is for `license.evidence.verify.verify.verify` to say.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.ledger.read.entries import END, last_event, read_events
from appliance.ledger.read.totals import merge
from license.encoding.strict import parse_date
from license.evidence.log.entry import Entry, Sums, Tally

_AFTER: Final = (
    "SELECT meter, count(*), sum(quantity), sum(billed) FROM entry "
    "WHERE n >= ? AND n < ? AND kind = 'use' GROUP BY meter"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedDay:
    """A UTC day that is over.

    Attributes:
        day: Its first Unix second.
        sums: Usage by meter.
        n: Index of the `key` entry that ended it.
    """

    day: int
    sums: Sums
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySums:
    """The days of one log.

    Attributes:
        ended: The days that are over, in order.
        begun: The entry that began the day in progress: the last `key`, or the first of the log.
        day: First Unix second of the day in progress.
        sums: Its usage by meter.
        unsummed: Number of its `use` entries after its last `sum` entry.
        since: Index of that entry, or of the one that began the day; what follows it was added up.
        summed: The sums that it holds; none where it began the day.
    """

    ended: tuple[EndedDay, ...]
    begun: Entry
    day: int
    sums: Sums
    unsummed: int
    since: int
    summed: Sums

    def all(self) -> Iterator[tuple[int, Sums]]:
        """Return every day's first Unix second and its sums, the day in progress last."""
        for ended in self.ended:
            yield ended.day, ended.sums
        yield self.day, self.sums


def read_day_sums(connection: sqlite3.Connection, first: Entry, stop: int = END) -> DaySums:
    """Return the usage of a log by day.

    Args:
        connection: Open on the log.
        first: Its first entry.
        stop: Leave out the entries from this index on.

    Raises:
        sqlite3.Error: The log cannot be read.
        LicenseError: An entry cannot be read.
    """
    turns = read_events(connection, "key", stop)
    begun = turns[-1] if turns else first
    summed = last_event(connection, "sum", begun.n, stop)
    since = begun.n if summed is None else summed.n
    rows = connection.execute(_AFTER, (since, stop))
    after = {str(meter): Tally(int(n), int(q or 0), int(b or 0)) for meter, n, q, b in rows}
    return DaySums(
        ended=tuple(EndedDay(day=parse_date(turn.text("of")), sums=turn.sums(), n=turn.n) for turn in turns),
        begun=begun,
        day=parse_date(begun.text("d")),
        sums=after if summed is None else merge([summed.sums(), after]),
        unsummed=sum(tally.entries for tally in after.values()),
        since=since,
        summed={} if summed is None else summed.sums(),
    )
