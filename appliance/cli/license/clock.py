"""`appliance clock …`: options in, one call, text out."""

from pathlib import Path

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import (
    example,
    installation_from,
    json_option,
    print_json,
    roots_option,
    settings_argument,
)
from appliance.host.container import reload_command
from appliance.licensing.installation import Installation


def _read(words: tuple[str, ...], roots: Path | None) -> Installation:
    return installation_from(words, roots, hint="such as Mounts:License=/etc/appliance/license")


@click.group("clock", cls=ErrorHandlingGroup, epilog=example("appliance clock show"))
def clock_group() -> None:
    """The time that the licence is judged by: it never runs backwards."""


@clock_group.command(epilog=example("appliance clock show Mounts:Output=/var/lib/appliance/output"))
@roots_option
@json_option
@settings_argument
def show(words: tuple[str, ...], roots: Path | None, as_json: bool) -> None:
    """Show effective time, the machine's clock, and whether it is believed."""
    from appliance.licensing.clock_report import clock_status
    from appliance.licensing.effective_time import time_text
    from license.text import table

    status = clock_status(_read(words, roots))
    rows = {"effective": time_text(status.effective), "wall": time_text(status.wall), "state": status.state}
    if as_json:
        print_json({**rows, "words": status.words})
    else:
        click.echo(table([*rows.items(), ("", status.words)]))


@clock_group.command(epilog=example("appliance clock accept"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@roots_option
@settings_argument
def accept(words: tuple[str, ...], roots: Path | None, yes: bool) -> None:
    """Confirm the machine's clock, which is far ahead of what is proven.

    Only a new licence reverses this, so a wrong clock would use the licence up.
    """
    from appliance.licensing.clock_report import accept_clock, clock_status
    from appliance.licensing.effective_time import time_text

    installation = _read(words, roots)
    status = clock_status(installation)
    if status.state == "held" and not yes:
        click.confirm(
            f"This machine's clock says {time_text(status.wall)}. Is it that now?", abort=True, err=True
        )
    accept_clock(installation)
    click.echo(
        "the clock is confirmed; a running service believes it within a minute, at once with"
        f" {reload_command()}; otherwise its next start does",
        err=True,
    )
