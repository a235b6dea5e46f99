"""Openings: the entries of a summary that the vendor wants to see, chosen after the summary was signed.

    offline-appliance/openings/v1
    { "bundle": "<sha256>", "subscription": "…", "issued": "…Z",
      "logs": [{"checkpoint": "<note>", "stretches": [{"first": 3, "count": 700}]}] }

A note signed by the issuer. A summary hides usage behind signed sums; between two of them lies a *stretch*,
and whoever sees a whole stretch can add it up. The answer is the same summary, up to the same checkpoint,
in which these stretches are shown. `docs/formats.md`, part Evidence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from license.crypto.ed25519 import SigningKey
from license.encoding.fields import IDENTIFIER, MAX_LIST, SHA256, Fields, check_range, check_text
from license.encoding.strict import MAX_INT, format_time
from license.errors import Malformed
from license.evidence.bundle.receipt import open_issued
from license.evidence.log.checkpoint import Checkpoint, read_checkpoint
from license.evidence.log.source import LogSource
from license.trust.delegations import DelegationSet
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

OPENINGS_KIND: Final = "openings"
MAX_STRETCHES: Final = 240
"""Stretches of all logs together that one note may ask for."""

_SUMMED: Final = ('{"k":"key",', '{"k":"sum",')  # entries that end a stretch, since they say what was in it


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stretch:
    """Entries between two signed sums.

    Attributes:
        first: Index of the first entry.
        stop: Index after the last one.
        hidden: How many of them are not shown; 0 in a note.
    """

    first: int
    stop: int
    hidden: int = 0

    def overlaps(self, other: "Stretch") -> bool:
        """Whether an entry lies in both."""
        return self.first < other.stop and other.first < self.stop


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOpenings:
    """What is to be shown of one log.

    Attributes:
        checkpoint: Note of the head up to which the answer goes: that of the summary.
        head: What it says.
        stretches: What is to be shown, in order; none where the summary is enough.
    """

    checkpoint: bytes
    head: Checkpoint
    stretches: tuple[Stretch, ...]

    def __post_init__(self) -> None:
        at = 0
        for stretch in self.stretches:
            check_range("stretches.first", stretch.first, at, MAX_INT)
            check_range("stretches.count", stretch.stop - stretch.first, 1, MAX_INT)
            at = stretch.stop
        if at > self.head.size:
            raise Malformed("a stretch lies behind the checkpoint")

    @classmethod
    def from_fields(cls, item: Fields) -> "LogOpenings":
        """Read one entry of `logs`."""
        checkpoint = item.line("checkpoint").encode("utf-8")
        stretches = []
        for part in item.objects("stretches"):
            first = part.number("first")
            stretches.append(Stretch(first=first, stop=first + part.number("count")))
        return cls(checkpoint=checkpoint, head=read_checkpoint(checkpoint), stretches=tuple(stretches))

    def to_claims(self) -> dict[str, Any]:
        """Return the entry of `logs`."""
        return {
            "checkpoint": self.checkpoint.decode("utf-8"),
            "stretches": [{"first": s.first, "count": s.stop - s.first} for s in self.stretches],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """What the vendor asks to see.

    Attributes:
        bundle: SHA-256 of the summary, in hex.
        subscription: Of the resource that pays.
        issued: Unix second.
        logs: The logs of the summary that hold; the answer has the others as they stand.
    """

    bundle: str
    subscription: str
    issued: int
    logs: tuple[LogOpenings, ...]

    def __post_init__(self) -> None:
        check_text("bundle", self.bundle, pattern=SHA256)
        check_text("subscription", self.subscription, pattern=IDENTIFIER)
        check_range("the number of logs", len(self.logs), 1, MAX_LIST)
        if len({log.head.origin for log in self.logs}) != len(self.logs):
            raise Malformed("logs names a log twice")
        check_range("the number of stretches", sum(len(log.stretches) for log in self.logs), 1, MAX_STRETCHES)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "Openings":
        """Read the claims; raises `Malformed` naming the first field that is wrong."""
        top = Fields(claims)
        return cls(
            bundle=top.text("bundle"),
            subscription=top.text("subscription"),
            issued=top.time("issued"),
            logs=tuple(LogOpenings.from_fields(item) for item in top.objects("logs")),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "bundle": self.bundle,
            "subscription": self.subscription,
            "issued": format_time(self.issued),
            "logs": [log.to_claims() for log in self.logs],
        }

    def of(self, origin: str) -> LogOpenings | None:
        """Return what is asked of one log; None if it is not named."""
        return next((log for log in self.logs if log.head.origin == origin), None)


OPENINGS_FIELDS: Final = frozenset(Openings.__slots__)
"""Names that `crit` may list."""


def sign_openings(openings: Openings, issuer: SigningKey) -> bytes:
    """Return the note that asks for them."""
    return sign_note(render_statement(OPENINGS_KIND, openings.to_claims()), issuer)


def open_openings(note: bytes, delegations: DelegationSet) -> Openings:
    """Return what an issuer asks for whom a root entitles; arguments and errors as for `open_receipt`."""
    claims, delegated = open_issued(note, OPENINGS_KIND, OPENINGS_FIELDS, delegations)
    openings = Openings.from_claims(claims)
    delegated.check_time(openings.issued, "the openings were asked for")
    return openings


def hidden_stretches(log: LogSource) -> Iterator[Stretch]:
    """Return the stretches of which a log does not show everything, in order."""
    first = at = hidden = 0
    for n, text, _ in log.rows():
        hidden += n - at
        at = n + 1
        if text.startswith(_SUMMED):
            if hidden:
                yield Stretch(first=first, stop=n, hidden=hidden)
            first, hidden = n + 1, 0
    hidden += log.size - at
    if hidden:
        yield Stretch(first=first, stop=log.size, hidden=hidden)
