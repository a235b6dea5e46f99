"""What a desk has on disk: its usage log, from which its book is made, and which each event enters first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from appliance.errors import UsageStoreUnavailable
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.entries import entry_text
from appliance.licensing.quota import window
from appliance.site.book import Book
from appliance.site.counting import term_of
from appliance.site.entries import from_entry, to_entries
from appliance.site.events import Counted, Event
from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import MAX_TIME
from license.errors import LicenseError
from license.evidence.log.entry import parse
from license.evidence.log.source import find_databases, log_number, open_database
from license.licenses.license import License
from license.licenses.terms import Plan
from license.licenses.validity import State, state_at
from license.slices.protocol import Slice

_EVENTS: Final = (
    "SELECT n, text FROM entry "
    "WHERE kind IN ('use','lease','slice','left','lost','found','seen','fork','again') ORDER BY n"
)


class Record:
    """The book of a desk over its usage log. Not safe for threads.

    Args:
        ledger: The open log.
        directory: Where it lies.
        plan: The plan in force.
        now: Effective time, Unix seconds.
    """

    def __init__(self, ledger: Ledger, directory: Path, plan: Plan, now: int) -> None:
        self._ledger = ledger
        self.book = Book()
        for path in sorted(find_databases(directory), key=log_number):
            with closing(open_database(path)) as connection:
                for n, text in connection.execute(_EVENTS):
                    entry = parse(str(text))
                    for event in from_entry(entry):
                        self.book.take(event, entry.at, term_of(plan, entry.at), int(n))
        self.recount(plan, now)

    def recount(self, plan: Plan, now: int) -> None:
        """Make sure that the book charges all that counts for the plan.

        A log that was lost is in no entry that can be read, but in the count that is kept with the keys.
        """
        term, end = term_of(plan, now), window(plan, now)[1]
        for meter, _ in plan.meters:
            used = self._ledger.used(meter, term, end if plan.monthly else MAX_TIME)
            self.book.charged[meter, term] = max(used, self.book.charged.get((meter, term), 0))

    def commit(self, events: Sequence[Event], *, license: License, now: int) -> None:
        """Make events durable, then take them in.

        Raises:
            UsageStoreUnavailable: They could not be made durable; nothing has changed.
        """
        drafts, uses = to_entries(events, grace=state_at(license, now) is State.GRACE)
        n = self._ledger.record(drafts, uses)
        term = term_of(license.plan, now)
        for event in events:
            self.book.take(event, now, term, n)
            n += not isinstance(event, Counted)

    def knows(self, held: Slice) -> bool:
        """Whether the entry that a slice names is that grant.

        Raises:
            UsageStoreUnavailable: The log cannot be read.
        """
        try:
            with closing(open_database(self._ledger.path)) as connection:
                text = entry_text(connection, held.sequence)
            entry = None if text is None else parse(text)
        except (sqlite3.Error, LicenseError) as error:
            raise UsageStoreUnavailable(f"the desk's log cannot be read: {error}") from error
        of = VerifyingKey.from_vkey(held.instance).fingerprint
        if entry is None or entry.kind != "slice" or entry.text("of") != of:
            return False
        return dict(held.units).get(entry.text("m")) == entry.number("a")
