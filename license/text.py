"""Licences in words and tables, for terminals. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from license.encoding.strict import format_date, format_time
from license.licenses.license import License
from license.licenses.validity import State, days_left, days_text, grace_days_left, state_at, warnings
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots

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
        *_site_rows(licence),
        ("models", ", ".join(model.train for model in licence.models) or "any that needs no key"),
        ("issuer", f"{opened.delegation.key.name} (epoch {opened.delegation.epoch})"),
        ("root", f"{opened.root.vkey} ({roots.source_of(opened.root)})"),
        ("sha256", opened.sha256),
        *(("note", f"{notice.message}: {notice.hint}") for notice in warnings(licence, now)),
    ]


def _site_rows(licence: License) -> list[Row]:
    if licence.site is None:
        return []
    hours = licence.site.lease_s / 3_600
    return [("site", f"{licence.site.max_instances:,} replicas at once, leases of {hours:g} h")]


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
