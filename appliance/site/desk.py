"""The desk: leases, slices and reports, each durable and signed before its answer leaves.

One process: its usage log is locked. One call at a time: an answer is a decision of the book (pure), an entry
in the log, and the same events taken into the book. Signatures are checked before.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final

from appliance.errors import UsageStoreUnavailable
from appliance.host.effective_clock import ClockSources, EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.entries import entry_text
from appliance.ledger.read.high_water import recorded_high_water
from appliance.licensing.effective_time import open_clock, time_at_start, time_while_running
from appliance.licensing.manager import LicenseManager
from appliance.licensing.quota import window
from appliance.site.book import Ask, Book, Position
from appliance.site.entries import from_entry, to_entries
from appliance.site.events import Again, Counted, Event, Forked, Found, Leased
from appliance.site.home import Home
from appliance.site.lease import DeskRules, check_skew, make_lease
from appliance.version import VERSION
from license.crypto.ed25519 import VerifyingKey
from license.errors import AuthorityError, LicenseError
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.entry import parse
from license.evidence.log.merkle import ProofError, check_consistency
from license.evidence.log.source import find_databases, log_number, open_database
from license.licenses.license import License
from license.licenses.request import open_request
from license.licenses.terms import Plan
from license.licenses.validity import State, state_at
from license.metering_protocol import Acknowledgement, UsageReport, open_report
from license.slice_protocol import Slice, SliceReply, Standing, open_slice, open_standing, sign_slice
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.site")

LISTEN_BEATS: Final = 2
"""After a start, so many heartbeats pass before units are granted: every replica that can has spoken."""
_EVENTS: Final = (
    "SELECT n, text FROM entry WHERE kind IN ('use','lease','slice','left','lost','found','fork','again') "
    "ORDER BY n"
)


def term_of(plan: Plan, at: int) -> int:
    """Return the first second of the term of a plan that a second belongs to; 0 if it lies before the plan."""
    start, _ = window(plan, at)
    return start if at >= start else 0


class Desk:
    """An open desk. Safe for threads; close it exactly once.

    Args:
        home: Its directory.
        roots: Keys that may vouch for its licence.
        rules: How the site is run.
        sources: Of its clock; this machine's without it.
        restored: Whether it was put back from a backup: it grants no units for one lease period.

    Raises:
        SettingsError, IdentityError: The directory is not that of a desk.
        LicenseError: There is no site licence that may be used here.
        LedgerLocked: Another process runs this desk.
    """

    def __init__(
        self,
        home: Home,
        *,
        roots: TrustRoots,
        rules: DeskRules | None = None,
        sources: ClockSources | None = None,
        restored: bool = False,
    ) -> None:
        self.home, self.rules = home, rules or DeskRules()
        self.product, self.identity = home.product(), home.identity()
        self._lock = threading.Lock()
        self._heads: dict[str, Checkpoint] = {}
        self._heard: dict[str, int] = {}
        self._used: dict[str, dict[str, int]] = {}
        directory = home.ledger(self.identity)
        high_water = recorded_high_water(directory)

        def time_under(license: License) -> int:
            return time_at_start(license, high_water, sources)

        self.licenses = LicenseManager(
            home.license,
            roots=roots,
            product=self.product.product,
            instance_vkey=self.identity.vkey,
            time_under=time_under,
            min_serial=high_water.serial,
            min_epoch=high_water.epoch,
            site=True,
        )
        licensed = self.licenses.current
        self.licenses.require_startable(time_under(licensed.license))
        self.clock: EffectiveClock = open_clock(licensed.license, high_water, sources)
        self.directory = directory
        self.ledger = Ledger.open(
            directory,
            identity=self.identity.signing,
            state=self.identity.state,
            keys=self.identity.directory,
            clock=self.clock,
            license=licensed,
            software=f"offline-appliance {VERSION}",
            service=self.product.name,
        )
        try:
            self.book = self._read_book()
            self._begin(restored=restored)
        except BaseException:
            self.ledger.close()
            raise

    # -- what replicas ask -----------------------------------------------------------------------------------

    def lease(self, body: bytes) -> tuple[bytes, bytes]:
        """Return the note of a lease and that of the issuer, for the note of a request.

        Raises:
            AuthorityError: It is refused, with the reason.
            LicenseError: The request is none.
            UsageStoreUnavailable: It cannot be recorded.
        """
        request = open_request(body)
        of = request.key.fingerprint
        with self._lock:
            now, site = self.clock.now(), self.licenses.current
            self._refuse_fork(of)
            lease, note = make_lease(site, request, self.identity, now=now, rules=self.rules)
            self._check_places(of, site.license, now)
            leased = Leased(
                of=of,
                vkey=request.instance,
                lease=lease.id,
                until=lease.terminates,
                software=request.software,
            )
            self._commit([leased])
            self._heard[of] = now
        return note, site.issuer_note

    def usage(self, body: bytes, key: str = "") -> Acknowledgement:
        """Count a report, unless it was counted before, and say how far its log is counted.

        Args:
            body: Note of the report.
            key: The idempotency key that came with it; empty without one.

        Raises:
            AuthorityError, LicenseError, UsageStoreUnavailable: As `lease`.
        """
        signed = open_report(body)
        report = signed.report
        if key and key != report.idempotency_key:
            raise AuthorityError("the idempotency key is not the log and first entry of the report", code="Malformed")
        with self._lock:
            now = self.clock.now()
            self._known(report.instance, signed.instance)
            position = self.book.position(report.log)
            if report.first == position.next:
                counted = Checkpoint(origin=report.log, size=position.next, root=position.root)
                self._check_growth(report.log, counted, report.next, signed.root, signed.growth)
                known = self._head(report.log, position)
                if known.size == report.next and known.root != signed.root:
                    self._fork(report.log, report.next)
                self._commit(self._counted(report, signed.root))
            self._heard[report.instance] = now
            after = self.book.position(report.log).next
            status = "OutOfQuota" if self.is_used_up() else "Valid"
        return Acknowledgement(status=status, log=report.log, next=after)

    def slices(self, body: bytes) -> SliceReply:
        """Take a replica's standing, and return the slice that it holds from here on.

        Raises:
            AuthorityError, LicenseError, UsageStoreUnavailable: As `lease`.
        """
        standing = open_standing(body)
        held = self._open_held(standing)
        of, log = standing.fingerprint, standing.head.origin
        with self._lock:
            now, licensed = self.clock.now(), self.licenses.current.license
            self._known(of, standing.instance, live=True)
            check_skew(licensed, standing.created, now)
            known = self._head(log, self.book.position(log))
            if standing.since == known.size <= standing.head.size:
                self._check_growth(log, known, standing.head.size, standing.head.root, standing.growth)
            elif standing.head.size < known.size:
                self._fork(log, standing.head.size)
            else:
                raise AuthorityError(
                    f"the head of {log} that this desk knows has {known.size:,} entries, not {standing.since:,}",
                    code="OtherHead",
                    hint="the replica asks how far it is known, and speaks again",
                )
            self._heads[log] = standing.head
            self._heard[of], self._used[of] = now, dict(standing.used)
            plan, term = licensed.plan, term_of(licensed.plan, now)
            events = self._unknown_grants(held, term, now)
            if events:
                self._commit(events)
            ask = Ask(
                of=of,
                term=term,
                used=dict(standing.used) if standing.term == term else {},
                need=dict(standing.need) if standing.term == term else {},
                wants=dict(standing.wants) if standing.term == term else {},
            )
            decided = self.book.returns(ask) if standing.returns else self._grants(ask, plan, now)
            if decided:
                self._commit(decided)
            return self._reply(standing, ask, plan, now)

    def position(self, log: str) -> tuple[int, int]:
        """Return how many entries of a log are counted, and the size of its newest head that was shown."""
        if log.count("/") != 3:
            return 0, 0
        with self._lock:
            position = self.book.position(log)
            return position.next, self._head(log, position).size

    # -- what its operator asks ------------------------------------------------------------------------------

    def write_off(self, of: str) -> bool:
        """Charge what a replica holds as used, and mark it lost; False if there is nothing to do.

        Raises:
            UsageStoreUnavailable: It cannot be recorded.
        """
        with self._lock:
            plan = self.licenses.current.license.plan
            events = self.book.write_off(of, term_of(plan, self.clock.now()), "operator")
            if events:
                self._commit(events)
            return bool(events)

    def is_used_up(self) -> bool:
        """Whether the plan blocks and some meter of it has no unit left, for anybody."""
        plan = self.licenses.current.license.plan
        if plan.overage != "block":
            return False
        term = term_of(plan, self.clock.now())
        return any(self.book.charged.get((meter, term), 0) >= units for meter, units in plan.meters)

    def heard(self, of: str) -> int:
        """Return when a replica was heard last in this run, Unix seconds; 0 for never."""
        return self._heard.get(of, 0)

    def used(self, of: str) -> Mapping[str, int]:
        """Return what a replica said last that it has used in the term, by meter."""
        return self._used.get(of, {})

    @property
    def guard(self) -> threading.Lock:
        """Held while the book changes."""
        return self._lock

    def tick(self) -> None:
        """Do what time asks for: look for a new licence, and write off who is not expected back."""
        self.licenses.reload(self.ledger.change_license, time_under=self._time_under)
        with self._lock:
            now, plan = self.clock.now(), self.licenses.current.license.plan
            lapsed = self.book.lapsed(now, self.rules.patience_s, term_of(plan, now))
            if lapsed:
                self._commit(lapsed)
        for event in lapsed:
            _log.warning("the replica %s is written off: its lease ended, and nothing was heard since", event.of)

    def close(self) -> None:
        """Sign the last checkpoint, and let go of the directory."""
        self.ledger.close()

    # -- inside ----------------------------------------------------------------------------------------------

    def _time_under(self, license: License) -> int:
        return time_while_running(license, self.clock, serial=self.licenses.current.license.serial)

    def _read_book(self) -> Book:
        book, plan = Book(), self.licenses.current.license.plan
        for path in sorted(find_databases(self.directory), key=log_number):
            with closing(open_database(path)) as connection:
                for n, text in connection.execute(_EVENTS):
                    entry = parse(str(text))
                    for event in from_entry(entry):
                        book.take(event, entry.at, term_of(plan, entry.at), int(n))
        return book

    def _begin(self, *, restored: bool) -> None:
        now, licensed = self.clock.now(), self.licenses.current.license
        plan, term = licensed.plan, term_of(licensed.plan, now)
        _, end = window(plan, now)
        for meter, _ in plan.meters:
            # A log that was lost is in no entry that can be read, but in the count that is kept with the keys.
            used = self.ledger.used(meter, term, end if plan.monthly else 1 << 62)
            self.book.charged[meter, term] = max(used, self.book.charged.get((meter, term), 0))
        self.book.listen(now, LISTEN_BEATS * self.rules.heartbeat_s)
        if restored and licensed.site is not None:
            self._commit([Again(of="operator", sequence=0, until=now + licensed.site.lease_s)])

    def _commit(self, events: Sequence[Event]) -> None:
        """Make events durable, then take them in."""
        now, license = self.clock.now(), self.licenses.current.license
        drafts, uses = to_entries(events, grace=state_at(license, now) is State.GRACE)
        n = self.ledger.record(drafts, uses)
        term = term_of(license.plan, now)
        others = 0
        for event in events:
            self.book.take(event, now, term, n + others)
            others += not isinstance(event, Counted)

    def _refuse_fork(self, of: str) -> None:
        replica = self.book.replicas.get(of)
        if replica is not None and replica.forked:
            raise AuthorityError(
                f"two histories of {replica.forked} were shown to this desk: the replica {of} was copied, or put "
                "back to an older state",
                status="Mismatch",
                code="ClonedInstance",
                hint="give each replica a state directory of its own, which makes it a new one, and write this one "
                f"off at the desk: appliance site write-off {of}",
            )

    def _known(self, of: str, vkey: str, *, live: bool = False) -> None:
        """Refuse who has no lease of this desk, and who was copied."""
        self._refuse_fork(of)
        replica = self.book.replicas.get(of)
        if replica is None or replica.vkey != vkey or (live and not replica.is_live(self.clock.now())):
            raise AuthorityError(
                f"the replica {of} has no lease of this desk",
                status="Mismatch",
                code="UnknownInstance",
                hint="POST its request note to /v1/connected first",
            )

    def _check_places(self, of: str, site: License, now: int) -> None:
        terms, known = site.site, self.book.replicas.get(of)
        if terms is None or (known is not None and known.is_live(now)):
            return
        if self.book.live(now) >= terms.max_instances:
            raise AuthorityError(
                f"the site licence is for {terms.max_instances:,} replicas at once, and as many hold a lease",
                status="ContainerUseUnauthorized",
                code="TooManyMachines",
                hint="stop one, write off one that is gone (`appliance site status`, `appliance site write-off`), or "
                "have the vendor issue a licence for more",
            )

    def _head(self, log: str, position: Position) -> Checkpoint:
        """Return the newest head of a log that was shown, or else the one where its count ends."""
        counted = Checkpoint(origin=log, size=position.next, root=position.root)
        shown = self._heads.get(log)
        return shown if shown is not None and shown.size >= counted.size else counted

    def _check_growth(self, log: str, known: Checkpoint, size: int, root: bytes, growth: Sequence[bytes]) -> None:
        if not known.size:
            return
        try:
            check_consistency(known.size, size, known.root, root, growth)
        except ProofError:
            self._fork(log, size)

    def _fork(self, log: str, size: int) -> None:
        """Remember that two histories of a log were shown, and refuse both.

        Raises:
            AuthorityError: `ClonedInstance`.
        """
        of = log.split("/")[2]
        self._commit([Forked(of=of, log=log, size=size)])
        _log.error("two histories of %s were shown: the replica %s was copied, or put back", log, of)
        self._refuse_fork(of)

    def _counted(self, report: UsageReport, root: bytes) -> list[Event]:
        plan = self.licenses.current.license.plan
        term = term_of(plan, self.clock.now())
        billed: dict[str, int] = defaultdict(int)
        for record in report.records:
            if term_of(plan, record.at) == term:
                billed[record.meter] += record.billed
        found = self.book.found(report.instance, term, billed)
        left = dict(found)
        events: list[Event] = [Found(of=report.instance, term=term, units=found)] if found else []
        for record in report.records:
            late = term_of(plan, record.at) != term
            covered = 0 if late else min(record.billed, left.get(record.meter, 0))
            if covered:
                left[record.meter] -= covered
            events.append(
                Counted(
                    of=report.instance,
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

    def _open_held(self, standing: Standing) -> Slice | None:
        if not standing.held:
            return None
        held = open_slice(standing.held, self.identity.signing.verifying)
        if held.instance != standing.instance:
            raise AuthorityError("the slice that the replica shows is another's", status="Mismatch", code="OtherKey")
        return held

    def _unknown_grants(self, held: Slice | None, term: int, now: int) -> list[Event]:
        """Return what follows from a grant that this desk has signed and does not know: it was put back."""
        if held is None or not held.units or self._is_known(held):
            return []
        site = self.licenses.current.license.site
        until = now + (0 if site is None else site.lease_s)
        of = self._digits(held)
        _log.error(
            "the replica %s shows a grant that this desk does not know: the desk was put back to an older state. "
            "No units of a plan that blocks are granted for one lease period",
            of,
        )
        events: list[Event] = [Again(of=of, sequence=held.sequence, until=until)]
        if held.term == term:
            events += self.book.shown(of, term, dict(held.units))
        return events

    def _is_known(self, held: Slice) -> bool:
        """Whether the entry that a slice names is that grant, in this desk's log."""
        try:
            with closing(open_database(self.ledger.path)) as connection:
                text = entry_text(connection, held.sequence)
            entry = None if text is None else parse(text)
        except (sqlite3.Error, LicenseError) as error:
            raise UsageStoreUnavailable(f"the desk's log cannot be read: {error}") from error
        if entry is None or entry.kind != "slice" or entry.text("of") != self._digits(held):
            return False
        return dict(held.units).get(entry.text("m")) == entry.number("a")

    @staticmethod
    def _digits(held: Slice) -> str:
        return VerifyingKey.from_vkey(held.instance).fingerprint

    def _grants(self, ask: Ask, plan: Plan, now: int) -> Sequence[Event]:
        return self.book.slices(ask, plan.meters, now) if plan.overage == "block" else []

    def _reply(self, standing: Standing, ask: Ask, plan: Plan, now: int) -> SliceReply:
        replica = self.book.replicas[ask.of]
        blocks = plan.overage == "block"
        units = tuple((m, replica.allowed.get((m, ask.term), 0)) for m, _ in plan.meters) if blocks else ()
        granted = Slice(
            instance=standing.instance,
            subscription=self.licenses.current.license.subscription,
            term=ask.term,
            units=units,
            sequence=replica.sequence,
            issued=now,
        )
        lacks = any(allowed - ask.used.get(m, 0) < max(1, ask.need.get(m, 0)) for m, allowed in units)
        wait = max(1, min(self.rules.heartbeat_s, self.book.grants_at(now) - now)) if lacks else 0
        return SliceReply(
            status="OutOfQuota" if self.is_used_up() else "Valid",
            slice=sign_slice(granted, self.identity.signing).note,
            head=standing.head.size,
            retry_s=wait,
        )
