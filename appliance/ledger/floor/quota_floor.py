"""The usage that counts against the plan beside that of the open log, and its second copy.

The count lives in the logs and in the state directory. A start takes the greater of both for each day: who
throws away one of them, or puts it back to an older state, does not begin at zero. What no log can prove any
more is written into the open one as `carry` entries, hashed and signed like any other, so that the logs alone
say it from then on.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.ledger.floor.floor_file import Floor, FloorFile
from appliance.ledger.floor.proven_logs import Others, merge_copies, read_installations, read_logs
from appliance.ledger.log.journal import Journal
from appliance.ledger.read.totals import Days, RunningTotals, greater, lacking, merge

_log = logging.getLogger("appliance.usage")

KEEP_SECONDS: Final = 60


class QuotaFloor:
    """What the plan counts beside the open log. Used by the writer's thread; `used` by any.

    Args:
        directory: The ledger directory.
        state: The state directory.
        service: Service name.
    """

    def __init__(self, directory: Path, state: Path, service: str) -> None:
        self._directory = directory
        self._file = FloorFile(state, service)
        self._floor = self._file.read()
        self._other = RunningTotals()
        self._day = -1
        self._due_at = 0.0
        self._warned = False

    @property
    def log(self) -> str:
        """The log that was written last, as the state directory says; empty without a word of it."""
        return "" if self._floor is None else self._floor.log

    def used(self, meter: str, start: int, end: int) -> int:
        """Return the billed units of a meter from `start` up to `end` that are not in the open log."""
        return self._other.used(meter, start, end)

    def remember(self, journal: Journal) -> None:
        """Hold on to what is known while a log is open: its file may not be able to tell it any more."""
        self._floor = self._whole(journal)

    def recount(self, journal: Journal) -> None:
        """Add up anew what counts beside the open log, record there what no log can prove, and keep it all.

        To be called once the log is open and a licence in force.

        Raises:
            OSError, sqlite3.Error: It cannot be recorded, or not be kept where the plan blocks.
        """
        earlier, own, claimed = RunningTotals(), RunningTotals(), RunningTotals()
        carried: Days = journal.state.carried
        own.absorb(journal.state.totals)
        for log in merge_copies(read_logs(self._directory, but=journal.state.origin)):
            if log.proven:
                earlier.add_days(log.days)
                own.add_days(log.days)
                carried = greater(carried, log.carried)
            else:
                claimed.add_days(log.days)
        if self._floor is not None:
            carried = greater(carried, lacking(self._floor.days, own.days()))
        elif not carried:
            # Left by software that kept no second copy: what the entries say is all there is.
            carried = claimed.days()
        others = self._others(journal)
        # Another installation may have counted this one's usage: only what is more than that is new.
        carried = greater(greater(carried, others.used), lacking(others.known, own.days()))
        journal.carry(carried)
        earlier.add_days(journal.state.carried)
        self._other = earlier
        self._keep(journal)

    def follow(self, journal: Journal) -> None:
        """Keep up with what was just committed before its answers leave; if the plan records, each minute.

        Raises:
            OSError: It cannot be kept, and the plan blocks.
        """
        day = journal.state.day
        if day != self._day or time.monotonic() >= self._due_at:
            self._keep(journal)
        if _blocks(journal):
            sums = merge([journal.state.totals.of(day), self._other.of(day)])
            self._file.note(journal.state.origin, day, sums)

    def close(self, journal: Journal) -> None:
        """Keep the count of a log that is left in order; a failure only warns."""
        try:
            self._file.keep(self._whole(journal))
        except OSError as error:
            self._warn(error)

    def _others(self, journal: Journal) -> Others:
        license = journal.license
        if license is None or not _blocks(journal):
            return Others(used={}, known={})
        subscription = license.license.subscription
        return read_installations(
            self._directory.parent,
            but=self._directory,
            prefix=journal.state.origin.rpartition("/")[0],
            subscription=subscription,
        )

    def _whole(self, journal: Journal) -> Floor:
        totals = RunningTotals()
        totals.absorb(journal.state.totals)
        totals.absorb(self._other)
        return Floor(log=journal.state.origin, days=totals.days())

    def _keep(self, journal: Journal) -> None:
        self._guarded(journal, lambda: self._file.keep(self._whole(journal)))
        self._day, self._due_at = journal.state.day, time.monotonic() + KEEP_SECONDS

    def _guarded(self, journal: Journal, write: Callable[[], None]) -> None:
        """A plan that only records goes on without the second copy; one that blocks does not."""
        try:
            write()
        except OSError as error:
            if _blocks(journal):
                raise
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("the count of usage cannot be kept in %s: %s", self._file.path, error.strerror)


def _blocks(journal: Journal) -> bool:
    return journal.license is None or journal.license.license.plan.overage == "block"
