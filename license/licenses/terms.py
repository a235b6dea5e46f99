"""The parts of a licence, as frozen values: what was bought, where it runs, how clock and ledger are judged.

The constructors validate; `from_fields` reads the part from a statement and `to_claims` writes it back.
`license.licenses.license` puts them together. Meaning of each field: `docs/formats.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from license.crypto.ed25519 import VerifyingKey
from license.encoding.fields import LINE, METER, Fields, check_choice, check_range, check_text
from license.encoding.strict import DAY, MAX_INT, MAX_TIME, encode_base64, format_date
from license.errors import Malformed

TIERS: Final = ("F0", "S0", "DC0")
OVERAGES: Final = ("record", "block")
BINDINGS: Final = ("instance", "any")
FORK_POLICIES: Final = ("flag", "refuse")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKey:
    """The right to open one model line.

    Attributes:
        train: The line, such as `ner-en/3`; every release of it opens.
        enc: How the key is wrapped: `hpke` to the instance, or `plain` in a bearer licence.
        key: The wrapped key.
    """

    train: str
    enc: str
    key: bytes

    def __post_init__(self) -> None:
        check_text("models.train", self.train, pattern=LINE)
        check_choice("models.enc", self.enc, ("hpke", "plain"))
        check_range("the length of models.key", len(self.key), 1, 4_096)

    @classmethod
    def from_fields(cls, item: Fields) -> ModelKey:
        """Read one entry of `models`."""
        return cls(train=item.text("train"), enc=item.text("enc"), key=item.base64("key"))

    def to_claims(self) -> dict[str, Any]:
        """Return one entry of `models`."""
        return {"train": self.train, "enc": self.enc, "key": encode_base64(self.key)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has been bought, and what happens beyond it.

    Attributes:
        tier: `F0` (free: so many units a month, then no more), `S0` (pay for what was used) or `DC0` (units
            bought in advance).
        period: First second, and the second after the last (UTC midnights).
        meters: Included units by meter name, in the whole period; for `F0` in each calendar month (UTC).
        overage: `record` (count on, settle later) or `block` (refuse at the limit); always `block` for `F0`.
    """

    tier: str
    period: tuple[int, int]
    meters: tuple[tuple[str, int], ...]
    overage: str = "record"

    def __post_init__(self) -> None:
        check_choice("plan.tier", self.tier, TIERS)
        check_choice("plan.overage", self.overage, OVERAGES)
        if self.monthly and (self.overage != "block" or not self.meters):
            raise Malformed("plan.tier F0 needs plan.meters, and plan.overage must be block")
        start, end = self.period
        check_range("plan.period", start, 0, MAX_TIME)
        check_range("plan.period", end, start + 1, MAX_TIME)
        if len(dict(self.meters)) != len(self.meters):
            raise Malformed("plan.meters names a meter twice")
        for meter, units in self.meters:
            check_text("plan.meters", meter, pattern=METER)
            check_range(f"plan.meters.{meter}", units, 0, MAX_INT)

    @property
    def monthly(self) -> bool:
        """Whether `meters` are units per calendar month (UTC) and not for the whole period."""
        return self.tier == "F0"

    def units(self, meter: str) -> int | None:
        """Return the units included for `meter` (see `monthly`), or None if the plan does not limit it."""
        return dict(self.meters).get(meter)

    @classmethod
    def from_fields(cls, item: Fields) -> Plan:
        """Read `plan`."""
        period = item.dates("period")
        if len(period) != 2:
            raise Malformed("plan.period must hold two days: the first, and the one after the last")
        return cls(
            tier=item.text("tier"),
            period=(period[0], period[1]),
            meters=item.quantities("meters"),
            overage=item.text("overage"),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return `plan`."""
        return {
            "tier": self.tier,
            "period": [format_date(day) for day in self.period],
            "meters": dict(self.meters),
            "overage": self.overage,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceBinding:
    """Where the licence may be used.

    Attributes:
        binding: `instance` (only where the key of one of `vkeys` lives) or `any` (a bearer file).
        vkeys: Text forms of the instances' verifying keys; empty for `any`.
        max_logs: How many usage logs may be written under it.
    """

    binding: str
    vkeys: tuple[str, ...] = ()
    max_logs: int = 4

    def __post_init__(self) -> None:
        check_choice("instance.binding", self.binding, BINDINGS)
        check_range("instance.max_logs", self.max_logs, 1, 1_000_000)
        for vkey in self.vkeys:
            VerifyingKey.from_vkey(vkey)
        if (self.binding == "instance") != bool(self.vkeys):
            raise Malformed(
                "instance.vkeys must name the machines of an `instance` binding, and none of `any`"
            )

    def allows(self, vkey: str) -> bool:
        """Tell whether the instance with this verifying key may use the licence."""
        return self.binding == "any" or vkey in self.vkeys

    @classmethod
    def from_fields(cls, item: Fields) -> InstanceBinding:
        """Read `instance`."""
        return cls(binding=item.text("binding"), vkeys=item.texts("vkeys"), max_logs=item.number("max_logs"))

    def to_claims(self) -> dict[str, Any]:
        """Return `instance`."""
        return {"binding": self.binding, "vkeys": list(self.vkeys), "max_logs": self.max_logs}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """A usage log's head as the vendor cosigned it (C2SP tlog-cosignature).

    Attributes:
        origin: Name of the log.
        size: Number of entries.
        root: RFC 6962 root hash over them, 32 bytes.
        cosig: The cosignature line.
    """

    origin: str
    size: int
    root: bytes
    cosig: str

    def __post_init__(self) -> None:
        check_text("ledger.logs.origin", self.origin)
        check_range("ledger.logs.size", self.size, 0, MAX_INT)
        check_range("the length of ledger.logs.root", len(self.root), 32, 32)
        if not self.cosig.isprintable() or len(self.cosig) > 1_000:
            raise Malformed("ledger.logs.cosig is not a signature line")

    @classmethod
    def from_fields(cls, item: Fields) -> LogHead:
        """Read one entry of `ledger.logs`."""
        return cls(
            origin=item.text("origin"),
            size=item.number("size"),
            root=item.base64("root"),
            cosig=item.line("cosig"),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return one entry of `ledger.logs`."""
        return {
            "origin": self.origin,
            "size": self.size,
            "root": encode_base64(self.root),
            "cosig": self.cosig,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPolicy:
    """The logs the vendor has accepted so far, and what to do if the local one disagrees.

    Attributes:
        logs: One head per log ever cosigned for this subscription.
        on_fork: `flag` (serve on, say so) or `refuse`.
        witnesses: The notes by which a root entitles those who cosigned; a head without one proves nothing.
    """

    logs: tuple[LogHead, ...] = ()
    on_fork: str = "flag"
    witnesses: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        check_choice("ledger.on_fork", self.on_fork, FORK_POLICIES)
        if len({log.origin for log in self.logs}) != len(self.logs):
            raise Malformed("ledger.logs names a log twice")

    @classmethod
    def from_fields(cls, item: Fields) -> LedgerPolicy:
        """Read `ledger`."""
        logs = tuple(LogHead.from_fields(log) for log in item.objects("logs"))
        notes = item.objects("witnesses") if item.has("witnesses") else ()
        return cls(
            logs=logs, on_fork=item.text("on_fork"), witnesses=tuple(note.base64("note") for note in notes)
        )

    def to_claims(self) -> dict[str, Any]:
        """Return `ledger`."""
        claims: dict[str, Any] = {"logs": [log.to_claims() for log in self.logs], "on_fork": self.on_fork}
        if self.witnesses:
            claims["witnesses"] = [{"note": encode_base64(note)} for note in self.witnesses]
        return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedTerms:
    """That a licence is only good beside its metering endpoint, and how long without word from it.

    Attributes:
        attempts: Failed attempts to meter, one an interval, after which no query is answered.
        max_interval_s: Longest time between two attempts, in seconds.
    """

    attempts: int = 10
    max_interval_s: int = 900

    def __post_init__(self) -> None:
        check_range("connected.attempts", self.attempts, 1, 1_000)
        check_range("connected.max_interval_s", self.max_interval_s, 1, DAY)

    @classmethod
    def from_fields(cls, item: Fields) -> ConnectedTerms:
        """Read `connected`."""
        return cls(attempts=item.number("attempts"), max_interval_s=item.number("max_interval_s"))

    def to_claims(self) -> dict[str, Any]:
        """Return `connected`."""
        return {"attempts": self.attempts, "max_interval_s": self.max_interval_s}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPolicy:
    """How the clock is judged.

    Attributes:
        tolerance_s: Seconds by which `not_before` may still lie ahead: clocks differ.
        max_gap_d: Days a clock may jump forward over a time without power before it must be confirmed.
    """

    tolerance_s: int = 300
    max_gap_d: int = 45

    def __post_init__(self) -> None:
        check_range("clock.tolerance_s", self.tolerance_s, 0, DAY)
        check_range("clock.max_gap_d", self.max_gap_d, 1, 3_660)

    @classmethod
    def from_fields(cls, item: Fields) -> ClockPolicy:
        """Read `clock`."""
        return cls(tolerance_s=item.number("tolerance_s"), max_gap_d=item.number("max_gap_d"))

    def to_claims(self) -> dict[str, Any]:
        """Return `clock`."""
        return {"tolerance_s": self.tolerance_s, "max_gap_d": self.max_gap_d}
