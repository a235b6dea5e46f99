"""`license usage` and `license prices`: what a customer used, however it arrived, and what that costs."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from license.authority.cli.common import example, home_option, json_option, open_authority, print_json
from license.encoding.strict import format_date, format_time

if TYPE_CHECKING:
    from license.authority.billing.bill import Charge
    from license.authority.book.metering import Instance, LogUsage
    from license.authority.book.resource import Resource

_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


def _month(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and _MONTH.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is not a month such as 2026-11")
    return value


@click.command(epilog=example("license usage acme-ner --month 2026-11"))
@click.argument("name", metavar="RESOURCE")
@click.option("--month", callback=_month, help="Only this UTC month, such as 2026-11.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row per day, log and meter, in FOCUS columns.")
@click.option("--heads", is_flag=True, help="Print the heads that its machines reported, for auditors.")
@home_option
@json_option
def usage(name: str, month: str | None, as_csv: bool, heads: bool, home: Path, as_json: bool) -> None:
    """Show what RESOURCE used, and what it costs.

    By month, by day and by log. Usage that arrived while connected and by export of the same log is counted
    once. Prices are those of prices.csv (see `license prices`).

    --heads prints a line for each log that was reported: who checks the records of a machine passes a file of
    them to `usage verify --heads`.
    """
    from license.authority.billing.bill import charges
    from license.authority.billing.prices import read_prices
    from license.authority.book.metering import MeterRepository, usage_of

    if as_csv + as_json + heads > 1:
        raise click.UsageError("give one of --csv, --json and --heads")
    with open_authority(home) as authority:
        resource = authority.store.get(name)
        if heads:
            _print_heads(name, MeterRepository(authority.store.engine).heads(name))
            return
        logs = usage_of(authority.store.engine, name)
        instances = MeterRepository(authority.store.engine).instances(name)
    prices = read_prices(home)
    charged = [
        charge
        for charge in charges(resource.plans, prices, logs)
        if month is None or charge.date.startswith(month)
    ]
    if as_csv:
        click.echo(_focus(resource, charged, prices.currency), nl=False)
    elif as_json:
        print_json(_as_json(resource, charged, logs, prices.currency))
    else:
        _print(resource, charged, logs, instances, prices.currency)


def _print_heads(name: str, heads: dict[str, bytes]) -> None:
    from license.evidence.bundle.lines import render_head_lines

    if not heads:
        click.echo(f"no connected machine of {name} has reported a head", err=True)
    click.echo(render_head_lines(heads[origin] for origin in sorted(heads)), nl=False)


@click.command(epilog=example("license prices --init"))
@click.option("--init", is_flag=True, help="Write prices.csv with an example, to be edited.")
@home_option
@json_option
def prices(init: bool, home: Path, as_json: bool) -> None:
    """Show the price list: what a unit costs in each tier.

    It is the file prices.csv in the authority's directory, which the vendor edits. Bills are made from it.
    """
    from license.authority.billing.prices import FILE, read_prices, write_template
    from license.text import columns

    if init:
        click.echo(f"edit {write_template(home)}", err=True)
        return
    rows = read_prices(home).rows
    if as_json:
        print_json(
            [
                {
                    "tier": row.tier,
                    "meter": row.meter,
                    "from": row.first,
                    "price": str(row.price),
                    "currency": row.currency,
                    "per": row.per,
                }
                for row in rows
            ]
        )
        return
    if not rows:
        file = home / FILE
        todo = f"edit {file}" if file.exists() else "license prices --init"
        click.echo(f"nothing has a price yet: {todo}", err=True)
        return
    click.echo(
        columns(
            ("TIER", "METER", "FROM UNIT", "PRICE"),
            [
                (row.tier, row.meter, f"{row.first:,}", f"{row.price} {row.currency} per {row.per:,}")
                for row in sorted(rows, key=lambda row: (row.tier, row.meter, row.first))
            ],
        )
    )


def _focus(resource: Resource, charges: list[Charge], currency: str) -> str:
    from license.evidence.bundle.focus import MeteredDay, focus_csv

    return focus_csv(
        MeteredDay(
            origin=charge.origin,
            date=charge.date,
            meter=charge.meter,
            tally=charge.tally,
            subscription=resource.subscription,
            customer=resource.customer,
            cost=charge.cost,
            currency=currency,
        )
        for charge in charges
    )


def _print(
    resource: Resource,
    charges: list[Charge],
    logs: list[LogUsage],
    instances: list[Instance],
    currency: str,
) -> None:
    from license.authority.cli.bars import bars
    from license.text import columns

    periods = ("{} to {}".format(*map(format_date, plan.period)) for plan in resource.plans)
    click.echo(f"{resource.name} ({resource.customer}), {resource.plan.tier}, {', then '.join(periods)}\n")
    if not charges:
        click.echo("no usage")
    else:
        click.echo(
            columns(
                ("MONTH", "METER", "REQUESTS", "QUANTITY", "BILLED", "INCLUDED", "COST"),
                [
                    (month, meter, *(f"{number:,}" for number in tally), f"{free:,}", _money(cost, currency))
                    for (month, meter), (tally, free, cost) in _by_month(charges).items()
                ],
            )
        )
    for meter in sorted({charge.meter for charge in charges}):
        days: defaultdict[str, int] = defaultdict(int)
        for charge in charges:
            if charge.meter == meter:
                days[charge.date] += charge.tally.quantity
        click.echo(f"\n{meter} by day")
        click.echo("\n".join(bars(days)))
    if logs:
        click.echo("")
        click.echo(
            columns(
                ("LOG", "ENTRIES", "BY", "LAST HEARD OF"),
                [(log.origin, f"{log.size:,}", log.source, format_time(log.at)) for log in logs],
            )
        )
    silent = [instance for instance in instances if not any(instance.instance in log.origin for log in logs)]
    for instance in silent:
        click.echo(
            f"\n{instance.instance} has had a lease since {format_time(instance.since)}, and reported nothing"
        )


def _by_month(charges: list[Charge]) -> dict[tuple[str, str], tuple[Any, int, Decimal | None]]:
    from license.evidence.log.entry import NOTHING

    sums: dict[tuple[str, str], tuple[Any, int, Decimal | None]] = {}
    for charge in charges:
        key = (charge.date[:7], charge.meter)
        tally, free, cost = sums.get(key, (NOTHING, 0, None))
        total = cost if charge.cost is None else charge.cost + (cost or 0)
        sums[key] = (tally.plus(charge.tally), free + charge.included, total)
    return dict(sorted(sums.items()))


def _money(cost: Decimal | None, currency: str) -> str:
    return "no price" if cost is None else f"{cost:,.2f} {currency}"


def _as_json(
    resource: Resource, charges: list[Charge], logs: list[LogUsage], currency: str
) -> dict[str, Any]:
    return {
        "resource": resource.name,
        "tier": resource.plan.tier,
        "periods": [[format_date(day) for day in plan.period] for plan in resource.plans],
        "currency": currency,
        "months": [
            {
                "month": month,
                "meter": meter,
                **tally._asdict(),
                "included": free,
                "cost": None if cost is None else str(cost),
            }
            for (month, meter), (tally, free, cost) in _by_month(charges).items()
        ],
        "logs": [
            {"log": log.origin, "entries": log.size, "by": log.source, "at": format_time(log.at)}
            for log in logs
        ],
    }
