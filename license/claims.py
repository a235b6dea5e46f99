"""What a licence says, as frozen values. No cryptography, no clock, no files: see `license.verify` for those.

The constructors validate: who holds a `License` holds a well-formed one; who got it from
`license.verify.open_license` holds an authentic one. Texts and meaning of each field: `docs/formats.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from license.errors import Malformed
from license.fields import IDENTIFIER, METER, TOKEN, Fields, check_choice, check_range, check_text
from license.keys import VerifyingKey
from license.wire import MAX_INT, MAX_TIME, encode_base64, format_date, format_time

KIND: Final = "license"
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
        check_text("models.train", self.train, pattern=TOKEN)
        check_choice("models.enc", self.enc, ("hpke", "plain"))
        check_range("the length of models.key", len(self.key), 1, 4_096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has been bought, and what happens beyond it.

    Attributes:
        tier: `F0`, `S0` or `DC0`.
        period: First second, and the second after the last (UTC midnights).
        meters: Included units by meter name.
        overage: `record` (count on, settle later) or `block` (refuse at the limit).
    """

    tier: str
    period: tuple[int, int]
    meters: tuple[tuple[str, int], ...]
    overage: str = "record"

    def __post_init__(self) -> None:
        check_choice("plan.tier", self.tier, TIERS)
        check_choice("plan.overage", self.overage, OVERAGES)
        start, end = self.period
        check_range("plan.period", start, 0, MAX_TIME)
        check_range("plan.period", end, start + 1, MAX_TIME)
        if len(dict(self.meters)) != len(self.meters):
            raise Malformed("plan.meters names a meter twice")
        for meter, units in self.meters:
            check_text("plan.meters", meter, pattern=METER)
            check_range(f"plan.meters.{meter}", units, 0, MAX_INT)

    def units(self, meter: str) -> int | None:
        """Return the units included for `meter`, or None if the plan does not limit it."""
        return dict(self.meters).get(meter)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPolicy:
    """The logs the vendor has accepted so far, and what to do if the local one disagrees.

    Attributes:
        logs: One head per log ever cosigned for this subscription.
        on_fork: `flag` (serve on, say so) or `refuse`.
    """

    logs: tuple[LogHead, ...] = ()
    on_fork: str = "flag"

    def __post_init__(self) -> None:
        check_choice("ledger.on_fork", self.on_fork, FORK_POLICIES)
        if len({log.origin for log in self.logs}) != len(self.logs):
            raise Malformed("ledger.logs names a log twice")


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
        check_range("clock.tolerance_s", self.tolerance_s, 0, 86_400)
        check_range("clock.max_gap_d", self.max_gap_d, 1, 3_660)


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """Everything a licence says. Times are Unix seconds (UTC); see `license.validity` for what they mean.

    Attributes:
        id: Identifier, new for each licence (a ULID).
        serial: Grows with every licence the authority issues; a lower one than was in force is refused.
        replaces: The `id` before this one, if any.
        issued: When it was signed.
        not_before: First second of validity.
        expires: From here on in grace.
        terminates: From here on refused.
        report_by: When the vendor expects the next usage export.
        customer: Name, for people.
        subscription: Identifier of the resource that pays.
        product: Such as `ner`.
        plan: What was bought.
        instance: Where it may be used.
        models: Model lines it opens.
        features: Switches of the product.
        ledger: Cosigned log heads.
        clock: How the clock is judged.
    """

    id: str
    serial: int
    issued: int
    not_before: int
    expires: int
    terminates: int
    report_by: int
    customer: str
    subscription: str
    product: str
    plan: Plan
    instance: InstanceBinding
    replaces: str | None = None
    models: tuple[ModelKey, ...] = ()
    features: tuple[str, ...] = ()
    ledger: LedgerPolicy = LedgerPolicy()
    clock: ClockPolicy = ClockPolicy()

    def __post_init__(self) -> None:
        check_text("id", self.id, pattern=IDENTIFIER)
        check_range("serial", self.serial, 1, MAX_INT)
        if self.replaces is not None:
            check_text("replaces", self.replaces, pattern=IDENTIFIER)
        check_text("customer", self.customer)
        check_text("subscription", self.subscription, pattern=IDENTIFIER)
        check_text("product", self.product, pattern=TOKEN)
        for feature in self.features:
            check_text("features", feature, pattern=TOKEN)
        check_range("not_before", self.not_before, 0, MAX_TIME)
        check_range("expires", self.expires, self.not_before + 1, MAX_TIME)
        check_range("terminates", self.terminates, self.expires, MAX_TIME)
        check_range("issued", self.issued, 0, self.expires)
        check_range("report_by", self.report_by, self.issued, self.terminates)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> License:
        """Read the claims of a licence statement; raises `Malformed` naming the first field that is wrong."""
        top = Fields(claims)
        return cls(
            id=top.text("id"),
            serial=top.number("serial"),
            replaces=top.text("replaces") if top.has("replaces") else None,
            issued=top.time("issued"),
            not_before=top.time("not_before"),
            expires=top.time("expires"),
            terminates=top.time("terminates"),
            report_by=top.time("report_by"),
            customer=top.text("customer"),
            subscription=top.text("subscription"),
            product=top.text("product"),
            models=tuple(_model(item) for item in top.objects("models")) if top.has("models") else (),
            plan=_plan(top.object("plan")),
            features=top.texts("features") if top.has("features") else (),
            instance=_instance(top.object("instance")),
            ledger=_ledger(top.object("ledger")) if top.has("ledger") else LedgerPolicy(),
            clock=_clock(top.object("clock")) if top.has("clock") else ClockPolicy(),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "id": self.id,
            "serial": self.serial,
            **({} if self.replaces is None else {"replaces": self.replaces}),
            "issued": format_time(self.issued),
            "not_before": format_time(self.not_before),
            "expires": format_time(self.expires),
            "terminates": format_time(self.terminates),
            "report_by": format_time(self.report_by),
            "customer": self.customer,
            "subscription": self.subscription,
            "product": self.product,
            "models": [
                {"train": model.train, "enc": model.enc, "key": encode_base64(model.key)}
                for model in self.models
            ],
            "plan": {
                "tier": self.plan.tier,
                "period": [format_date(day) for day in self.plan.period],
                "meters": dict(self.plan.meters),
                "overage": self.plan.overage,
            },
            "features": list(self.features),
            "instance": {
                "binding": self.instance.binding,
                "vkeys": list(self.instance.vkeys),
                "max_logs": self.instance.max_logs,
            },
            "ledger": {
                "logs": [
                    {
                        "origin": log.origin,
                        "size": log.size,
                        "root": encode_base64(log.root),
                        "cosig": log.cosig,
                    }
                    for log in self.ledger.logs
                ],
                "on_fork": self.ledger.on_fork,
            },
            "clock": {"tolerance_s": self.clock.tolerance_s, "max_gap_d": self.clock.max_gap_d},
        }


UNDERSTOOD: Final = frozenset(field.name for field in fields(License))
"""Names that `crit` may list: every field of `License` is acted upon."""


def _model(item: Fields) -> ModelKey:
    return ModelKey(train=item.text("train"), enc=item.text("enc"), key=item.base64("key"))


def _plan(item: Fields) -> Plan:
    period = item.dates("period")
    if len(period) != 2:
        raise Malformed("plan.period must hold two days: the first, and the one after the last")
    return Plan(
        tier=item.text("tier"),
        period=(period[0], period[1]),
        meters=item.quantities("meters"),
        overage=item.text("overage"),
    )


def _instance(item: Fields) -> InstanceBinding:
    return InstanceBinding(
        binding=item.text("binding"), vkeys=item.texts("vkeys"), max_logs=item.number("max_logs")
    )


def _ledger(item: Fields) -> LedgerPolicy:
    logs = tuple(
        LogHead(
            origin=log.text("origin"),
            size=log.number("size"),
            root=log.base64("root"),
            cosig=log.line("cosig"),
        )
        for log in item.objects("logs")
    )
    return LedgerPolicy(logs=logs, on_fork=item.text("on_fork"))


def _clock(item: Fields) -> ClockPolicy:
    return ClockPolicy(tolerance_s=item.number("tolerance_s"), max_gap_d=item.number("max_gap_d"))
