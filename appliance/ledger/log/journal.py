"""What is written into a usage log, and when: the rules of entries, days, months and checkpoints.

Synchronous and used by one thread at a time; `appliance.ledger.log.commit_thread` gives it that thread.
Each method writes one transaction or a short series of them; after a failure a new journal is made from
what is on disk.

    boot   [turn] boot lic    checkpoint "start", signed by the day key and the key of the installation
    use    [turn] clock… [sum] use…
           sum                the sums of the day so far, every 16,384 uses: nobody adds up more than that
    minute                    checkpoint "minute", if anything was added; sooner if somebody asks for it
    turn   key                names the next day's key; checkpoint "day" by the old key, which is then erased
           close              in a new month: the sums of the old one
    idle   tick               an hour after the last entry, and after a turn
    stop   tick               checkpoint "stop"
    ack    ack                the endpoint of a connected run has counted so many entries
    carry  carry              units of a day that the plan counts and no entry of this log tells of
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.host.effective_clock import ClockEventKind, clock_rules
from appliance.ledger.log.appender import Appender, JournalContext
from appliance.ledger.log.drafts import (
    Draft,
    boot_draft,
    carry_drafts,
    clock_drafts,
    day_draft,
    disk_draft,
    license_draft,
    month_draft,
    sum_draft,
    tick_draft,
)
from appliance.ledger.log.sqlite_store import Store
from appliance.ledger.log.state import LogState, check_head, load_state
from appliance.ledger.log.usage_record import UsageRecord
from appliance.ledger.read.high_water import HighWater
from appliance.ledger.read.totals import Days, greater
from license.encoding.strict import DAY, encode_base64, format_date
from license.errors import EpochTooLow, SerialTooLow
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.entry import Value
from license.evidence.log.merkle import Frontier
from license.evidence.verify.witness import proven_heads
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.usage")

CHECKPOINT_SECONDS = 60
IDLE_SECONDS = 3600
SUM_ENTRIES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """The log that a successor takes over from.

    Attributes:
        reason: Why, in a word.
        head: The last head of it that was signed.
        note: That head as it was signed; empty where only its numbers are known.
    """

    reason: str
    head: Checkpoint
    note: bytes


class Journal:
    """One open log.

    Args:
        store: Its file.
        context: The installation.
        state: The log as it is on disk.
        license: The licence that was in force before a failure.
    """

    def __init__(
        self,
        store: Store,
        context: JournalContext,
        state: LogState,
        *,
        license: AuthenticLicense | None = None,
    ) -> None:
        self._store = store
        self._context = context
        self._state = state
        self._appender = Appender(store, context, state)
        self._license = license

    @classmethod
    def begin(
        cls,
        store: Store,
        context: JournalContext,
        *,
        origin: str,
        license: AuthenticLicense,
        high_water: HighWater,
        predecessor: Predecessor | None = None,
    ) -> "Journal":
        """Begin a log with its `open` entry, or with `recover` if it takes over from another.

        Its first checkpoint is signed by the installation and by the first day key: that binds the two. What
        the logs before it prove (`high_water`) goes on to hold.
        """
        proven = high_water.mark.effective if high_water.mark else 0
        context.clock.raise_floor(max(license.license.issued, proven))
        at = context.clock.now()
        key = context.keys.make(origin)
        month = format_date(at)[:7]
        state = LogState(
            origin=origin,
            frontier=Frontier(),
            day=at - at % DAY,
            day_key=key,
            day_month=month,
            month=month,
            highest_serial=high_water.serial,
            highest_epoch=high_water.epoch,
        )
        values: dict[str, Value] = {
            "o": origin,
            "i": context.identity.verifying.vkey,
            "d": format_date(state.day),
            "vk": key.verifying.vkey,
            "r": license.root.vkey,
            "v": context.software,
            "s": context.service,
        }
        if predecessor is not None:
            head = predecessor.head
            values |= {"w": predecessor.reason, "po": head.origin, "pn": head.size}
            values["pr"] = encode_base64(head.root)
        store.create(origin)
        journal = cls(store, context, state)
        journal._appender.append([("recover" if predecessor else "open", at, values)], at=at, why="start")
        context.keys.erase_except(key.verifying)
        return journal

    def reload(self) -> "Journal":
        """Return a journal over what is on disk now, after a failure left this one in doubt.

        Raises:
            Damaged: What is there is not what was written, or not all of it.
            OSError, sqlite3.Error: The disk does not allow it yet.
        """
        self._store.reopen()
        state = load_state(
            self._store,
            origin=self._state.origin,
            identity=self._context.identity.verifying,
            keys=self._context.keys,
        )
        durable = self._state.frontier
        head = Checkpoint(origin=state.origin, size=durable.size, root=durable.root())
        check_head(self._store, state, head)
        return Journal(self._store, self._context, state, license=self._license)

    def settle(self) -> None:
        """Make sure of what was written before a failure; see `Store.settle`."""
        self._store.settle()

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def now(self) -> int:
        """Effective time in Unix seconds."""
        return self._context.clock.now()

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def license(self) -> AuthenticLicense | None:
        """The licence in force; None before `boot`."""
        return self._license

    def sign_last_head(self) -> bytes:
        """Sign all that was durable, from memory, and publish it; for a log that can no longer be written.

        Whatever becomes of the file: this head says what was in it.
        """
        signed = self._appender.sign(self._state.frontier, self.now(), "damage")
        self._appender.publish(signed)
        return signed.note

    @property
    def state(self) -> LogState:
        """The log as it stands; for reading."""
        return self._state

    def boot(self, license: AuthenticLicense) -> None:
        """Record that the service starts, and under which licence.

        Raises:
            SerialTooLow, EpochTooLow: The licence is older than one that was in force here.
        """
        self.check_license(license)
        self._license = license
        self._set_rules(license)
        at = self._context.clock.now()
        self._turn(at)
        clock = self._context.clock
        boot = boot_draft(clock, license, software=self._context.software, at=at)
        self._appender.append([boot, *clock_drafts(clock, at)], at=at, why="start")
        self.change_license(license)

    def check_license(self, license: AuthenticLicense) -> None:
        """Refuse a licence older than one that was in force here.

        Raises:
            SerialTooLow, EpochTooLow: It is.
        """
        serial, epoch = license.license.serial, license.delegation.epoch
        if serial < self._state.highest_serial:
            highest = self._state.highest_serial
            raise SerialTooLow(
                f"the licence has serial {serial}, but serial {highest} was already in force here"
            )
        if epoch < self._state.highest_epoch:
            highest = self._state.highest_epoch
            raise EpochTooLow(f"the licence's issuer has epoch {epoch}, but epoch {highest} was seen here")

    def check_accepted(self, license: AuthenticLicense) -> None:
        """Check that this log extends the heads of it that the vendor accepted and the licence carries.

        Raises:
            Damaged: It does not: it was put back to an older state, or is another history.
        """
        for head in proven_heads(license):
            if head.origin == self._state.origin:
                accepted = Checkpoint(origin=head.origin, size=head.size, root=head.root)
                check_head(self._store, self._state, accepted)

    def change_license(self, license: AuthenticLicense) -> None:
        """Put another licence in force; one with a higher serial may put right a clock that ran ahead.

        Raises:
            SerialTooLow, EpochTooLow: It is older than one that was in force here.
        """
        self.check_license(license)
        if license.sha256 == self._state.license_sha256:
            return
        clock = self._context.clock
        self._set_rules(license)
        newer = 0 < self._state.highest_serial < license.license.serial
        if newer and clock.lower(license.license.issued):
            # Record the clock change under the old time, then move back.
            before = next(event for event in clock.events() if event.kind is ClockEventKind.LOWERED).expected
            self._turn(before)
            self._appender.append(clock_drafts(clock, before), at=before)
        at = clock.now()
        self._turn(at)
        drafts = [license_draft(license, at), *clock_drafts(clock, at)]
        self._appender.append(drafts, at=at, why="license", license=license)
        self._license = license

    def commit(
        self, groups: Sequence[Sequence[UsageRecord]], events: Sequence[tuple[str, Mapping[str, Value]]] = ()
    ) -> list[int]:
        """Write the uses of several requests, a group for each, in one transaction.

        Args:
            groups: The uses.
            events: Entries of other kinds that go before them: their kind, and what they say.

        Returns:
            The index of the first entry of each request.
        """
        mark = self._context.clock.mark()
        at = mark.effective
        self._turn(at)
        drafts = clock_drafts(self._context.clock, at)
        if self._state.unsummed >= SUM_ENTRIES:
            drafts.append(sum_draft(self._state, at))
        drafts += [(kind, at, values) for kind, values in events]
        return self._appender.append(drafts, at=at, groups=groups, mark=mark)

    def do_what_is_due(self) -> None:
        """Do what time asks for: the turn of the day, the minute's checkpoint, a sign of life when idle."""
        state, at = self._state, self._context.clock.now()
        turned = not state.day <= at < state.day + DAY
        if turned:
            self._turn(at)
        # The turn alone does not show that the service ran: a start writes one for days without a run too.
        if turned or at - state.written_at >= IDLE_SECONDS:
            drafts = [*clock_drafts(self._context.clock, at), tick_draft("idle", at)]
            self._appender.append(drafts, at=at, why="minute")
        elif state.signed_size < state.frontier.size and at - state.signed_at >= CHECKPOINT_SECONDS:
            self._appender.append([], at=at, why="minute")

    def checkpoint(self) -> None:
        """Sign now whatever is not signed yet."""
        self.do_what_is_due()
        if self._state.signed_size < self._state.frontier.size:
            self._appender.append([], at=self._context.clock.now(), why="minute")

    def stop(self) -> None:
        """Record that the service stops, and sign the log as it is left."""
        at = self._context.clock.now()
        self._turn(at)
        drafts = [*clock_drafts(self._context.clock, at), tick_draft("stop", at)]
        self._appender.append(drafts, at=at, why="stop")

    def acknowledge(self, origin: str, position: int) -> None:
        """Record that the endpoint of a connected run has counted so many entries of a log; once is enough.

        Args:
            origin: The log, this one or one before it.
            position: Number of entries, from the first one on.
        """
        if position <= self._state.metered.get(origin, 0):
            return
        at = self._context.clock.now()
        self._turn(at)
        draft: Draft = ("ack", at, {"o": origin, "x": position})
        self._appender.append([*clock_drafts(self._context.clock, at), draft], at=at)
        self._state.metered[origin] = position

    def carry(self, days: Days) -> None:
        """Record and sign units of earlier days, or of today, that other logs recorded or a lost one had.

        They count against the plan and are in no sum of this log. What was carried before is not said again.
        """
        more = {day: sums for day, sums in greater(self._state.carried, days).items() if sums}
        more = {day: sums for day, sums in more.items() if sums != self._state.carried.get(day)}
        if not more:
            return
        at = self._context.clock.now()
        self._turn(at)
        drafts = [*clock_drafts(self._context.clock, at), *carry_drafts(more, at)]
        self._appender.append(drafts, at=at, why="minute")
        self._state.carried |= more

    def note_fault(self, fault: str, *, since: int, lost: int) -> None:
        """Record that the store failed, or is back: the error, since when, and the requests it cost."""
        at = self._context.clock.now()
        self._turn(at)
        self._appender.append([disk_draft(fault, since=since, lost=lost, at=at)], at=at, why="disk")

    def _turn(self, at: int) -> None:
        """End the day in progress if `at` lies on another day, and the month if it lies in another month."""
        state = self._state
        if not state.day <= at < state.day + DAY:
            key = self._context.keys.make(state.origin)
            self._appender.append([day_draft(state, key.verifying, at)], at=at, why="day")
            state.start_day(at, key)
            self._context.keys.erase_except(key.verifying)
        if state.day_month != state.month:
            first = state.frontier.size
            self._appender.append([month_draft(state, at)], at=at)
            state.start_month(at, first)

    def _set_rules(self, license: AuthenticLicense) -> None:
        self._context.clock.set_rules(clock_rules(license.license.clock))
        self._context.clock.raise_floor(license.license.issued)
