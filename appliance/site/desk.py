"""The desk: leases, slices and reports, each durable and signed before its answer leaves.

One process: its usage log is locked. One call at a time: an answer is a decision of the book (pure), an entry
in the log, and the same events taken into the book. Signatures are checked before.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from appliance.errors import UsageStoreUnavailable
from appliance.host.effective_clock import ClockSources, EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.high_water import recorded_high_water
from appliance.licensing.effective_time import open_clock, time_at_start, time_while_running
from appliance.licensing.manager import LicenseManager
from appliance.site.book import Ask, Book, Position
from appliance.site.counting import counted_events, term_of
from appliance.site.events import Again, Event, Leased, Seen
from appliance.site.heads import is_late, is_other_history, newest_word, says_less, shown_head
from appliance.site.home import Home
from appliance.site.lease import DeskRules, check_skew, make_lease
from appliance.site.record import Record
from appliance.site.refusals import late_word, other_head, refuse_copies, require_known, require_place
from appliance.site.words import ask_in, kept_of, seen_in, units_of
from appliance.version import VERSION
from license.crypto.ed25519 import VerifyingKey
from license.errors import AuthorityError, Malformed
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.merkle import ProofError, check_consistency
from license.licenses.license import License
from license.licenses.request import open_request
from license.metering_protocol import Acknowledgement, open_report
from license.slices.protocol import (
    Shortage,
    Slice,
    SliceReply,
    Standing,
    open_slice,
    open_standing,
    sign_slice,
)
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.site")

LISTEN_BEATS: Final = 2
"""After a start, so many heartbeats pass before units are granted: every replica that can has spoken."""


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
        self._words: dict[str, Seen] = {}
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
            now, plan = self.clock.now(), licensed.license.plan
            self._record = Record(self.ledger, directory, plan, now)
            self.book.listen(now, LISTEN_BEATS * self.rules.heartbeat_s)
            if restored and licensed.license.site is not None:
                until = now + licensed.license.site.lease_s
                self._commit([Again(of="operator", sequence=0, until=until)])
        except BaseException:
            self.ledger.close()
            raise

    @property
    def book(self) -> Book:
        """Who holds how much; hold `guard` meanwhile."""
        return self._record.book

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
            refuse_copies(self.book, of)
            lease, note = make_lease(site, request, self.identity, now=now, rules=self.rules)
            require_place(self.book, of, site.license, now)
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
            raise Malformed("the idempotency key is not the log and first entry of the report")
        with self._lock:
            now = self.clock.now()
            require_known(self.book, report.instance, signed.instance)
            position = self.book.position(report.log)
            if report.first == position.next:
                counted = Checkpoint(origin=report.log, size=position.next, root=position.root)
                self._check_growth(counted, report.next, signed.root, signed.growth)
                known = self._head(report.log)
                if known.size == report.next and known.root != signed.root:
                    self._fork(report.log, report.next)
                plan = self.licenses.current.license.plan
                self._commit(counted_events(self.book, report, signed.root, plan=plan, now=now))
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
        of = standing.fingerprint
        with self._lock:
            now, licensed = self.clock.now(), self.licenses.current.license
            require_known(self.book, of, standing.instance, live_at=now)
            check_skew(licensed, standing.created, now)
            word = seen_in(standing)
            self._check_word(word, standing)
            self._heard[of], self._words[of] = now, word
            term = term_of(licensed.plan, now)
            events = self._unknown_grants(held, standing, term, now)
            if events:
                self._commit([*self._unwritten(of), *events])
            ask = ask_in(standing, term, self._is_newest(held, of))
            decided = self.book.returns(ask) if standing.returns else self._grants(ask, standing, held, now)
            if decided:
                self._commit([*self._unwritten(of), *decided])
            return self._reply(standing, ask, held, now)

    def position(self, log: str) -> tuple[int, int]:
        """Return how many entries of a log are counted, and the size of its head that was shown last."""
        if log.count("/") != 3:
            return 0, 0
        with self._lock:
            position = self.book.position(log)
            return position.next, self._head(log).size

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
        word = self._words.get(of)
        return {} if word is None else word.used

    @property
    def guard(self) -> threading.Lock:
        """Held while the book changes."""
        return self._lock

    def tick(self) -> None:
        """Do what time asks for: look for a new licence, and write off who is not expected back."""
        before = self.licenses.current.sha256
        self.licenses.reload(self.ledger.change_license, time_under=self._time_under)
        with self._lock:
            now, plan = self.clock.now(), self.licenses.current.license.plan
            if self.licenses.current.sha256 != before:
                self._record.recount(plan, now)
            lapsed = self.book.lapsed(now, self.rules.patience_s, term_of(plan, now))
            if lapsed:
                self._commit(lapsed)
        for event in lapsed:
            _log.warning(
                "the replica %s is written off: its lease ended, and nothing was heard since", event.of
            )

    def close(self) -> None:
        """Write down what replicas said last, sign the last checkpoint, and let go of the directory."""
        try:
            with self._lock:
                words = [event for of in self._words for event in self._unwritten(of)]
                if words:
                    self._commit(words)
        except UsageStoreUnavailable as error:
            _log.error("what replicas said last is not in the desk's log: %s", error.message)
        finally:
            self.ledger.close()

    # -- inside ----------------------------------------------------------------------------------------------

    def _time_under(self, license: License) -> int:
        return time_while_running(license, self.clock, serial=self.licenses.current.license.serial)

    def _commit(self, events: Sequence[Event]) -> None:
        self._record.commit(events, license=self.licenses.current.license, now=self.clock.now())

    def _head(self, log: str) -> Checkpoint:
        """Return the head of a log from which the next word must show that it grew."""
        shown = self._heads.get(log)
        heard = [] if shown is None else [Position(next=shown.size, root=shown.root)]
        known = shown_head(self.book, log, heard)
        return Checkpoint(origin=log, size=known.next, root=known.root)

    def _unwritten(self, of: str) -> list[Seen]:
        """Return the newest word of a replica unless it is in the desk's log."""
        word, replica = self._words.get(of), self.book.replicas.get(of)
        return [] if word is None or (replica is not None and replica.seen == word) else [word]

    def _check_word(self, word: Seen, standing: Standing) -> None:
        """Check that a word is newer than the newest one and shows no less, and know the head that it shows.

        A word that was held up on its way, or is sent again, shows an older log and is no fork.

        Raises:
            AuthorityError: `LateWord`, `OtherHead`, `ClonedInstance`.
        """
        newest, known = newest_word(self.book, word.of, self._words.get(word.of)), self._head(word.log)
        if is_late(word, newest):
            raise late_word(word.of)
        if standing.since != known.size:
            raise other_head(word.log, known.size, standing.since)
        # Less, if its log and the count beside it were thrown away, or put back.
        head = Position(next=word.size, root=word.root)
        is_other = word.size < known.size or is_other_history(self.book, word.log, head)
        if is_other or says_less(self.book, word, newest):
            self._fork(word.log, word.size)
        self._check_growth(known, word.size, word.root, standing.growth)
        self._heads[word.log] = standing.head

    def _check_growth(self, known: Checkpoint, size: int, root: bytes, growth: Sequence[bytes]) -> None:
        if not known.size:
            return
        try:
            check_consistency(known.size, size, known.root, root, growth)
        except ProofError:
            self._fork(known.origin, size)

    def _fork(self, log: str, size: int) -> None:
        """Remember that two histories of a log were shown, and refuse both.

        Raises:
            AuthorityError: `ClonedInstance`.
        """
        of = log.split("/")[2]
        term = term_of(self.licenses.current.license.plan, self.clock.now())
        self._commit(self.book.fork(log, size, term))
        _log.error(
            "two histories of %s were shown: the replica %s was copied, put back, or lost its log", log, of
        )
        refuse_copies(self.book, of)

    def _open_held(self, standing: Standing) -> Slice | None:
        if not standing.held:
            return None
        held = open_slice(standing.held, self.identity.signing.verifying)
        if held.instance != standing.instance:
            raise AuthorityError(
                "the slice that the replica shows is another's",
                status="Mismatch",
                code="OtherKey",
                hint="give each replica a state directory of its own",
            )
        return held

    def _is_newest(self, held: Slice | None, of: str) -> bool:
        """Whether a slice is the last one that its replica was granted."""
        return held is not None and held.sequence == self.book.replicas[of].sequence

    def _unknown_grants(self, held: Slice | None, standing: Standing, term: int, now: int) -> list[Event]:
        """Return what follows from a grant that this desk has signed and does not know: it was put back."""
        if held is None or not any(dict(held.units).values()) or self._record.knows(held):
            return []
        of = VerifyingKey.from_vkey(held.instance).fingerprint
        if (of, held.sequence) in self.book.believed:  # said before: the pause does not begin anew
            return []
        site = self.licenses.current.license.site
        until = now + (0 if site is None else site.lease_s)
        _log.error(
            "the replica %s shows a grant that this desk does not know: the desk was put back to an older "
            "state. No units of a plan that blocks are granted for one lease period",
            of,
        )
        events: list[Event] = [Again(of=of, sequence=held.sequence, until=until)]
        if held.term == term:
            events += self.book.shown(of, term, kept_of(held, standing, term))
        return events

    def _grants(self, ask: Ask, standing: Standing, held: Slice | None, now: int) -> Sequence[Event]:
        """Return what changes for a replica; nothing while the desk listens."""
        plan = self.licenses.current.license.plan
        if plan.overage != "block" or self.book.grants_at() > now:
            return []
        lowered = self.book.settle(ask, kept_of(held, standing, ask.term), plan.meters)
        return lowered or self.book.given_back(ask) or self.book.slices(ask, plan.meters, now)

    def _reply(self, standing: Standing, ask: Ask, held: Slice | None, now: int) -> SliceReply:
        license, replica = self.licenses.current.license, self.book.replicas[ask.of]
        waits = self.book.grants_at() - now
        allowed = {meter: replica.allowed.get((meter, ask.term), 0) for meter, _ in license.plan.meters}
        if waits > 0:
            # What the book says may have been given back since: a replica has what it shows, and no more.
            allowed = dict.fromkeys(allowed, 0) | units_of(held, ask.term)
        blocks = license.plan.overage == "block"
        granted = Slice(
            instance=standing.instance,
            subscription=license.subscription,
            term=ask.term,
            units=tuple(allowed.items()) if blocks else (),
            sequence=replica.sequence,
            issued=now,
        )
        if waits > 0 and held is not None and held.term == ask.term:
            granted = replace(granted, units=held.units, sequence=held.sequence)
        lacks = any(units - ask.used.get(m, 0) < max(1, ask.need.get(m, 0)) for m, units in granted.units)
        used = {of: word.used for of, word in self._words.items() if word.term == ask.term}
        shortage = self.book.shortage(ask.term, license.plan.meters, used, now)
        return SliceReply(
            status="OutOfQuota" if self.is_used_up() else "Valid",
            slice=sign_slice(granted, self.identity.signing).note,
            head=standing.head.size,
            retry_s=max(1, min(self.rules.heartbeat_s, waits)) if lacks else 0,
            shortage=shortage if blocks else Shortage.NONE,
        )
