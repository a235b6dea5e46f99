"""`license resource …`: what customers bought, and their keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from license.authority.cli.common import (
    ErrorHandlingGroup,
    example,
    home_option,
    json_option,
    max_instances_option,
    open_authority,
    print_json,
    warn,
)
from license.encoding.strict import format_time

_F = TypeVar("_F", bound=Callable[..., Any])
_EXAMPLE: Final = "CognitiveServices.Ner.Container.TextRecords=1000"


def _meters(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    meters = {}
    for value in values:
        name, _, units = value.partition("=")
        if not units.isascii() or not units.isdigit() or len(units) > 18:
            raise click.BadParameter(f"{value!r} must look like NAME=UNITS, such as {_EXAMPLE}")
        meters[name] = int(units)
    return meters


def _meter_option(text: str) -> Callable[[_F], _F]:
    return click.option("--meter", "meters", multiple=True, metavar="NAME=UNITS", callback=_meters, help=text)


@click.group(cls=ErrorHandlingGroup, epilog=example("license resource create --help"))
def resource() -> None:
    """Customers' resources: what they bought, and their keys."""


@resource.command(
    "create",
    epilog=example(
        "license resource create acme-ner --customer 'Acme Ltd' --approved \\",
        "  --meter CognitiveServices.Ner.Container.TextRecords=12000000",
    ),
)
@click.argument("name")
@click.option("--customer", required=True, help="Customer's name, as it shall stand in licences.")
@click.option("--product", default="ner", show_default=True)
@click.option("--tier", default="DC0", show_default=True, type=click.Choice(["F0", "S0", "DC0"]))
@_meter_option("Included units, for F0 in each month; repeatable.")
@click.option("--model", "models", multiple=True, metavar="LINE", help="Model line to open; repeatable.")
@click.option("--overage", type=click.Choice(["record", "block"]), help="Default: record; F0: block.")
@click.option("--binding", default="instance", show_default=True, type=click.Choice(["instance", "any"]))
@click.option("--period", nargs=2, metavar="FIRST END", help="First day, and the day after the last.")
@click.option("--approved", is_flag=True, help="Grant disconnected use at once.")
@max_instances_option("Machines that may have licences of it; any number without.")
@home_option
@json_option
def create(name: str, home: Path, as_json: bool, **choices: Any) -> None:
    """Enter a resource and print its two keys, this once.

    F0 is free: 5,000 text records a month, or of speech the units named with --meter, and then no more. S0 is
    paid by use. DC0 is paid in advance: the units named with --meter.
    """
    from license.authority.book.resource import warnings_of
    from license.authority.cli.text import resource_json, resource_rows
    from license.text import table

    with open_authority(home) as authority:
        created, now = authority.create_resource(name, **choices), authority.clock()
    if as_json:
        print_json({**resource_json(created.resource, now), "key1": created.key1, "key2": created.key2})
    else:
        click.echo(table(resource_rows(created, home, now)))
        click.echo("the keys are not stored: give one to the customer now", err=True)
    warn(warnings_of(created.resource))


@resource.command("list", epilog=example("license resource list"))
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List all resources."""
    from license.authority.cli.text import resource_json
    from license.text import columns

    with open_authority(home) as authority:
        resources, now = authority.store.resources(), authority.clock()
    if as_json:
        print_json([resource_json(resource, now) for resource in resources])
        return
    rows = [
        (
            resource.name,
            resource.customer,
            resource.product,
            resource.plan.tier,
            "yes" if resource.approved else "no",
        )
        for resource in resources
    ]
    click.echo(columns(("NAME", "CUSTOMER", "PRODUCT", "TIER", "APPROVED"), rows))


@resource.command(epilog=example("license resource show acme-ner"))
@click.argument("name")
@home_option
@json_option
def show(name: str, home: Path, as_json: bool) -> None:
    """Show a resource, its machines and its history."""
    from license.authority.book.overview import machines_seen
    from license.authority.cli.text import history_rows, machine_json, resource_details, resource_json
    from license.text import table

    with open_authority(home) as authority:
        resource, history = authority.store.get(name), authority.store.history(name)
        issued, machines = len(authority.store.notes(name)), machines_seen(authority.store, name)
        now = authority.clock()
    if as_json:
        changes = [{"at": format_time(change.at), "what": change.what} for change in history]
        seen = [machine_json(machine) for machine in machines]
        print_json({**resource_json(resource, now), "licences": issued, "machines": seen, "history": changes})
        return
    rows = [("licences", str(issued)), *(("machine", str(machine)) for machine in machines)]
    click.echo(table([*resource_details(resource, now), *rows, *history_rows(history)]))


@resource.command(
    "add-units",
    epilog=example("license resource add-units acme-ner CognitiveServices.Ner.Container.TextRecords=500000"),
)
@click.argument("name")
@click.argument("meters", nargs=-1, required=True, metavar="METER=UNITS...", callback=_meters)
@home_option
@json_option
def add_units(name: str, meters: dict[str, int], home: Path, as_json: bool) -> None:
    """Enter units that NAME bought during the term.

    They are in the next licence: issue one, with the same dates, and the customer installs it. An appliance
    that runs connected gets them by itself.
    """
    included: dict[str, int | None] = {}
    with open_authority(home) as authority:
        for meter, units in meters.items():
            resource = authority.add_units(name, meter, units)
            included[meter] = resource.plan_at(authority.clock()).units(meter)
    if as_json:
        print_json({"name": name, "included": included})
    else:
        click.echo("\n".join(f"{units} {meter}" for meter, units in included.items()))
    click.echo(
        "issue a licence now: the customer's current licence has the old units; a connected run needs none",
        err=True,
    )


@resource.command(epilog=example("license resource renew acme-ner"))
@click.argument("name")
@click.option("--period", nargs=2, metavar="FIRST END", help="First day, and the day after the last.")
@_meter_option("Included units that shall be others than before; repeatable.")
@click.option("--overage", type=click.Choice(["record", "block"]), help="Default: as before.")
@click.option("--again", is_flag=True, help="Change a next period that was entered and has not begun.")
@home_option
@json_option
def renew(name: str, home: Path, as_json: bool, **choices: Any) -> None:
    """Enter the next period of NAME, which keeps its keys.

    It begins where the present one ends, is as long and has the same units, those added since included. Model
    lines, machines and history stay. Usage of the days before is still counted and charged by the plan that
    it belongs to.

    Licences for it can be issued now: the appliance puts them in force on their first day.
    """
    from license.authority.book.resource import warnings_of
    from license.authority.cli.text import resource_details, resource_json
    from license.text import table

    with open_authority(home) as authority:
        renewed, now = authority.renew_resource(name, **choices), authority.clock()
    if as_json:
        print_json(resource_json(renewed, now))
    else:
        click.echo(table(resource_details(renewed, now)))
        click.echo(
            f"next: license issue REQUEST --resource {name} --out DIR, for each machine that has a licence; "
            "a connected run needs none",
            err=True,
        )
    warn(warnings_of(renewed))


@resource.command(epilog=example("license resource grant acme-ner ner-en/3"))
@click.argument("name")
@click.argument("line")
@home_option
def grant(name: str, line: str, home: Path) -> None:
    """Let licences of NAME open the model line LINE."""
    with open_authority(home) as authority:
        authority.grant(name, line)
    click.echo(f"licences of {name} issued from now on open {line}", err=True)


def _machines(_ctx: click.Context, _option: click.Parameter, value: str) -> int | None:
    if value == "none":
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise click.BadParameter(f"{value!r} is neither a number of machines nor `none`")
    return int(value)


@resource.command(epilog=example("license resource limit acme-ner 2"))
@click.argument("name")
@click.argument("machines", callback=_machines)
@home_option
def limit(name: str, machines: int | None, home: Path) -> None:
    """Limit NAME to MACHINES machines, or to `none`.

    No further machine gets a licence or a lease. Machines that have one keep it and get renewals; a machine
    that was replaced still counts.
    """
    with open_authority(home) as authority:
        changed, known = authority.limit(name, machines), len(authority.store.machines(name))
    most = "any number of machines" if changed.max_instances is None else f"{machines} machines at most"
    click.echo(f"{name}: {most}; {known} have licences", err=True)


@resource.command(epilog=example("license resource approve acme-ner"))
@click.argument("name")
@home_option
def approve(name: str, home: Path) -> None:
    """Grant the resource NAME disconnected use."""
    with open_authority(home) as authority:
        authority.approve(name)
    click.echo(f"{name} is approved for disconnected use", err=True)


@resource.command("regenerate-key", epilog=example("license resource regenerate-key acme-ner 2"))
@click.argument("name")
@click.argument("which", type=click.IntRange(1, 2))
@home_option
def regenerate_key(name: str, which: int, home: Path) -> None:
    """Replace one key of a resource; the other stays good.

    WHICH is 1 or 2. The new key is printed, this once.
    """
    with open_authority(home) as authority:
        click.echo(authority.regenerate_key(name, which))
