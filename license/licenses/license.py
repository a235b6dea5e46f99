"""What a licence says, as a frozen value. No cryptography, no clock, no files: for those,
`license.licenses.verify`.

The constructor validates: who holds a `License` holds a well-formed one; who got it from
`license.licenses.verify.open_license` holds an authentic one. Its parts are in `license.licenses.terms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from license.encoding.fields import IDENTIFIER, TOKEN, Fields, check_range, check_text
from license.encoding.strict import MAX_INT, MAX_TIME, format_time
from license.errors import Malformed
from license.licenses.site import DeskTerms, SiteTerms
from license.licenses.terms import (
    ClockPolicy,
    ConnectedTerms,
    InstanceBinding,
    LedgerPolicy,
    ModelKey,
    Plan,
)

LICENSE_KIND: Final = "license"


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """Everything a licence says. Times are Unix seconds (UTC); see `license.licenses.validity` for what
    they mean.

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
        connected: Present in a lease: it is good for a connected run only, and nowhere else.
        site: Present in a site licence: it is for a desk, which divides it among replicas.
        desk: Present in a lease of such a desk: what entitles it.
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
    ledger: LedgerPolicy = field(default_factory=LedgerPolicy)
    clock: ClockPolicy = field(default_factory=ClockPolicy)
    connected: ConnectedTerms | None = None
    site: SiteTerms | None = None
    desk: DeskTerms | None = None

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
        self._check_models()
        if self.site is not None and (self.connected is not None or self.instance.binding != "instance"):
            raise Malformed("a site licence is bound to the key of its desk, and not a lease")
        self._check_order("not_before", "expires", apart=1)
        self._check_order("expires", "terminates")
        self._check_order("issued", "expires")
        self._check_order("issued", "report_by")
        self._check_order("report_by", "terminates")
        check_range("issued", self.issued, 0, MAX_TIME)
        check_range("not_before", self.not_before, 0, MAX_TIME)
        check_range("terminates", self.terminates, 0, MAX_TIME)

    def _check_models(self) -> None:
        if len({model.train for model in self.models}) != len(self.models):
            raise Malformed("models names a line twice")
        # Bound, with a key in clear, it would open packages anywhere; a bearer has nobody to wrap for.
        fitting = "hpke" if self.instance.binding == "instance" else "plain"
        if any(model.enc != fitting for model in self.models):
            raise Malformed(f"models.enc must be {fitting} where the binding is {self.instance.binding}")

    def _check_order(self, first: str, second: str, *, apart: int = 0) -> None:
        if getattr(self, first) + apart > getattr(self, second):
            raise Malformed(f"{second} must not come before {first}" + (", nor with it" if apart else ""))

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
            models=tuple(map(ModelKey.from_fields, top.objects("models"))) if top.has("models") else (),
            plan=Plan.from_fields(top.object("plan")),
            features=top.texts("features") if top.has("features") else (),
            instance=InstanceBinding.from_fields(top.object("instance")),
            ledger=LedgerPolicy.from_fields(top.object("ledger")) if top.has("ledger") else LedgerPolicy(),
            clock=ClockPolicy.from_fields(top.object("clock")) if top.has("clock") else ClockPolicy(),
            connected=ConnectedTerms.from_fields(top.object("connected")) if top.has("connected") else None,
            site=SiteTerms.from_fields(top.object("site")) if top.has("site") else None,
            desk=DeskTerms.from_fields(top.object("desk")) if top.has("desk") else None,
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
            "models": [model.to_claims() for model in self.models],
            "plan": self.plan.to_claims(),
            "features": list(self.features),
            "instance": self.instance.to_claims(),
            "ledger": self.ledger.to_claims(),
            "clock": self.clock.to_claims(),
            **self._critical_claims(),
        }

    def _critical_claims(self) -> dict[str, Any]:
        """Who does not know these fields must not take a lease, or a site's licence, for a licence."""
        parts = {"connected": self.connected, "site": self.site, "desk": self.desk}
        claims: dict[str, Any] = {name: part.to_claims() for name, part in parts.items() if part is not None}
        return {**claims, "crit": [*claims]} if claims else {}


LICENSE_FIELDS: Final = frozenset(item.name for item in fields(License))
"""Names that `crit` may list: every field of `License` is acted upon."""
