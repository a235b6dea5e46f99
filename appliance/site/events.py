"""What happens at a desk: the values from which its book is made, live and when its log is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A replica was given a lease.

    Attributes:
        of: Its twelve hex digits.
        vkey: Its key.
        lease: Identifier of the lease.
        until: When the lease ends, Unix seconds.
        software: Name and version, as it says.
    """

    of: str
    vkey: str
    lease: str
    until: int
    software: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """From here on a replica may use up to `allowed` units of a meter in a term."""

    of: str
    meter: str
    term: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A record of a report was counted.

    Attributes:
        of: The replica.
        log: Its usage log.
        first: Index of the first entry that the report covers, and `next` the one after its last.
        next: See `first`.
        root: Root hash over the first `next` entries.
        meter: The meter.
        quantity: Units used.
        billed: Units that count against the plan and were not charged before, as a slice that was lost.
        late: Whether it was used in a term that had ended when it was reported.
    """

    of: str
    log: str
    first: int
    next: int
    root: bytes
    meter: str
    quantity: int
    billed: int
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A replica stopped in order, and holds nothing any more."""

    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOff:
    """A replica is not expected back: what it may have used of its slice counts as used.

    Attributes:
        of: The replica.
        why: `lapsed`, `operator`, or `cloned`: two histories of its log were shown.
        term: The term of the slice.
        units: By meter; empty where the plan does not block.
    """

    of: str
    why: str
    term: int
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Units that had been written off were reported after all; they are not charged again."""

    of: str
    term: int
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a replica showed of itself.

    Attributes:
        of: The replica.
        log: The usage log that it writes.
        size: Entries under the head that it showed.
        root: Root hash over them.
        created: When it said so, Unix seconds of its own effective time.
        term: First second of the term.
        used: Units recorded in it, by meter.
    """

    of: str
    log: str
    size: int
    root: bytes
    created: int
    term: int
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """Two histories of one usage log were shown: the replica was copied, put back, or lost its log."""

    of: str
    log: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A replica showed a grant that the desk does not know: the desk was put back to an older state.

    Attributes:
        of: The replica.
        sequence: That of the grant.
        until: Up to this Unix second no units of a plan that blocks are granted.
    """

    of: str
    sequence: int
    until: int


Event = Leased | Sliced | Counted | Left | WrittenOff | Found | Seen | Forked | Again
