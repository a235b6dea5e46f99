"""`appliance diagnose` and `appliance metering preview`: options in, one call, text out."""

import os
from pathlib import Path

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import WITH_SETTINGS, json_option, print_json, settings_argument
from license.console.outputs import OutputFolder


@click.command(
    epilog="Example:  appliance diagnose Eula=accept Billing=https://license.example.com ApiKey=KEY",
    context_settings=WITH_SETTINGS,
)
@json_option
@settings_argument
@click.pass_context
def diagnose(ctx: click.Context, as_json: bool, words: tuple[str, ...]) -> None:
    """Check the connection to the billing endpoint: address, proxy, name, connection, TLS, key, clock.

    Settings are those of the service. Nothing is counted. Exit status: 0 if nothing failed, 1 otherwise.
    """
    from appliance.doctor.billing_endpoint import diagnose as try_way
    from appliance.doctor.report import exit_code, to_json, to_text
    from appliance.licensing.installation import Installation

    findings = try_way(Installation.read(words, os.environ, roots_directory=None).settings)
    if as_json:
        print_json(to_json(findings))
    else:
        click.echo(to_text(findings))
    ctx.exit(exit_code(findings))


@click.group("metering", cls=ErrorHandlingGroup)
def metering_group() -> None:
    """What a connected run reports."""


@metering_group.command(
    "preview",
    epilog="Example:  appliance metering preview Billing=https://license.example.com Mounts:State=/srv/state",
    context_settings=WITH_SETTINGS,
)
@settings_argument
@click.option("-o", "--out", type=OutputFolder(), help="Also write them here.")
def preview(words: tuple[str, ...], out: Path | None) -> None:
    """Print every byte that a connected run would send now, without sending it; only the key is masked.

    Settings are those of the service, which may be running. Titles go to standard error.
    """
    from appliance.licensing.installation import Installation
    from appliance.metering.preview import preview as show
    from license.files import write_atomic

    installation = Installation.read(words, os.environ, roots_directory=None)
    for number, request in enumerate(show(installation.settings, installation.identity()), start=1):
        click.echo(click.style(f"--- {request.title}: {len(request.data):,} bytes", bold=True), err=True)
        click.echo(request.data, nl=not request.data.endswith(b"\n"))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_atomic(out / f"request-{number}", request.data, mode=0o644)
