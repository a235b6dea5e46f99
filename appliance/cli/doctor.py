"""`appliance doctor`."""

import os
from pathlib import Path

import click

from appliance.cli.options import WITH_SETTINGS, json_option, print_json, settings_argument
from appliance.errors import OutputError
from license.console.outputs import OutputFile

_EXAMPLES = """\b
Examples:
  sudo appliance doctor
  appliance doctor Mounts:License=/etc/appliance/license Mounts:Output=/var/lib/appliance/output
  sudo appliance doctor --bundle support.tar.gz
"""


@click.command(epilog=_EXAMPLES, context_settings=WITH_SETTINGS)
@json_option
@click.option(
    "--bundle",
    type=OutputFile(),
    help="Also write a support archive: no secrets, no customer text.",
)
@click.option(
    "--roots",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="Trust the root keys (*.vkey) in this folder, not the installed ones.",
)
@click.option("--verify", is_flag=True, help="Also verify every usage record; takes as long as an audit.")
@settings_argument
@click.pass_context
def doctor(
    ctx: click.Context,
    as_json: bool,
    bundle: Path | None,
    roots: Path | None,
    verify: bool,
    words: tuple[str, ...],
) -> None:
    """Say what is wrong with this installation, and the command that fixes it. Changes nothing.

    Settings are those of the service; without any, /etc/appliance/appliance.env is read. With Billing=…
    the vendor's endpoint is asked too. Exit status: 0 if nothing failed, 1 otherwise.
    """
    from appliance.doctor.examine import examine, read_installation, system_time
    from appliance.doctor.report import exit_code, to_json, to_text
    from appliance.doctor.support_bundle import write_bundle
    from appliance.host.effective_clock import system_sources

    installation = read_installation(words, os.environ, roots_directory=roots)
    examination = examine(installation, clock=system_sources(), verify=verify)
    findings = examination.findings
    if as_json:
        print_json(to_json(findings))
    else:
        click.echo(to_text(findings))
    if bundle is not None:
        try:
            write_bundle(bundle, installation.settings, examination, now=system_time())
        except OSError as error:
            raise OutputError(f"cannot write {bundle}: {error.strerror}", hint="name a new file") from error
        click.echo(f"wrote {bundle}; read it before you send it", err=True)
    ctx.exit(exit_code(findings))
