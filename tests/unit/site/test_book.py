"""Slices of a plan that blocks: whatever replicas, desk and network do, no more is answered than bought."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appliance.site.book import Ask, Book, Position
from appliance.site.events import (
    Again,
    Counted,
    Event,
    Forked,
    Found,
    Leased,
    Left,
    Seen,
    Sliced,
    WrittenOff,
)
from appliance.site.heads import is_late, is_other_history, newest_word, says_less, shown_head
from license.slices.protocol import Shortage

METER, TERM, UNITS = "Records", 0, 60
PLAN = ((METER, UNITS),)
KEY = (METER, TERM)
BEAT, LEASE = 1, 20


def digits(number: int) -> str:
    return f"{number:012x}"


def log_of(of: str, number: int = 1) -> str:
    return f"offline-appliance/customner/{of}/{number}"


def leased(of: str, until: int = 1_000) -> Leased:
    return Leased(of=of, vkey=f"key-{of}", lease=f"L-{of}", until=until, software="test")


def reported(of: str, first: int, following: int, billed: int, *, late: bool = False) -> Counted:
    return Counted(
        of=of,
        log=log_of(of),
        first=first,
        next=following,
        root=bytes(32),
        meter=METER,
        quantity=following - first,
        billed=billed,
        late=late,
    )


def book_of(*events: Event) -> Book:
    book = Book()
    for n, event in enumerate(events):
        book.take(event, 0, TERM, n)
    return book


@dataclass
class Replica:
    """What is true of a replica, whatever the desk believes.

    Its log has an entry that opens it, and one for each unit; `history` says which log of that name it is.
    """

    of: str
    used: int = 0
    forgotten: int = 0
    number: int = 1
    history: int = 1
    allowed: int = -1
    until: int = 0
    running: bool = True
    reachable: bool = True
    gone: bool = False
    held: tuple[int, int] = (0, -1)
    lowered: tuple[int, int] | None = None
    """The slice of which it has given back, by its number, and up to how much it uses of that one."""

    @property
    def answered(self) -> int:
        """Units it has answered, also those that stood in a log which was thrown away."""
        return self.used + self.forgotten

    @property
    def log(self) -> str:
        return log_of(self.of, self.number)

    @property
    def head(self) -> Position:
        return Position(next=self.used + 1, root=bytes([self.history]) * 32)


def counted(one: Replica, first: int, billed: int) -> Counted:
    return Counted(
        of=one.of,
        log=one.log,
        first=first,
        next=one.head.next,
        root=one.head.root,
        meter=METER,
        quantity=one.used - max(0, first - 1),
        billed=billed,
    )


class Site(RuleBasedStateMachine):
    """A desk, its replicas, and everything that happens to them. A unit is an entry of a usage log."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.log: list[tuple[Event, int]] = []
        self.book = Book()
        self.backup: list[tuple[Event, int]] = []
        self.replicas: dict[str, Replica] = {}
        self.was_restored = False
        self.words: dict[str, Seen] = {}
        self.heads: dict[str, Position] = {}

    # -- the desk --------------------------------------------------------------------------------------------

    def record(self, events: Sequence[Event]) -> None:
        for event in events:
            self.log.append((event, self.now))
            self.book.take(event, self.now, TERM, len(self.log))

    def replay(self, log: list[tuple[Event, int]]) -> Book:
        book = Book()
        for n, (event, at) in enumerate(log, start=1):
            book.take(event, at, TERM, n)
        return book

    def is_refused(self, one: Replica) -> bool:
        known = self.book.replicas.get(one.of)
        return known is not None and bool(known.forked)

    def fork(self, one: Replica) -> None:
        self.record(self.book.fork(one.log, one.head.next, TERM))

    def report(self, one: Replica) -> None:
        counted_to = self.book.position(one.log)
        if self.is_refused(one) or counted_to.next == one.head.next:
            return
        if counted_to.next > one.head.next:
            self.speak(one)  # its log is shorter than its count, which the desk is told
            return
        shown = self.shown(one)
        is_other = bool(counted_to.next) and counted_to.root != one.head.root
        if is_other or (shown.next == one.head.next and shown.root != one.head.root):
            self.fork(one)
            return
        units = one.used - max(0, counted_to.next - 1)
        found = self.book.found(one.of, TERM, {METER: units})
        billed = units - found.get(METER, 0)
        events: list[Event] = [counted(one, counted_to.next, billed)]
        if found:
            events.insert(0, Found(of=one.of, term=TERM, units=found))
        self.record(events)

    def is_believed(self, one: Replica) -> bool:
        """What a desk asks of a word before it takes it."""
        word = Seen(
            of=one.of,
            log=one.log,
            size=one.head.next,
            root=one.head.root,
            created=self.now,
            term=TERM,
            used={METER: one.used},
        )
        newest = newest_word(self.book, one.of, self.words.get(one.of))
        known = self.shown(one)
        if self.is_refused(one) or is_late(word, newest):
            return False
        grew = (not known.next or known.root == word.root) and word.size >= known.next
        if is_other_history(self.book, one.log, one.head) or says_less(self.book, word, newest) or not grew:
            self.fork(one)
            return False
        self.words[one.of], self.heads[one.log] = word, one.head
        return True

    def shown(self, one: Replica) -> Position:
        """The head that the desk has seen last of the log that a replica writes."""
        return shown_head(self.book, one.log, [self.heads[one.log]] if one.log in self.heads else [])

    def decide(self, one: Replica, events: Sequence[Event]) -> None:
        """Make a decision durable, with the word that it answers."""
        if events:
            self.record([self.words[one.of], *events])

    def speak(
        self, one: Replica, *, need: int = 0, wants: int = 0, returns: bool = False, is_heard: bool = True
    ) -> None:
        """What a desk does with a standing, and a replica with the answer."""
        if self.is_refused(one):
            return
        known = self.book.replicas.get(one.of)
        if known is None or not known.is_live(self.now):
            self.record([leased(one.of, self.now + LEASE)])
            one.until = self.now + LEASE
        if returns:
            one.allowed, one.held, one.lowered, shown_as = -1, (0, -1), None, one.held
        else:
            shown_as = one.held
        if not self.is_believed(one):
            return
        n, allowed = shown_as
        kept = allowed if one.lowered is None else min(allowed, one.lowered[1])
        sequence_known = 0 < n <= len(self.log) and self.log[n - 1][0] == Sliced(
            of=one.of, meter=METER, term=TERM, allowed=allowed
        )
        if allowed >= 0 and not sequence_known and (one.of, n) not in self.book.believed:
            believed = Again(of=one.of, sequence=n, until=self.now + LEASE)
            self.decide(one, [believed, *self.book.shown(one.of, TERM, {METER: kept})])
        is_newest = n == self.book.replicas[one.of].sequence
        ask = Ask(
            of=one.of,
            term=TERM,
            used={METER: one.used},
            need={METER: need},
            wants={METER: wants},
            keeps={} if one.lowered is None or not is_newest else {METER: one.lowered[1]},
        )
        if returns:
            self.decide(one, self.book.returns(ask))
            return
        if self.book.grants_at() > self.now:
            if is_heard:
                one.allowed = max(kept, 0)
            return
        shown = {METER: kept} if allowed >= 0 else {}
        decided: Sequence[Event] = self.book.settle(ask, shown, PLAN)
        self.decide(one, decided or self.book.given_back(ask) or self.book.slices(ask, PLAN, self.now))
        if is_heard:
            self.hear(one)

    def hear(self, one: Replica) -> None:
        """What a replica does with the slice that the desk has answered."""
        replica = self.book.replicas[one.of]
        if one.lowered is not None and replica.sequence == one.lowered[0]:
            one.allowed = min(one.lowered[1], replica.allowed.get(KEY, 0))
            return
        one.lowered = None
        one.allowed = replica.allowed.get(KEY, 0)
        one.held = (replica.sequence, one.allowed) if KEY in replica.allowed else (0, -1)

    def pick(self, number: int, true: Callable[[Replica], bool]) -> Replica | None:
        found = [one for one in self.replicas.values() if not one.gone and true(one)]
        return found[number % len(found)] if found else None

    # -- what happens ----------------------------------------------------------------------------------------

    @initialize()
    def the_site_starts(self) -> None:
        for _ in range(3):
            self.a_replica_starts()

    @rule()
    def a_replica_starts(self) -> None:
        if len(self.replicas) < 6:
            of = digits(len(self.replicas))
            self.replicas[of] = Replica(of=of)
            self.speak(self.replicas[of])

    @rule(number=st.integers(0, 5), need=st.integers(0, 25), wants=st.integers(0, 40))
    def a_replica_asks(self, number: int, need: int, wants: int) -> None:
        one = self.pick(number, lambda one: one.running and one.reachable)
        if one is not None:
            self.speak(one, need=need, wants=wants)

    @rule(number=st.integers(0, 5), units=st.lists(st.integers(1, 12), min_size=1, max_size=4))
    def a_replica_is_asked(self, number: int, units: list[int]) -> None:
        """It answers from its slice, or asks the desk for what it lacks, as it goes on."""
        one = self.pick(number, lambda one: one.running and self.now < one.until)
        if one is not None:
            self.use(one, units)

    def use(self, one: Replica, units: list[int]) -> None:
        for wanted in units:
            if one.used + wanted > one.allowed and one.reachable:
                self.speak(one, need=wanted, wants=2 * wanted)
            if one.used + wanted <= one.allowed:
                one.used += wanted

    @rule(number=st.integers(0, 5), more=st.integers(0, 6), reaches=st.booleans(), is_heard=st.booleans())
    def a_replica_gives_back_what_it_does_not_use(
        self, number: int, more: int, reaches: bool, is_heard: bool
    ) -> None:
        """First it uses no more of it; then its word may be lost, or the answer."""
        one = self.pick(number, lambda one: one.running and one.reachable and one.held[1] >= 0)
        if one is None or one.lowered is not None or one.used + more >= one.allowed:
            return
        one.allowed = one.used + more
        one.lowered = (one.held[0], one.allowed)
        if reaches:
            self.speak(one, is_heard=is_heard)

    @rule(number=st.integers(0, 5))
    def a_replica_reports(self, number: int) -> None:
        one = self.pick(number, lambda one: one.running and one.reachable)
        if one is not None:
            self.report(one)

    @rule(number=st.integers(0, 5), keeps=st.booleans())
    def a_replica_is_killed(self, number: int, keeps: bool) -> None:
        one = self.pick(number, lambda one: one.running and self.is_heard(one))
        if one is not None:
            self.kill(one)
            one.gone = not keeps

    def kill(self, one: Replica) -> None:
        one.running, one.allowed = False, -1
        if one.lowered is not None:  # what it had given back of is not on its disk any more
            one.held, one.lowered = (0, -1), None

    @rule(number=st.integers(0, 5), as_successor=st.booleans(), shows=st.booleans())
    def a_replica_loses_its_log_and_count_and_keeps_its_keys(
        self, number: int, as_successor: bool, shows: bool
    ) -> None:
        one = self.pick(number, lambda one: not one.running)
        if one is not None:
            self.lose(one, as_successor=as_successor, shows=shows)

    def lose(self, one: Replica, *, as_successor: bool, shows: bool) -> None:
        one.forgotten, one.used = one.answered, 0
        one.history += 1
        one.number += as_successor
        one.held = one.held if shows else (0, -1)

    @rule(number=st.integers(0, 5))
    def a_replica_comes_back(self, number: int) -> None:
        one = self.pick(number, lambda one: not one.running)
        if one is not None:
            self.come_back(one)

    def come_back(self, one: Replica) -> None:
        one.running = True
        if one.reachable:
            self.report(one)
            self.speak(one)

    @rule(
        number=st.integers(0, 5),
        units=st.lists(st.integers(1, 12), min_size=1, max_size=4),
        beats=st.integers(0, 2),
        as_successor=st.booleans(),
        shows=st.booleans(),
        desk_starts=st.booleans(),
    )
    def a_replica_uses_units_loses_them_and_uses_more(
        self, number: int, units: list[int], beats: int, as_successor: bool, shows: bool, desk_starts: bool
    ) -> None:
        """What the rules above do one by one, of one replica: in that order by chance it is rare."""
        one = self.pick(number, lambda one: one.running and one.reachable and self.is_heard(one))
        if one is None:
            return
        self.use(one, units)
        for _ in range(beats):
            self.speak(one, wants=sum(units))
        self.kill(one)
        self.lose(one, as_successor=as_successor, shows=shows)
        if desk_starts:
            self.the_desk_starts_again()
            self.time_passes(3)
        self.come_back(one)
        self.use(one, units)

    @rule(number=st.integers(0, 5), reports=st.booleans())
    def a_replica_stops_in_order(self, number: int, reports: bool) -> None:
        one = self.pick(number, lambda one: one.running and one.reachable)
        if one is not None:
            if reports:
                self.report(one)
            self.speak(one, returns=True)
            one.running = False

    @rule(number=st.integers(0, 5))
    def the_network_is_cut_or_heals(self, number: int) -> None:
        one = self.pick(number, self.is_heard)
        if one is not None:
            one.reachable = not one.reachable

    def is_heard(self, one: Replica) -> bool:
        """Whether a desk that was put back knows all of it again: what both have lost, nobody can count."""
        return max(one.answered, one.allowed) <= accounted(self.book, one.of)

    @rule(number=st.integers(0, 5))
    def an_operator_writes_one_off(self, number: int) -> None:
        if self.replicas:
            of = digits(number % len(self.replicas))
            self.record(self.book.write_off(of, TERM, "operator"))

    @rule(seconds=st.sampled_from([1, 3, LEASE, 2 * LEASE]))
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            for one in self.replicas.values():
                if one.running and one.reachable and not one.gone:
                    self.speak(one)
        self.record(self.book.lapsed(self.now, LEASE, TERM))

    @rule()
    def the_desk_starts_again(self) -> None:
        self.words, self.heads = {}, {}
        self.book = self.replay(self.log)
        self.book.listen(self.now, 2 * BEAT)

    @rule()
    def the_desk_is_backed_up(self) -> None:
        self.backup = [*self.log]

    @precondition(lambda self: self.nobody_is_missed())
    @rule()
    def the_desk_is_put_back(self) -> None:
        self.log = [*self.backup]
        self.words, self.heads = {}, {}
        self.book = self.replay(self.log)
        self.book.listen(self.now, 2 * BEAT)
        self.was_restored = True

    def nobody_is_missed(self) -> bool:
        """Whether all that the backup does not know is known by a replica that can speak."""
        old = self.replay(self.backup)
        return all(
            (one.running and one.reachable and not one.gone and not one.forgotten)
            or max(one.answered, one.allowed) <= accounted(old, one.of)
            for one in self.replicas.values()
        )

    # -- what holds ------------------------------------------------------------------------------------------

    @invariant()
    def no_more_is_answered_than_was_bought(self) -> None:
        assert sum(one.answered for one in self.replicas.values()) <= UNITS

    @invariant()
    def no_more_is_granted_than_was_bought(self) -> None:
        if not self.was_restored:
            assert self.book.charged.get(KEY, 0) + self.book.open(KEY) <= UNITS

    @invariant()
    def nobody_has_used_what_is_neither_charged_nor_open(self) -> None:
        if not self.was_restored:
            for one in self.replicas.values():
                assert one.answered <= accounted(self.book, one.of)

    @invariant()
    def the_log_makes_the_same_book(self) -> None:
        again = self.replay(self.log)
        assert again.charged == self.book.charged
        assert again.replicas == self.book.replicas

    def teardown(self) -> None:
        """Whoever still has its log reports at last: what is charged is what was used, and what was lost."""
        for one in self.replicas.values():
            if not one.gone:
                self.report(one)
        book = self.book
        lost = sum(replica.written_off.get(KEY, 0) for replica in book.replicas.values())
        reported = sum(
            position.next - 1 for replica in book.replicas.values() for position in replica.logs.values()
        )
        assert book.charged.get(KEY, 0) == reported + lost
        assert all(
            one.gone or self.is_refused(one) or one.used < book.position(one.log).next or not one.used
            for one in self.replicas.values()
        )


def accounted(book: Book, of: str) -> int:
    replica = book.replicas.get(of)
    return 0 if replica is None else replica.charged(KEY) + replica.open(KEY)


TestSite = Site.TestCase
TestSite.settings = settings(max_examples=200, stateful_step_count=50)


def slices(book: Book, of: str, **asked: int) -> list[Sliced]:
    values: dict[str, Any] = {name: {METER: units} for name, units in asked.items()}
    return book.slices(Ask(of=of, term=TERM, **values), PLAN, now=10)


def test_a_slice_is_a_fair_part_of_what_is_free_and_no_more_than_is_wanted() -> None:
    book = book_of(leased(digits(1)), leased(digits(2)))
    assert slices(book, digits(1), wants=40)[0].allowed == UNITS // 4
    assert slices(book, digits(1), wants=3)[0].allowed == 3
    assert slices(book, digits(1)) == []


def test_what_is_needed_is_granted_beyond_the_fair_part_if_there_is_so_much_and_nothing_otherwise() -> None:
    book = book_of(
        leased(digits(1)), leased(digits(2)), Sliced(of=digits(2), meter=METER, term=TERM, allowed=30)
    )
    assert slices(book, digits(1), need=30)[0].allowed == 30
    assert slices(book, digits(1), need=31) == []


def test_who_holds_enough_is_granted_nothing() -> None:
    book = book_of(leased(digits(1)), Sliced(of=digits(1), meter=METER, term=TERM, allowed=20))
    assert slices(book, digits(1), used=5, wants=15) == []
    assert slices(book, digits(1), used=6, wants=15)[0].allowed == 21


def test_what_was_used_before_there_was_a_slice_is_charged_once() -> None:
    book = book_of(leased(digits(1)), reported(digits(1), 0, 20, 20))
    assert slices(book, digits(1), used=20, wants=40)[0].allowed == 20 + (UNITS - 20) // 2
    unreported = book_of(leased(digits(1)))
    assert slices(unreported, digits(1), used=20, wants=40)[0].allowed == 20 + (UNITS - 20) // 2
    assert slices(unreported, digits(1), used=UNITS, wants=40) == []


def test_a_replica_that_leaves_gives_back_what_it_did_not_use_reported_or_not() -> None:
    book = book_of(
        leased(digits(1)),
        Sliced(of=digits(1), meter=METER, term=TERM, allowed=30),
        reported(digits(1), 0, 8, 8),
    )
    events = book.returns(Ask(of=digits(1), term=TERM, used={METER: 12}))
    assert events == [Sliced(of=digits(1), meter=METER, term=TERM, allowed=12), Left(of=digits(1))]
    for event in events:
        book.take(event, 1, TERM)
    assert (book.charged.get(KEY, 0), book.open(KEY), book.free(KEY, UNITS)) == (8, 4, UNITS - 12)
    assert not book.replicas[digits(1)].is_live(0)


def test_a_slice_that_was_written_off_counts_as_used_until_it_is_reported_and_then_once() -> None:
    book = book_of(leased(digits(1), until=5), Sliced(of=digits(1), meter=METER, term=TERM, allowed=30))
    assert book.lapsed(5, 1, TERM) == []
    (event,) = book.lapsed(6, 1, TERM)
    assert event == WrittenOff(of=digits(1), why="lapsed", term=TERM, units={METER: 30})
    book.take(event, 6, TERM)
    assert book.lapsed(7, 1, TERM) == book.write_off(digits(1), TERM, "operator") == []
    assert (book.charged.get(KEY, 0), book.open(KEY)) == (30, 0)
    assert book.found(digits(1), TERM, {METER: 12}) == {METER: 12}
    assert book.found(digits(1), TERM, {METER: 40}) == {METER: 30}


def test_what_a_replica_gives_back_is_free_for_others_and_no_less_than_it_has_used() -> None:
    book = book_of(leased(digits(1)), Sliced(of=digits(1), meter=METER, term=TERM, allowed=30))
    (event,) = book.given_back(Ask(of=digits(1), term=TERM, used={METER: 4}, keeps={METER: 6}))
    assert event == Sliced(of=digits(1), meter=METER, term=TERM, allowed=6)
    (event,) = book.given_back(Ask(of=digits(1), term=TERM, used={METER: 9}, keeps={METER: 6}))
    assert event.allowed == 9
    book.take(event, 1, TERM)
    assert book.free(KEY, UNITS) == UNITS - 9
    assert book.given_back(Ask(of=digits(1), term=TERM, used={METER: 9}, keeps={METER: 40})) == []


def test_a_plan_is_short_when_more_lies_unused_at_several_replicas_than_is_free() -> None:
    book = book_of(leased(digits(1)), Sliced(of=digits(1), meter=METER, term=TERM, allowed=40))
    assert book.shortage(TERM, PLAN, {}, 1) is Shortage.NONE, "there is nobody else"
    book.take(leased(digits(2)), 0, TERM)
    assert book.shortage(TERM, PLAN, {}, 1) is Shortage.IDLE
    assert book.shortage(TERM, PLAN, {digits(1): {METER: 25}}, 1) is Shortage.NONE
    book.take(reported(digits(1), 0, 25, 25), 1, TERM)
    assert book.shortage(TERM, PLAN, {}, 1) is Shortage.NONE


def test_the_last_units_of_all_go_back_when_not_one_is_left_for_each_replica() -> None:
    book = book_of(*(leased(digits(n)) for n in range(4)))
    for n in range(3):
        book.take(Sliced(of=digits(n), meter=METER, term=TERM, allowed=1), 0, TERM)
    book.take(Sliced(of=digits(3), meter=METER, term=TERM, allowed=UNITS - 3), 0, TERM)
    assert book.shortage(TERM, PLAN, {digits(3): {METER: UNITS - 4}}, 1) is Shortage.IDLE
    assert book.shortage(TERM, PLAN, {digits(3): {METER: UNITS - 3}}, 1) is Shortage.LAST


def test_late_usage_is_charged_to_the_term_that_hears_of_it_and_to_no_slice() -> None:
    book = book_of(leased(digits(1)), Sliced(of=digits(1), meter=METER, term=TERM, allowed=10))
    book.take(reported(digits(1), 0, 7, 7, late=True), 1, TERM)
    assert (book.charged.get(KEY, 0), book.open(KEY), book.free(KEY, UNITS)) == (7, 10, UNITS - 17)


def test_nothing_is_granted_while_the_desk_listens_or_was_put_back() -> None:
    book = book_of(leased(digits(1)))
    book.listen(now=9, seconds=2)
    assert slices(book, digits(1), wants=5) == []
    book.listen(now=8, seconds=2)
    assert slices(book, digits(1), wants=5)
    book.take(Again(of=digits(1), sequence=4, until=11), 1, TERM)
    assert slices(book, digits(1), wants=5) == []


def test_what_looks_like_a_first_start_listens_too_since_it_may_be_an_old_backup() -> None:
    book = Book()
    book.listen(now=10, seconds=60)
    assert book.grants_at() == 70


def test_a_position_is_where_the_last_report_of_a_log_ended() -> None:
    book = book_of(leased(digits(1)), reported(digits(1), 0, 7, 7), Forked(of=digits(1), log="x", size=3))
    assert book.position(log_of(digits(1))) == Position(next=7, root=bytes(32))
    assert book.position(log_of(digits(2))).next == 0
    assert book.replicas[digits(1)].forked == "x"


@pytest.mark.slow
def test_no_long_sequence_of_events_answers_more_than_was_bought() -> None:
    run_state_machine_as_test(Site, settings=settings(max_examples=3_000, stateful_step_count=80))
