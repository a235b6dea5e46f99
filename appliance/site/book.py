"""The book of a desk: who holds how much of the plan. Pure: no clock, no file, no key.

For each meter and term of a plan that blocks, at all times

    charged + sum(open slices) <= units

A slice is a cumulative allowance: a replica may use up to so many units of a meter, counted from the first
second of the term. What is open of it is what it does not know to be counted. So a grant that is asked for
twice grants nothing twice, and a replica that reports late, twice or never changes nothing about the sum.

Decisions return events and change nothing; `apply` takes an event in. The desk makes them durable in between,
and the same events, read again, make the same book.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from appliance.site.events import Again, Counted, Event, Forked, Found, Leased, Left, Seen, Sliced, WrittenOff
from license.slices.protocol import Shortage

Key = tuple[str, int]
"""Meter, and first second of the term."""
SHARE: Final = 2
"""A slice is at most one part in this many of what is free for each replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a usage log is counted: number of entries, and the root hash over them; empty if unknown."""

    next: int
    root: bytes


@dataclass(slots=True, kw_only=True)
class Replica:
    """One replica.

    Attributes:
        of: Its twelve hex digits.
        vkey: Its key; empty if only its grants are known.
        lease: Identifier of its lease.
        until: When the lease ends.
        software: Name and version, as it says.
        since: When it first had a lease.
        left: Whether it stopped in order.
        lost: Whether it was written off.
        forked: The log of which two histories were shown; empty if none.
        allowed: Up to how many units it may use, by meter and term.
        counted: Units that it reported.
        written_off: Units charged as lost that it has not reported since.
        logs: How far its logs are counted.
        sequence: Index of the entry with its newest slice in the desk's log.
        seen: Its newest word that is in the desk's log.
    """

    of: str
    vkey: str = ""
    lease: str = ""
    until: int = 0
    software: str = ""
    since: int = 0
    left: bool = False
    lost: bool = False
    forked: str = ""
    allowed: dict[Key, int] = field(default_factory=dict)
    counted: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    written_off: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    logs: dict[str, Position] = field(default_factory=dict)
    sequence: int = 0
    seen: Seen | None = None

    def charged(self, key: Key) -> int:
        """Units that it has reported, or that were written off."""
        return self.counted.get(key, 0) + self.written_off.get(key, 0)

    def open(self, key: Key) -> int:
        """Units that it may use or has used, and that are not charged yet."""
        return max(0, self.allowed.get(key, 0) - self.charged(key))

    def is_live(self, now: int) -> bool:
        """Whether it may hold a lease that has not ended."""
        return not self.left and not self.lost and now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a replica asks of its slice.

    Attributes:
        of: The replica.
        term: First second of the term.
        used: Units recorded in it, by meter.
        need: Units without which it cannot answer, by meter.
        wants: Units it expects to use, by meter.
        keeps: Up to how many units it uses from now on, by meter, of the slice that it was granted last.
    """

    of: str
    term: int
    used: Mapping[str, int] = field(default_factory=dict)
    need: Mapping[str, int] = field(default_factory=dict)
    wants: Mapping[str, int] = field(default_factory=dict)
    keeps: Mapping[str, int] = field(default_factory=dict)


class Book:
    """The book. Not safe for threads.

    Attributes:
        replicas: By their twelve digits.
        charged: Units reported or lost, by meter and term.
        paused_until: Up to this second nothing is granted, since the desk was put back.
        believed: Grants that the desk did not know and took as granted: replica, and sequence of its slice.
    """

    def __init__(self) -> None:
        self.replicas: dict[str, Replica] = {}
        self.charged: dict[Key, int] = defaultdict(int)
        self.paused_until = 0
        self.believed: set[tuple[str, int]] = set()
        self._listens_until = 0

    # -- what is ---------------------------------------------------------------------------------------------

    def open(self, key: Key) -> int:
        """Return the sum of the open slices."""
        return sum(replica.open(key) for replica in self.replicas.values())

    def free(self, key: Key, units: int) -> int:
        """Return the units that can still be granted of so many; never negative."""
        return max(0, units - self.charged.get(key, 0) - self.open(key))

    def shortage(
        self, term: int, plan: Iterable[tuple[str, int]], used: Mapping[str, Mapping[str, int]], now: int
    ) -> Shortage:
        """Return what replicas should give back.

        What is idle where more units of a meter lie unused at replicas than are free. All of it where not
        one unit is left for each: who holds none is not ready, and a balancer asks others.

        Args:
            term: First second of the term.
            plan: Units by meter.
            used: What each replica said last that it has used in the term.
            now: Unix second.
        """
        live, found = self.live(now), Shortage.NONE
        if live < 2:
            return found
        for meter, units in plan:
            key = (meter, term)
            idle = sum(
                max(
                    0, replica.allowed.get(key, 0) - max(replica.charged(key), used.get(of, {}).get(meter, 0))
                )
                for of, replica in self.replicas.items()
            )
            free = self.free(key, units)
            if free < idle:
                found = max(found, Shortage.LAST if free + idle < live else Shortage.IDLE)
        return found

    def live(self, now: int) -> int:
        """Return how many replicas may hold a lease now."""
        return sum(replica.is_live(now) for replica in self.replicas.values())

    def position(self, log: str) -> Position:
        """Return how far a usage log is counted."""
        replica = self.replicas.get(log.split("/")[2])
        return (
            Position(next=0, root=b"")
            if replica is None
            else replica.logs.get(log, Position(next=0, root=b""))
        )

    # -- listening first -------------------------------------------------------------------------------------

    def listen(self, now: int, seconds: int) -> None:
        """After a start: grant nothing for so many seconds, in which every replica speaks that can.

        A desk cannot know that it was put back to an older state, not even at what looks like a first start;
        its replicas can.
        """
        self._listens_until = now + seconds

    def grants_at(self) -> int:
        """Return the second from which on units are granted; it may have passed."""
        return max(self.paused_until, self._listens_until)

    # -- decisions -------------------------------------------------------------------------------------------

    def slices(self, ask: Ask, plan: Iterable[tuple[str, int]], now: int) -> list[Sliced]:
        """Return what a replica is granted beyond what it has; nothing if it has enough.

        As much as it wants, but no more than a fair part of what is free; at least what it needs, if there
        is so much.
        """
        if self.grants_at() > now:
            return []
        granted = []
        for meter, units in plan:
            key = (meter, ask.term)
            allowed, used = self._allowed(ask.of, key), ask.used.get(meter, 0)
            base = max(allowed, used)
            left = max(0, allowed - used)
            need, wants = (max(0, asked.get(meter, 0) - left) for asked in (ask.need, ask.wants))
            # What it has used beyond its allowance, under a licence before this one, is charged to it too.
            free = self.free(key, units) - max(0, base - max(allowed, self._charged(ask.of, key)))
            fair = max(1, free // (SHARE * max(1, self.live(now))))
            more = min(free, max(need, min(wants, fair)))
            if max(need, wants) > 0 and more >= max(1, need):
                granted.append(Sliced(of=ask.of, meter=meter, term=ask.term, allowed=base + more))
        return granted

    def shown(self, of: str, term: int, units: Mapping[str, int]) -> list[Sliced]:
        """Return what a replica shows as granted, where this book does not know so much."""
        return [
            Sliced(of=of, meter=meter, term=term, allowed=allowed)
            for meter, allowed in units.items()
            if allowed > self._allowed(of, (meter, term))
        ]

    def settle(self, ask: Ask, held: Mapping[str, int], plan: Iterable[tuple[str, int]]) -> list[Sliced]:
        """Return what a replica does not hold any more, where more is granted than there is.

        That can only be after the desk was put back: what was given back since then is granted twice in its
        book. The replica itself says what it holds.
        """
        lowered = []
        for meter, units in plan:
            key = (meter, ask.term)
            allowed = self._allowed(ask.of, key)
            kept = max(self._charged(ask.of, key), ask.used.get(meter, 0), held.get(meter, 0))
            if kept < allowed and self.charged.get(key, 0) + self.open(key) > units:
                lowered.append(Sliced(of=ask.of, meter=meter, term=ask.term, allowed=kept))
        return lowered

    def given_back(self, ask: Ask) -> list[Sliced]:
        """Return what a replica gives back of the slice that it holds, and does not use any more."""
        lowered = []
        for meter, keeps in ask.keeps.items():
            key = (meter, ask.term)
            kept = max(self._charged(ask.of, key), ask.used.get(meter, 0), keeps)
            if kept < self._allowed(ask.of, key):
                lowered.append(Sliced(of=ask.of, meter=meter, term=ask.term, allowed=kept))
        return lowered

    def returns(self, ask: Ask) -> list[Event]:
        """Return what happens when a replica stops in order: what it has not used is free again."""
        replica = self.replicas.get(ask.of)
        if replica is None:
            return []
        events: list[Event] = []
        for (meter, term), allowed in replica.allowed.items():
            kept = max(replica.charged((meter, term)), ask.used.get(meter, 0))
            if term == ask.term and kept < allowed:
                events.append(Sliced(of=ask.of, meter=meter, term=term, allowed=kept))
        return [*events, Left(of=ask.of)]

    def write_off(self, of: str, term: int, why: str) -> list[Event]:
        """Return what happens when a replica is given up; nothing if it left, or was given up before."""
        replica = self.replicas.get(of)
        if replica is None or replica.lost or (replica.left and not self._holds(replica, term)):
            return []
        units = {m: replica.open((m, t)) for m, t in replica.allowed if t == term and replica.open((m, t))}
        return [WrittenOff(of=of, why=why, term=term, units=units)]

    def fork(self, log: str, size: int, term: int) -> list[Event]:
        """Return what happens when two histories of a log are shown: what is held counts as used."""
        of = log.split("/")[2]
        return [Forked(of=of, log=log, size=size), *self.write_off(of, term, "cloned")]

    def lapsed(self, now: int, patience: int, term: int) -> list[Event]:
        """Return the write-offs of replicas whose lease ended so many seconds ago."""
        return [
            event
            for of, replica in self.replicas.items()
            if replica.until + patience <= now and not replica.lost
            for event in self.write_off(of, term, "lapsed")
        ]

    def found(self, of: str, term: int, billed: Mapping[str, int]) -> dict[str, int]:
        """Return how much of these units, now reported, was charged as lost before, by meter."""
        replica = self.replicas.get(of)
        if replica is None:
            return {}
        covered = {
            meter: min(units, replica.written_off.get((meter, term), 0)) for meter, units in billed.items()
        }
        return {meter: units for meter, units in covered.items() if units}

    def _allowed(self, of: str, key: Key) -> int:
        replica = self.replicas.get(of)
        return 0 if replica is None else replica.allowed.get(key, 0)

    def _charged(self, of: str, key: Key) -> int:
        replica = self.replicas.get(of)
        return 0 if replica is None else replica.charged(key)

    def _holds(self, replica: Replica, term: int) -> bool:
        return any(replica.open(key) for key in replica.allowed if key[1] == term)

    # -- events ----------------------------------------------------------------------------------------------

    def take(self, event: Event, at: int, term: int, n: int = 0) -> None:
        """Take an event in that happened in a second of a term; `n` is the index of its entry."""
        if isinstance(event, Again):  # of a replica, or of the operator, who is none
            self.paused_until = max(self.paused_until, event.until)
            self.believed.add((event.of, event.sequence))
            return
        replica = self.replicas.setdefault(event.of, Replica(of=event.of))
        match event:
            case Leased():
                replica.vkey, replica.lease, replica.software = event.vkey, event.lease, event.software
                replica.until, replica.since = event.until, replica.since or at
                replica.left = replica.lost = False
            case Sliced():
                replica.allowed[event.meter, event.term] = event.allowed
                replica.sequence = n
            case Counted():
                replica.logs[event.log] = Position(next=event.next, root=event.root)
                self.charged[event.meter, term] += event.billed
                if not event.late:
                    replica.counted[event.meter, term] += event.billed
            case WrittenOff() | Found():
                self._move(replica, event)
            case Left():
                replica.left = True
            case Seen():
                replica.seen = event
            case Forked():
                replica.forked = event.log

    def _move(self, replica: Replica, event: WrittenOff | Found) -> None:
        """Charge units as lost, or find them again among those that were."""
        for meter, units in event.units.items():
            key = (meter, event.term)
            if isinstance(event, WrittenOff):
                replica.written_off[key] += units
                self.charged[key] += units
            else:
                replica.written_off[key] -= units
                replica.counted[key] += units
        replica.lost = replica.lost or isinstance(event, WrittenOff)
