"""`appliance license …`: options in, one call, text out.

Data goes to standard output, words to standard error. Exit codes: `appliance.cli.errors`, documented in
`docs/licence.md`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

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
from appliance.licensing.installation import Installation, is_setting
from license.console.outputs import OutputFile

_F = TypeVar("_F", bound=Callable[..., Any])


def _models(help_text: str) -> Callable[[_F], _F]:
    return click.option("--model", "models", multiple=True, metavar="LINE", help=help_text)


def _read(words: tuple[str, ...], roots: Path | None) -> Installation:
    return installation_from(words, roots, hint="such as Mounts:License=/etc/appliance/license")


@click.group("license", cls=ErrorHandlingGroup, epilog=example("appliance license show"))
def license_group() -> None:
    """Get, carry, install and inspect this installation's licence.

    The commands take the settings of the service as Key=Value, and read /etc/appliance/appliance.env where
    that file exists.
    """


@license_group.command(
    epilog=example(
        "appliance license download Eula=accept Billing=https://license.example.com ApiKey=KEY \\",
        "    Mounts:License=/etc/appliance/license",
    )
)
@_models(
    "Also ask for the key of this model line, such as ner-en/3, and bring its newest package into the"
    " directory that Mounts:Model names; repeatable."
)
@click.option(
    "--models-only",
    is_flag=True,
    help="Bring the packages of --model and no licence, as for a replica, whose licence is its lease.",
)
@roots_option
@json_option
@settings_argument
def download(
    words: tuple[str, ...], roots: Path | None, models: tuple[str, ...], models_only: bool, as_json: bool
) -> None:
    """Ask the vendor for a licence over the network, verify it and save it.

    The same as starting with DownloadLicense=True. The key of this installation is made if there is none.
    """
    from appliance.cli.license.download import bring_packages, download_and_tell

    installation = _read(words, roots)
    installation.settings.require_eula()
    if models_only:
        bring_packages(installation, models, as_json=as_json)
    else:
        download_and_tell(installation, models, as_json=as_json)


@license_group.command(epilog=example("appliance license request -o request.note"))
@click.option(
    "-o",
    "--out",
    type=OutputFile(dash=True),
    required=True,
    help="File, or - for output.",
)
@_models("Ask for the key of this model line, such as ner-en/3; repeatable.")
@roots_option
@settings_argument
def request(words: tuple[str, ...], roots: Path | None, models: tuple[str, ...], out: Path) -> None:
    """Write a licence request to carry to the vendor.

    The key of this installation is made if there is none.
    """
    from appliance.cli.license.text import install_command
    from appliance.licensing.request import license_request
    from license.errors import Unwritable
    from license.files import write_atomic

    installation = _read(words, roots)
    note = license_request(installation.settings, installation.identity(create=True), models)
    if str(out) == "-":
        click.echo(note, nl=False)
        return
    try:
        write_atomic(out, note, mode=0o644)
    except OSError as error:
        raise Unwritable(f"cannot write {out}: {error.strerror}") from error
    click.echo(
        f"wrote {out}, which holds nothing secret; carry it to the vendor, who answers with license.note and"
        f" issuer.note; then: {install_command(installation)}",
        err=True,
    )


@license_group.command(
    epilog=example(
        "appliance license install /media/usb/license.note /media/usb/issuer.note",
        "appliance license install /media/usb",
    )
)
@click.option("--dry-run", is_flag=True, help="Verify and show, write nothing.")
@roots_option
@json_option
@click.argument("files", nargs=-1, required=True, type=click.UNPROCESSED, metavar="FILE... [Key=Value]...")
def install(files: tuple[str, ...], roots: Path | None, dry_run: bool, as_json: bool) -> None:
    """Verify a licence that was carried in, and put it in force.

    FILE is license.note and issuer.note in any order, a directory that holds them, or - for standard input.
    """
    from appliance.cli.license.text import result_json, result_table, run_template
    from appliance.licensing.install import compare_logs, install_license, read_delivery, verify_delivery

    installation = _read(tuple(filter(is_setting, files)), roots)
    names = [name for name in files if not is_setting(name)]
    if not names:
        raise click.UsageError("name the files to install, such as license.note issuer.note")
    licensed = verify_delivery(installation, read_delivery(names))
    now = installation.time_under(licensed.license)
    for finding in compare_logs(installation, licensed):
        click.echo(f"LedgerMismatch: {finding.origin}: {finding.message}", err=True)
    if dry_run:
        if as_json:
            print_json(result_json(installation, licensed, None, now=now))
        else:
            click.echo(result_table(licensed, Path("nothing: --dry-run"), now=now))
        return
    path = install_license(
        installation.license_directory(),
        licensed,
        begun=installation.has_begun(licensed),
        present=installation.in_place(),
    )
    if as_json:
        print_json(result_json(installation, licensed, path, now=now))
    else:
        click.echo(result_table(licensed, path, now=now))
        click.echo(run_template(installation))
    click.echo(f"a running service takes it over within a minute; at once: {reload_command()}", err=True)


@license_group.command(epilog=example("appliance license show Mounts:License=/etc/appliance/license"))
@roots_option
@json_option
@settings_argument
def show(words: tuple[str, ...], roots: Path | None, as_json: bool) -> None:
    """Show the licence in force: dates, plan, models, and what stops when."""
    from appliance.cli.license.check import show_json, show_rows
    from license.text import table

    installation = _read(words, roots)
    licenses = installation.licenses()
    if as_json:
        print_json(show_json(licenses))
    else:
        click.echo(table(show_rows(installation, licenses)))


@license_group.command(epilog=example("appliance license check --model /media/usb/ner-en-3-1.0.2.age"))
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="X",
    help="Also open this package, directory of packages, model folder or model line; repeatable.",
)
@roots_option
@json_option
@settings_argument
def check(words: tuple[str, ...], roots: Path | None, models: tuple[str, ...], as_json: bool) -> None:
    """Say whether a start would be accepted now, and whether a model would open.

    Exit status 0: yes. 78: no, and the message says what to do. Nothing is changed.
    """
    from appliance.cli.license.check import check_model, require_serving, show_json
    from license.text import state_words

    installation = _read(words, roots)
    licenses = installation.licenses()
    require_serving(licenses)
    fits = [fit for model in models for fit in check_model(installation, licenses, model)]
    if as_json:
        opened = [{"model": fit.what, "line": fit.line, "release": fit.release} for fit in fits]
        print_json({**show_json(licenses), "models_opened": opened})
        return
    current = licenses.current
    click.echo(f"licence {current.license.id}: {state_words(current, licenses.time_under(current.license))}")
    for fit in fits:
        name = " ".join(filter(None, (fit.line, fit.release)))
        click.echo(f"{fit.what}: opens{f' ({name})' if name and name != fit.what else ''}; {fit.how}")
