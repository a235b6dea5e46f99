"""How a plan that blocks is divided on a site: what a replica says of itself, and what its desk grants.

    POST {Billing}/v1/slices   a standing note  → {"status", "message", "slice", "head", "retry",
                                                   "short"}

A *standing* is signed by the replica: the head of its usage log with the proof that it grew from the head
that the desk knows, what it has used in the term, what it needs, and the slice it holds. A *slice* is signed
by the desk: up to how many units the replica may use in the term, counted from the term's first second. So a
slice that is asked for twice, or arrives twice, grants nothing twice. Formats: `docs/formats.md`, part Site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final

from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.encoding.fields import METER, Fields, check_range, check_text
from license.encoding.strict import (
    DAY,
    MAX_INT,
    MAX_TIME,
    decode_base64,
    encode_base64,
    format_date,
    format_time,
)
from license.errors import Malformed
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from license.evidence.log.merkle import HASH_BYTES
from license.trust.signed_note import open_note, read_unverified, sign_note
from license.trust.statement import parse_statement, render_statement

SLICE_PATH: Final = "/v1/slices"
STANDING_KIND: Final = "standing"
SLICE_KIND: Final = "slice"
MAX_STANDING_BYTES: Final = 65_536

_ORIGIN: Final = re.compile(r"offline-appliance/[a-z0-9][a-z0-9._-]{0,63}/([0-9a-f]{12})/[1-9][0-9]{0,8}")

Units = tuple[tuple[str, int], ...]
"""Units by meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Up to how many units a replica may use in a term.

    Attributes:
        instance: Text form of the replica's key.
        subscription: The resource that pays.
        term: First second of the term; a UTC midnight.
        units: By meter, counted from that second on.
        sequence: Number of entries of the desk's log with this grant: a higher one is newer.
        issued: When it was signed, Unix seconds.
        note: As signed; empty before.
    """

    instance: str
    subscription: str
    term: int
    units: Units
    sequence: int
    issued: int
    note: bytes = b""

    def __post_init__(self) -> None:
        VerifyingKey.from_vkey(self.instance)
        check_text("subscription", self.subscription)
        check_range("term", self.term, 0, MAX_TIME)
        check_range("sequence", self.sequence, 0, MAX_INT)
        check_range("issued", self.issued, 0, MAX_TIME)
        _check_units("units", self.units)

    def of(self, meter: str, term: int) -> int:
        """Return the units of a meter in a term; 0 for another term than this one's."""
        return dict(self.units).get(meter, 0) if term == self.term else 0

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "instance": self.instance,
            "subscription": self.subscription,
            "term": format_date(self.term),
            "units": dict(self.units),
            "sequence": self.sequence,
            "issued": format_time(self.issued),
        }


def sign_slice(granted: Slice, key: SigningKey) -> Slice:
    """Return the slice with its note, signed by the desk's key."""
    return replace(granted, note=sign_note(render_statement(SLICE_KIND, granted.to_claims()), key))


def open_slice(note: bytes, desk: VerifyingKey) -> Slice:
    """Return the slice that a desk has signed.

    Raises:
        LicenseError: It is none, or not signed by this key.
    """
    top = Fields(parse_statement(open_note(note, [desk]).text, SLICE_KIND))
    return Slice(
        instance=top.text("instance"),
        subscription=top.text("subscription"),
        term=top.day("term"),
        units=top.quantities("units"),
        sequence=top.number("sequence"),
        issued=top.time("issued"),
        note=note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a replica says of itself.

    Attributes:
        instance: Text form of its key, which signs.
        head: Head of its usage log.
        since: Size of the head that the desk knows, as far as the replica has heard.
        growth: RFC 6962 proof that the log of `since` entries is a prefix of that one.
        term: First second of the term.
        used: Units recorded in the term, by meter.
        need: Units without which it cannot answer what it was asked, by meter.
        wants: Units it expects to use until it speaks the next time but one, by meter.
        held: Note of the slice it holds; empty for none.
        keeps: Up to how many units it uses from now on, by meter, where that is less than its slice: the rest
            goes back. It has stopped using the rest before it says so.
        returns: Whether it stops, and gives back what it did not use.
        created: When, Unix seconds of effective time.
    """

    instance: str
    head: Checkpoint
    since: int
    growth: tuple[bytes, ...]
    term: int
    used: Units = ()
    need: Units = ()
    wants: Units = ()
    held: bytes = b""
    keeps: Units = ()
    returns: bool = False
    created: int = 0

    def __post_init__(self) -> None:
        VerifyingKey.from_vkey(self.instance)
        check_range("since", self.since, 0, MAX_INT)
        check_range("term", self.term, 0, MAX_TIME)
        check_range("created", self.created, 0, MAX_TIME)
        for name in ("used", "need", "wants", "keeps"):
            _check_units(name, getattr(self, name))

    @property
    def fingerprint(self) -> str:
        """The twelve hex digits of the replica."""
        return VerifyingKey.from_vkey(self.instance).fingerprint


def sign_standing(standing: Standing, key: SigningKey) -> bytes:
    """Return the note of a standing; the key must be the one that it names.

    Raises:
        Malformed: It is another key.
    """
    if key.verifying.vkey != standing.instance:
        raise Malformed("a standing is signed by the key it names")
    claims = {
        "instance": standing.instance,
        "checkpoint": encode_base64(sign_checkpoint(standing.head, key)),
        "since": standing.since,
        "growth": [encode_base64(part) for part in standing.growth],
        "term": format_date(standing.term),
        "used": dict(standing.used),
        "need": dict(standing.need),
        "wants": dict(standing.wants),
        "held": encode_base64(standing.held),
        "keeps": dict(standing.keeps),
        "returns": int(standing.returns),
        "created": format_time(standing.created),
    }
    return sign_note(render_statement(STANDING_KIND, claims), key)


def open_standing(body: bytes) -> Standing:
    """Read a standing and verify it under the key it names; whose key that is, the desk's book says.

    Raises:
        LicenseError: It is none, or not signed by the key it names.
    """
    unverified = read_unverified(body, max_bytes=MAX_STANDING_BYTES)
    claimed = Fields(parse_statement(unverified, STANDING_KIND)).text("instance")
    key = VerifyingKey.from_vkey(claimed)
    text = open_note(body, [key], max_bytes=MAX_STANDING_BYTES).text
    top = Fields(parse_statement(text, STANDING_KIND))
    head = open_checkpoint(top.base64("checkpoint"), [key]).checkpoint
    if (found := _ORIGIN.fullmatch(head.origin)) is None or found[1] != key.fingerprint:
        raise Malformed("checkpoint is not of a log of this installation")
    return Standing(
        instance=claimed,
        head=head,
        since=top.number("since"),
        growth=_hashes(top),
        term=top.day("term"),
        used=top.quantities("used"),
        need=top.quantities("need"),
        wants=top.quantities("wants"),
        held=top.base64("held"),
        keeps=top.quantities("keeps") if top.has("keeps") else (),  # replicas of before have not said it
        returns=top.number("returns") == 1,
        created=top.time("created"),
    )


class Shortage(IntEnum):
    """What a replica gives back of its slice.

    Attributes:
        NONE: Nothing.
        IDLE: What it will not use soon, but for one unit, with which it is ready: more lies unused at
            replicas than is free.
        LAST: All that it will not use soon: there is not one unit left for each replica.
    """

    NONE = 0
    IDLE = 1
    LAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceReply:
    """What the desk answers to a standing.

    Attributes:
        status: `Valid`, or `OutOfQuota`: the plan has no unit left for anybody.
        slice: Note of the slice that the replica holds from here on.
        head: Size of the head that the desk knows now.
        retry_s: Seconds after which more may be had; 0 where the slice is what was wanted.
        shortage: What goes back.
    """

    status: str
    slice: bytes
    head: int
    retry_s: int = 0
    shortage: Shortage = Shortage.NONE

    def to_claims(self, message: str) -> dict[str, Any]:
        """Return the JSON of the answer."""
        return {
            "status": self.status,
            "message": message,
            "slice": self.slice.decode("utf-8"),
            "head": self.head,
            "retry": self.retry_s,
            "short": int(self.shortage),
        }


def read_reply(answer: Mapping[str, Any]) -> SliceReply:
    """Read the JSON of an answer; raises `Malformed` naming the first field that is wrong."""
    top = Fields(answer)
    shortage = top.number("short") if top.has("short") else 0
    check_range("short", shortage, Shortage.NONE, Shortage.LAST)
    reply = SliceReply(
        status=top.text("status"),
        slice=top.line("slice").encode("utf-8"),
        head=top.number("head"),
        retry_s=top.number("retry"),
        shortage=Shortage(shortage),
    )
    check_range("head", reply.head, 0, MAX_INT)
    check_range("retry", reply.retry_s, 0, DAY)
    return reply


def _hashes(top: Fields) -> tuple[bytes, ...]:
    hashes: Sequence[bytes] = [decode_base64(text) for text in top.texts("growth")]
    if any(len(part) != HASH_BYTES for part in hashes):
        raise Malformed(f"growth must be hashes of {HASH_BYTES} bytes")
    return tuple(hashes)


def _check_units(name: str, units: Units) -> None:
    if len(dict(units)) != len(units):
        raise Malformed(f"{name} names a meter twice")
    for meter, count in units:
        check_text(name, meter, pattern=METER)
        check_range(f"{name}.{meter}", count, 0, MAX_INT)
