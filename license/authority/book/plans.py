"""The plans of a resource, one for each period: what renewal adds, and what the former ones were.

The resource's own row holds the last plan; the ones before it have rows of their own. They stay what they
were, so that usage of their days is still counted and charged by them.
"""

import json
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time

from sqlmodel import Session, col, select

from license.authority.book.resource import Resource
from license.authority.book.tables import FormerPlanRow, ResourceRow
from license.encoding.fields import typed
from license.encoding.strict import format_date, parse_date
from license.errors import AuthorityError, Malformed
from license.licenses.terms import Plan


def next_plan(
    resource: Resource,
    *,
    now: int,
    period: tuple[int, int] | None = None,
    meters: Mapping[str, int] | None = None,
    overage: str | None = None,
    again: bool = False,
) -> Plan:
    """Return the plan of the period after the last one of a resource.

    Args:
        resource: The resource as it is.
        now: Unix second.
        period: First second and the second after the last; without it, the period begins where the last one
            ends and is as long.
        meters: Units of the meters that shall have others than before.
        overage: `record` or `block`; as before without it.
        again: Replace a next period that was entered and has not begun; what is not named stays as entered.

    Raises:
        AuthorityError: `AlreadyRenewed`: the next period is entered and has not begun; `NotRenewed`: there is
            none to replace.
        Malformed: The period is over or overlaps the one before, or the values make no plan.
    """
    waits = bool(resource.earlier) and now < resource.plan.period[0]
    if waits and not again:
        raise AuthorityError(
            f"{resource.name} is renewed already: its next period is {_days(resource.plan)}",
            code="AlreadyRenewed",
            hint=f"`license resource renew {resource.name} --again` changes it, until it begins",
        )
    if again and not waits:
        raise AuthorityError(
            f"{resource.name} has no next period that could be changed",
            code="NotRenewed",
            hint=f"leave out --again: `license resource renew {resource.name}`",
        )
    before = resource.earlier[-1] if waits else resource.plan
    days = period or (resource.plan.period if waits else following(before.period))
    _check_period(resource.name, days, before, now)
    units = dict(resource.plan.meters) | dict(meters or {})
    return replace(
        resource.plan, period=days, meters=tuple(units.items()), overage=overage or resource.plan.overage
    )


def following(period: tuple[int, int]) -> tuple[int, int]:
    """Return the period that begins where one ends and is as long: in months where it is whole ones.

    Args:
        period: First second, and the second after the last (UTC midnights).
    """
    first, last = (datetime.fromtimestamp(second, UTC).date() for second in period)
    if first.day != last.day:
        return period[1], 2 * period[1] - period[0]
    months = 12 * (last.year - first.year) + last.month - first.month
    month = last.month - 1 + months
    year, month = last.year + month // 12, month % 12 + 1
    end = date(year, month, min(last.day, monthrange(year, month)[1]))
    return period[1], int(datetime.combine(end, time(), UTC).timestamp())


def parse_period(period: tuple[str, str]) -> tuple[int, int]:
    """Return a period from its first day and the day after the last; raises `Malformed`."""
    with typed("days look like 2026-12-31: --period FIRST END, and END is the day after the last"):
        return parse_date(period[0]), parse_date(period[1])


def _check_period(name: str, days: tuple[int, int], before: Plan, now: int) -> None:
    if days[1] <= days[0]:
        raise Malformed(
            "the period must end after it begins",
            hint="--period names the first day and the day after the last",
        )
    if days[0] < before.period[1]:
        raise Malformed(
            f"the next period of {name} cannot begin on {format_date(days[0])}: the one before, "
            f"{_days(before)}, is not over then",
            hint=f"begin it on {format_date(before.period[1])} or later",
        )
    if days[1] <= now:
        raise Malformed(
            f"the next period of {name}, {format_date(days[0])} to {format_date(days[1])}, is over already",
            hint="name another with --period FIRST END",
        )


def earlier_plans(session: Session, resource: str) -> tuple[Plan, ...]:
    """Return the plans before the last one, oldest first."""
    query = select(FormerPlanRow).where(FormerPlanRow.resource == resource)
    return tuple(
        Plan(
            tier=row.tier,
            period=(row.period_start, row.period_end),
            meters=tuple(json.loads(row.meters).items()),
            overage=row.overage,
        )
        for row in session.exec(query.order_by(col(FormerPlanRow.period_start)))
    )


def enter_renewal(session: Session, row: ResourceRow, plan: Plan, *, now: int) -> str:
    """Put a plan into a resource's row and return the line of its history.

    The plan that stood there is kept as a former one, unless it was a next period that has not begun.
    """
    replaces = now < row.period_start and bool(earlier_plans(session, row.name))
    if not replaces:
        session.add(
            FormerPlanRow(
                resource=row.name,
                period_start=row.period_start,
                period_end=row.period_end,
                tier=row.tier,
                meters=row.meters,
                overage=row.overage,
            )
        )
    row.period_start, row.period_end = plan.period
    row.meters, row.overage = json.dumps(dict(plan.meters)), plan.overage
    units = ", ".join(f"{count:,} {meter}" for meter, count in plan.meters) or "no units"
    verb = "next period changed to" if replaces else "renewed for"
    return f"{verb} {_days(plan)}: {units}, overage {plan.overage}"


def change_units(session: Session, row: ResourceRow, plan: Plan) -> None:
    """Write the units of one of a resource's plans, which its period names."""
    former = session.get(FormerPlanRow, (row.name, plan.period[0]))
    if former is None:
        row.meters = json.dumps(dict(plan.meters))
    else:
        former.meters = json.dumps(dict(plan.meters))
        session.add(former)


def _days(plan: Plan) -> str:
    return f"{format_date(plan.period[0])} to {format_date(plan.period[1])}"
