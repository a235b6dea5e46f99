"""`appliance site …`: options in, one call, text out. Everything lies in the one directory `--home`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import example, json_option, print_json, roots_option
from appliance.config.products import SERVICES
from license.console.outputs import OutputFile

_F = TypeVar("_F", bound=Callable[..., Any])
DEFAULT_PORT: Final = 5080


def _home_option(function: _F) -> _F:
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        envvar="APPLIANCE_SITE_HOME",
        show_envvar=True,
        help="The desk's directory, best a volume of its own.",
    )(function)


def _url_option(function: _F) -> _F:
    return click.option(
        "--url",
        default=f"http://127.0.0.1:{DEFAULT_PORT}",
        show_default=True,
        help="Address of the running desk.",
    )(function)


@click.group("site", cls=ErrorHandlingGroup, epilog=example("appliance site status --home /srv/desk"))
def site_group() -> None:
    """One licence for a whole site: a desk divides it among replicas, which run connected to the desk.

    request, install and serve set the desk up; status, write-off and export are for later.
    """


@site_group.command(epilog=example("appliance site request --home /srv/desk -o request.note"))
@_home_option
@click.option("--service", type=click.Choice(sorted(SERVICES)), default="customner", show_default=True)
@click.option("-o", "--out", type=OutputFile(dash=True), required=True, help="File, or - for output.")
@click.option("--model", "models", multiple=True, metavar="LINE", help="Ask for a model line; repeatable.")
def request(home: Path, service: str, out: Path, models: tuple[str, ...]) -> None:
    """Make the desk's directory and keys, and write the request to carry to the vendor."""
    import time

    from appliance.licensing.request import request_note
    from appliance.site.home import API_KEY, Home
    from license.errors import Unwritable
    from license.files import quoted, write_atomic

    desk, product = Home(path=home), SERVICES[service]
    identity = desk.make(product)
    note = request_note(identity, product, created=int(time.time()), models=sorted(models))
    if str(out) == "-":
        click.echo(note, nl=False)
        return
    try:
        write_atomic(out, note, mode=0o644)
    except OSError as error:
        raise Unwritable(f"cannot write {out}: {error.strerror}") from error
    click.echo(
        f"wrote {out}, which holds nothing secret; the vendor answers with `license issue --site INSTANCES`; "
        f"then: appliance site install --home {quoted(home)} license.note issuer.note\n"
        f"the key that replicas give as ApiKey lies in {home / API_KEY}",
        err=True,
    )


@site_group.command(epilog=example("appliance site install --home /srv/desk license.note issuer.note"))
@_home_option
@roots_option
@json_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def install(home: Path, roots: Path | None, as_json: bool, files: tuple[str, ...]) -> None:
    """Verify a site licence that was carried in, and give it to the desk.

    FILE is license.note and issuer.note in any order, or a directory that holds them.
    """
    from appliance.cli.site.words import desk_words
    from appliance.config.settings import Settings
    from appliance.licensing.install import install_license, read_delivery, verify_delivery
    from appliance.licensing.installation import Installation
    from appliance.site.home import Home
    from license.text import license_json, license_rows, table

    desk = Home(path=home)
    words = (
        f"Service={desk.product().name}",
        f"Mounts:License={desk.license}",
        f"Mounts:Output={desk.output}",
    )
    installation = Installation(
        settings=Settings.read(words, {}), state=desk.state, roots_directory=roots, site=True
    )
    with desk_words(home):
        licensed = verify_delivery(installation, read_delivery(list(files)))
    install_license(
        desk.license, licensed, begun=installation.has_begun(licensed), present=installation.in_place()
    )
    now = installation.time_under(licensed.license)
    if as_json:
        print_json(license_json(licensed, now))
    else:
        click.echo(table(license_rows(licensed, installation.roots(), now)))
    click.echo("a running desk takes it over within a minute; at once on SIGHUP", err=True)


@site_group.command(epilog=example("appliance site serve --home /srv/desk --host 0.0.0.0"))
@_home_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65_535), help="0: any free one."
)
@click.option(
    "--heartbeat",
    "heartbeat_s",
    default=20,
    show_default=True,
    type=click.IntRange(1, 3_600),
    help="Longest time between two words of a replica, in seconds. A desk listens for two after a start.",
)
@click.option(
    "--write-off-hours",
    default=24,
    show_default=True,
    type=click.IntRange(0, 8_760),
    help="How long after the end of its lease a replica is written off.",
)
@click.option(
    "--restored",
    is_flag=True,
    help="The directory is a backup put back: grant no units of a plan that blocks for one lease period.",
)
@roots_option
def serve(
    home: Path,
    host: str,
    port: int,
    heartbeat_s: int,
    write_off_hours: int,
    restored: bool,
    roots: Path | None,
) -> None:
    """Run the desk until told to stop: lease to replicas, count what they report.

    It speaks plain HTTP: TLS is left to a proxy in front. Its page is at /; the password is the key.
    """
    import logging

    from appliance.cli.site.words import desk_words
    from appliance.observability import logging as logs
    from appliance.server.desk import listen
    from appliance.server.desk import serve as serve_desk
    from appliance.site.desk import Desk
    from appliance.site.home import Home
    from appliance.site.lease import DeskRules

    logs.configure("information", "information", console_format="simple")
    log = logging.getLogger("appliance.site")
    place, known = Home(path=home), _roots(roots)
    key = place.api_key()
    rules = DeskRules(heartbeat_s=heartbeat_s, patience_s=write_off_hours * 3_600)
    with desk_words(home):
        desk = Desk(place, roots=known, rules=rules, restored=restored)
    try:
        listener = listen(host, port)
    except BaseException:
        desk.close()
        raise

    def ready(address: str) -> None:
        license = desk.licenses.current.license
        log.info(
            "Site of '%s': %s replicas, licence %s; trust root %s.",
            license.customer,
            0 if license.site is None else license.site.max_instances,
            license.id,
            desk.licenses.current.root.vkey,
        )
        log.info("ready: %s", address)

    serve_desk(desk, listener, api_key=key, roots=known, ready=ready)


@site_group.command(epilog=example("appliance site status --home /srv/desk --json"))
@_home_option
@_url_option
@json_option
def status(home: Path, url: str, as_json: bool) -> None:
    """Say who is there, which version, what is left and what was lost; asks the running desk."""
    from appliance.cli.site.desk_client import ask_desk
    from appliance.cli.site.text import status_lines
    from appliance.cli.site.words import asking_words
    from appliance.site.home import Home
    from appliance.site.http import SITE_PATH

    with asking_words(home, url):
        found = ask_desk(url, SITE_PATH, Home(path=home).api_key())
    if as_json:
        print_json(found)
    else:
        for line in status_lines(found):
            click.echo(line)


@site_group.command("write-off", epilog=example("appliance site write-off 731e0fccb93e --home /srv/desk"))
@click.argument("instance", metavar="REPLICA")
@_home_option
@_url_option
@json_option
def write_off(instance: str, home: Path, url: str, as_json: bool) -> None:
    """Give up a replica that does not come back: what it holds counts as used, and is marked lost.

    REPLICA is its twelve digits, as status shows them. What it reports later is not charged again.
    """
    from appliance.cli.site.desk_client import ask_desk
    from appliance.cli.site.words import asking_words, replica_digits
    from appliance.site.home import Home
    from appliance.site.http import WRITE_OFF_PATH

    instance = replica_digits(instance)
    with asking_words(home, url):
        done = ask_desk(url, WRITE_OFF_PATH, Home(path=home).api_key(), {"instance": instance})
    if as_json:
        print_json(done)
    elif done["writtenOff"]:
        click.echo(f"{instance} is written off")
    else:
        click.echo(f"{instance} holds nothing: it is not known, has left, or was written off before")


@site_group.command(epilog=example("appliance site export --home /srv/desk -o site.zip"))
@_home_option
@_url_option
@click.option("-o", "--out", type=OutputFile(), required=True, help="Where the file goes.")
@click.option("--full/--summary", default=True, help="Every entry, or sums of each day; default: --full.")
@click.option("-m", "--message", metavar="NOTE", help="Why; kept beside the log, never in the file.")
@json_option
def export(home: Path, url: str, out: Path, full: bool, message: str | None, as_json: bool) -> None:
    """Write the whole site into one signed file for the vendor and for auditors.

    It holds what replicas reported, their leases and slices, and what was lost. `appliance usage verify`
    checks it, and `license ingest` takes it in. The desk may run meanwhile, or not.
    """
    from appliance.cli.site.desk_client import ask_desk
    from appliance.errors import SettingsError
    from appliance.ledger.transfer.export_file import export_usage
    from appliance.site.home import Home
    from appliance.site.http import CHECKPOINT_PATH
    from license.console.progress import waiting
    from license.errors import CouldNotConnect
    from license.evidence.log.source import find_databases
    from license.files import quoted

    place = Home(path=home)
    place.product()
    if not find_databases(place.ledger(place.identity())):
        raise SettingsError(
            f"the desk in {home} has written no log yet",
            hint=f"start it once: appliance site serve --home {quoted(home)}",
        )
    with contextlib.suppress(CouldNotConnect):  # a desk that does not run has signed its log at the stop
        ask_desk(url, CHECKPOINT_PATH, place.api_key(), {})
    making = export_usage(place.output, place.state, out=out, full=full, note=message)
    with contextlib.ExitStack() as stack:
        with waiting("writing the export"):
            made = stack.enter_context(making)
        if as_json:
            facts = {"file": str(made.path), "bytes": made.size, "sha256": made.sha256}
            print_json({**facts, "unsigned": made.unsigned})
        else:
            click.echo(f"{made.path}  {made.size:,} bytes  SHA-256 {made.sha256}")
        if made.unsigned:
            click.echo(
                f"{made.unsigned:,} newer entries are not in it, since they are not signed yet", err=True
            )


def _roots(directory: Path | None) -> Any:
    from license.trust.roots import installed_roots, load_roots

    return installed_roots() if directory is None else load_roots(directory)
