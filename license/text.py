"""Licences in words and tables, for terminals. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from license.encoding.strict import format_date, format_time
from license.licenses.validity import State, days_left, days_text, grace_days_left, state_at, warnings
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots

if TYPE_CHECKING:  # what verifies a licence need not load the vendor's database
    from license.authority.authority import CreatedResource
    from license.authority.book.resource import Change, Resource

Row = tuple[str, str]


def table(rows: Iterable[Row]) -> str:
    """Return two columns, the first as wide as its longest entry."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"{label:<{width}}  {value}".rstrip() for label, value in rows)


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a header, each column as wide as its longest entry."""
    lines = [header, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(header))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def license_rows(opened: AuthenticLicense, roots: TrustRoots, now: int) -> list[Row]:
    """Return what an operator wants to know of a verified licence at `now`."""
    licence = opened.license
    plan = licence.plan
    per = " a month" if plan.monthly else ""
    units = [("included", f"{count:,} {meter}{per}") for meter, count in plan.meters]
    machines = "any machine" if licence.instance.binding == "any" else ", ".join(licence.instance.vkeys)
    return [
        ("licence", f"{licence.id} (serial {licence.serial})"),
        ("customer", licence.customer),
        ("product", licence.product),
        ("machine", machines),
        ("state", state_words(opened, now)),
        ("valid from", format_time(licence.not_before)),
        ("expires", format_time(licence.expires)),
        ("stops", format_time(licence.terminates)),
        ("report by", format_time(licence.report_by)),
        (
            "plan",
            f"{plan.tier}, {' to '.join(format_date(day) for day in plan.period)}, overage {plan.overage}",
        ),
        *units,
        ("models", ", ".join(model.train for model in licence.models) or "none"),
        ("issuer", f"{opened.delegation.key.name} (epoch {opened.delegation.epoch})"),
        ("root", f"{opened.root.vkey} ({roots.source_of(opened.root)})"),
        ("sha256", opened.sha256),
        *(("note", f"{notice.message}: {notice.hint}") for notice in warnings(licence, now)),
    ]


def license_json(opened: AuthenticLicense, now: int) -> dict[str, Any]:
    """Return the same for programs."""
    licence = opened.license
    return {
        "state": state_at(licence, now),
        "days_left": days_left(licence, now),
        "license": licence.to_claims(),
        "issuer": opened.delegation.to_claims(),
        "root": opened.root.vkey,
        "sha256": opened.sha256,
        "warnings": [{"code": item.code, "message": item.message} for item in warnings(licence, now)],
    }


def state_words(opened: AuthenticLicense, now: int) -> str:
    """Return the state and how long it lasts, such as `Valid, expires in 364 days`."""
    licence = opened.license
    state = state_at(licence, now)
    if state in (State.VALID, State.EXPIRING):
        return f"{state}, expires in {days_text(days_left(licence, now))}"
    if state is State.GRACE:
        return f"{state}, stops in {days_text(grace_days_left(licence, now))}"
    return str(state)


def resource_rows(created: CreatedResource, home: str) -> list[Row]:
    """Return a new resource with its keys, and what to type next."""
    rows = resource_details(created.resource)
    if not created.resource.approved:
        rows.append(("next", f"license resource approve {created.resource.name} --home {home}"))
    return [*rows, ("key 1", created.key1), ("key 2", created.key2)]


def resource_details(resource: Resource) -> list[Row]:
    """Return what a resource is."""
    plan = resource.plan
    per = " a month" if plan.monthly else ""
    period = " to ".join(format_date(day) for day in plan.period)
    return [
        ("resource", resource.name),
        ("subscription", resource.subscription),
        ("customer", resource.customer),
        ("product", resource.product),
        ("plan", f"{plan.tier}, {period}, overage {plan.overage}"),
        *(("included", f"{count:,} {meter}{per}") for meter, count in plan.meters),
        ("models", ", ".join(resource.models) or "none"),
        ("binding", resource.binding),
        ("approved", "yes" if resource.approved else "no"),
    ]


def history_rows(history: Iterable[Change]) -> list[Row]:
    """Return what happened to a resource."""
    return [(format_time(one.at), one.what) for one in history]


def resource_json(resource: Resource) -> dict[str, Any]:
    """Return a resource for programs; its keys are not known any more."""
    return {
        "name": resource.name,
        "subscription": resource.subscription,
        "customer": resource.customer,
        "product": resource.product,
        "tier": resource.plan.tier,
        "period": [format_date(day) for day in resource.plan.period],
        "meters": dict(resource.plan.meters),
        "overage": resource.plan.overage,
        "models": list(resource.models),
        "binding": resource.binding,
        "approved": resource.approved,
        "created": format_time(resource.created),
    }
