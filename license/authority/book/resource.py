"""What a customer has bought, as a frozen value, and what each tier means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from license.encoding.fields import IDENTIFIER, LINE, TOKEN, check_choice, check_text
from license.errors import AuthorityError, Malformed
from license.licenses.terms import BINDINGS, Plan

FREE_UNITS: Final = {"ner": {"CognitiveServices.Ner.Container.TextRecords": 5_000}}
"""What tier F0 of a product includes in each calendar month, by meter; none is known for speech."""
MAX_INSTANCES: Final = 1_000_000
APART: Final = frozenset({"speech"})
"""Products with two resources: one of tier DC0 gives licences, another one models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a customer has bought: one product under one plan.

    Attributes:
        name: Short name, unique.
        subscription: Identifier in licences.
        customer: Name, for people.
        product: Such as `ner`.
        plan: Tier, period, included units; of a resource that was renewed, the last period.
        binding: `instance` or `any`: where its licences may be used.
        approved: Whether disconnected use was granted.
        created: Unix second.
        models: Model lines its licences open, in the order in which they were granted.
        max_instances: How many machines may have licences or leases of it; None for any number.
        earlier: The plans before `plan`, oldest first; their periods do not overlap.
    """

    name: str
    subscription: str
    customer: str
    product: str
    plan: Plan
    binding: str
    approved: bool
    created: int
    models: tuple[str, ...] = ()
    max_instances: int | None = None
    earlier: tuple[Plan, ...] = ()

    def __post_init__(self) -> None:
        check_text("the resource's name", self.name, pattern=TOKEN)
        check_text("subscription", self.subscription, pattern=IDENTIFIER)
        check_text("customer", self.customer)
        check_text("product", self.product, pattern=TOKEN)
        check_choice("binding", self.binding, BINDINGS)
        for line in self.models:
            check_text("the model line", line, pattern=LINE)
        if len(set(self.models)) != len(self.models):
            raise Malformed("a model line is granted twice")
        if self.max_instances is not None:
            check_limit(self.max_instances, self.binding)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Every plan it has had, has or will have, in the order of their periods."""
        return (*self.earlier, self.plan)

    def plan_at(self, now: int) -> Plan:
        """Return the plan whose period is in progress; else the next one, and after the last the last."""
        return next((plan for plan in self.plans if now < plan.period[1]), self.plan)

    def plan_after(self, plan: Plan) -> Plan | None:
        """Return the plan that follows one of its plans; None after the last."""
        return next((other for other in self.plans if other.period[0] >= plan.period[1]), None)


def check_limit(max_instances: int, binding: str) -> None:
    """Refuse a limit on machines that says nothing, or that bearer licences could not keep."""
    if not 1 <= max_instances <= MAX_INSTANCES:
        raise Malformed(f"a resource may be limited to 1 to {MAX_INSTANCES:,} machines")
    if binding == "any":
        raise Malformed(
            "bearer licences run on any number of machines: a limit on them cannot be kept",
            hint="bind licences to machines with --binding instance, or leave the limit out",
        )


def warnings_of(resource: Resource, binding: str = "") -> list[str]:
    """Say where a plan that blocks is no limit on what is used in all.

    Args:
        resource: What a licence is issued for.
        binding: That of the licence; the resource's without it.
    """
    plan = resource.plan
    if plan.overage != "block":
        return []
    if not plan.meters:
        return [
            f"the plan of {resource.name} blocks, but has no units of any meter: nothing is limited; give it "
            f"units with `license resource add-units {resource.name} METER=UNITS`"
        ]
    if (binding or resource.binding) == "any":
        return [
            f"the plan of {resource.name} blocks, and a bearer licence counts anew on each machine and where "
            "state and log are new: bind licences with --binding instance, and limit the machines with "
            "--max-instances"
        ]
    if plan.tier == "F0" and resource.max_instances is None:
        return [
            f"{resource.name} is free and not limited to a number of machines: each new one gets all its "
            f"units in each month; limit them with `license resource limit {resource.name} 1`"
        ]
    return []


def check_issues_licenses(resource: Resource) -> None:
    """Refuse a resource that is for models; raises `AuthorityError` with the status word `Mismatch`."""
    if resource.product in APART and resource.plan.tier != "DC0":
        raise AuthorityError(
            f"{resource.name} is of tier {resource.plan.tier}: it trains and hands out {resource.product} "
            "models, its licences come from a resource of tier DC0",
            status="Mismatch",
            code="ModelResource",
            hint="use endpoint and key of the DC0 resource to download the licence",
        )


def check_offers_models(resource: Resource) -> None:
    """Refuse a resource that is for licences, or not for anything yet.

    Raises:
        AuthorityError: `Mismatch`, or `ContainerUseUnauthorized` where it was not approved.
    """
    if resource.product in APART:
        if resource.plan.tier == "DC0":
            raise AuthorityError(
                f"{resource.name} is of tier DC0: it gives licences, {resource.product} models come from a "
                "resource of tier S0",
                status="Mismatch",
                code="LicenceResource",
                hint="use endpoint and key of the S0 resource to download models",
            )
        return  # an ordinary resource: nothing of it opens without network
    if not resource.approved:
        raise AuthorityError(
            f"the resource {resource.name} is not approved yet",
            status="ContainerUseUnauthorized",
            code="NotApproved",
            hint=f"the vendor approves it with `license resource approve {resource.name}`",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a resource's history.

    Attributes:
        at: Unix second.
        what: What happened, in words.
    """

    at: int
    what: str


def make_plan(
    *,
    tier: str,
    product: str,
    period: tuple[int, int],
    meters: Mapping[str, int] | None = None,
    overage: str | None = None,
) -> Plan:
    """Return the plan of a tier, with what its price list says where nothing else is said.

    F0 is free: `FREE_UNITS` of the product in each calendar month and then no more. S0 is paid by
    use: no included units unless some are named, everything recorded. DC0 is paid in advance: the units
    named.

    Raises:
        Malformed: the values do not make a plan.
    """
    meters = dict(meters or {})
    if tier == "F0" and not meters:
        if product not in FREE_UNITS:
            raise Malformed(
                f"tier F0 of {product} needs its units named", hint="add --meter NAME=UNITS, units per month"
            )
        meters = dict(FREE_UNITS[product])
    return Plan(
        tier=tier,
        period=period,
        meters=tuple(meters.items()),
        overage=overage or ("block" if tier == "F0" else "record"),
    )
