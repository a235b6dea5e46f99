"""Resources in words and tables, for the vendor's terminal. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from license.authority.authority import CreatedResource
from license.authority.book.overview import MachineSeen
from license.authority.book.resource import Change, Resource
from license.encoding.strict import format_date, format_time
from license.files import quoted
from license.licenses.terms import Plan
from license.text import Row


def resource_rows(created: CreatedResource, home: Path, now: int) -> list[Row]:
    """Return a new resource with its keys, and what to type next."""
    rows = resource_details(created.resource, now)
    if not created.resource.approved:
        rows.append(("next", f"license resource approve {created.resource.name} --home {quoted(home)}"))
    return [*rows, ("key 1", created.key1), ("key 2", created.key2)]


def resource_details(resource: Resource, now: int) -> list[Row]:
    """Return what a resource is at an instant, with its former plans and the next."""
    return [
        ("resource", resource.name),
        ("subscription", resource.subscription),
        ("customer", resource.customer),
        ("product", resource.product),
        *(row for plan in resource.plans for row in _plan_rows(plan, resource.plan_at(now))),
        ("models", ", ".join(resource.models) or "none"),
        ("binding", resource.binding),
        ("machines", "any number" if (most := resource.max_instances) is None else f"{most:,} at most"),
        ("approved", "yes" if resource.approved else "no"),
    ]


def _plan_rows(plan: Plan, present: Plan) -> list[Row]:
    per = " a month" if plan.monthly else ""
    period = " to ".join(format_date(day) for day in plan.period)
    name = "plan"
    if plan != present:
        name = "former plan" if plan.period[0] < present.period[0] else "next plan"
    return [
        (name, f"{plan.tier}, {period}, overage {plan.overage}"),
        *(("included", f"{count:,} {meter}{per}") for meter, count in plan.meters),
    ]


def history_rows(history: Iterable[Change]) -> list[Row]:
    """Return what happened to a resource."""
    return [(format_time(change.at), change.what) for change in history]


def machine_json(machine: MachineSeen) -> dict[str, Any]:
    """Return a machine of a resource for programs."""
    return {
        "instance": machine.instance,
        "licensed": None if machine.licensed is None else format_time(machine.licensed),
        "usageFrom": None if machine.begins is None else format_date(machine.begins),
        "logs": machine.logs,
    }


def resource_json(resource: Resource, now: int) -> dict[str, Any]:
    """Return a resource at an instant for programs; its keys are not known any more."""
    plan = resource.plan_at(now)
    return {
        "name": resource.name,
        "subscription": resource.subscription,
        "customer": resource.customer,
        "product": resource.product,
        "tier": plan.tier,
        "period": [format_date(day) for day in plan.period],
        "meters": dict(plan.meters),
        "overage": plan.overage,
        "plans": [plan.to_claims() for plan in resource.plans],
        "models": list(resource.models),
        "binding": resource.binding,
        "approved": resource.approved,
        "maxInstances": resource.max_instances,
        "created": format_time(resource.created),
    }
