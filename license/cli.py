"""The vendor's commands. Each is options in, one call, text out; the work is done elsewhere.

Data goes to standard output, words to standard error. Exit status: 0 done, 1 refused, 2 wrong usage. A
refusal is two lines, `error:` and `hint:`, never a traceback. `-` stands for standard input.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from license.errors import LicenseError, Unreadable, Unwritable
from license.files import read_limited, write_atomic
from license.note import MAX_NOTE_BYTES
from license.wire import parse_time

if TYPE_CHECKING:
    from license.authority import Authority
    from license.roots import TrustRoots
    from license.verify import AuthenticLicense

_F = TypeVar("_F", bound=Callable[..., Any])
MAX_LISTENING: Final = 128


class _Refusal(click.ClickException):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: Any = None) -> None:
        click.echo(f"{click.style('error:', fg='red')} {self.message}", err=True, file=file)
        if self.hint:
            click.echo(f"{click.style('hint:', fg='yellow')} {self.hint}", err=True, file=file)


class _Family(click.Group):
    """A group whose commands may raise refusals."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LicenseError as error:
            raise _Refusal(error.message, error.hint) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            raise _Refusal(f"{what}{error.strerror or error}", Unwritable.default_hint) from error


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def _home(function: _F) -> _F:
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        default=Path("authority"),
        show_default=True,
        envvar="LICENSE_HOME",
        show_envvar=True,
        help="Directory of the authority.",
    )(function)


def _json(function: _F) -> _F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


def _meters(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    meters = {}
    for value in values:
        name, _, units = value.partition("=")
        if not units.isascii() or not units.isdigit() or len(units) > 18:
            raise click.BadParameter(f"{value!r} must look like NAME=UNITS, such as Some.Meter=1000")
        meters[name] = int(units)
    return meters


@click.group(cls=_Family, context_settings={"max_content_width": 100}, epilog=_example("license init --help"))
def main() -> None:
    """Sell, issue, inspect and verify licences of the offline appliance."""


@main.command(epilog=_example("license init authority --name license.example.com"))
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", default="license-authority", show_default=True, help="Vendor's name in its keys.")
def init(directory: Path, name: str) -> None:
    """Make a new authority: two roots, an issuer, an empty book.

    Everything lies in DIRECTORY; a directory that already holds keys is refused.
    """
    from license.authority import Authority

    with Authority.create(directory, name=name) as authority:
        for path in sorted(authority.roots_dir.iterdir()):
            click.echo(f"{path}  {path.read_text().strip()}")
    keys = directory / "keys"
    click.echo(
        f"move {keys / 'root.key'} and {keys / 'spare-root.key'} to two media kept off line;"
        f" nothing here needs them again\ninstall {authority.roots_dir}/*.vkey with the appliance",
        err=True,
    )


@main.group(epilog=_example("license resource create --help"))
def resource() -> None:
    """Customers' resources: what they bought, and their keys."""


@resource.command(
    "create",
    epilog=_example(
        "license resource create acme-ner --customer 'Acme Ltd' --approved \\",
        "  --meter CognitiveServices.Ner.Container.TextRecords=12000000",
    ),
)
@click.argument("name")
@click.option("--customer", required=True, help="Customer's name, as it shall stand in licences.")
@click.option("--product", default="ner", show_default=True)
@click.option("--tier", default="DC0", show_default=True, type=click.Choice(["F0", "S0", "DC0"]))
@click.option(
    "--meter",
    "meters",
    multiple=True,
    metavar="NAME=UNITS",
    callback=_meters,
    help="Included units; repeatable.",
)
@click.option("--overage", default="record", show_default=True, type=click.Choice(["record", "block"]))
@click.option("--binding", default="instance", show_default=True, type=click.Choice(["instance", "any"]))
@click.option("--period", nargs=2, metavar="FIRST END", help="First day, and the day after the last.")
@click.option("--approved", is_flag=True, help="Grant disconnected use at once.")
@_home
@_json
def create(name: str, home: Path, as_json: bool, **choices: Any) -> None:
    """Enter a resource and print its two keys, this once."""
    from license.show import resource_json, resource_rows, table

    with _open(home) as authority:
        created = authority.create_resource(name, **choices)
    if as_json:
        _print_json({**resource_json(created.resource), "key1": created.key1, "key2": created.key2})
    else:
        click.echo(table(resource_rows(created, str(home))))
        click.echo("the keys are not stored: give one to the customer now", err=True)


@resource.command("list", epilog=_example("license resource list"))
@_home
@_json
def list_(home: Path, as_json: bool) -> None:
    """List all resources."""
    from license.show import columns, resource_json

    with _open(home) as authority:
        resources = authority.store.resources()
    if as_json:
        _print_json([resource_json(one) for one in resources])
        return
    rows = [
        (one.name, one.customer, one.product, one.plan.tier, "yes" if one.approved else "no")
        for one in resources
    ]
    click.echo(columns(("NAME", "CUSTOMER", "PRODUCT", "TIER", "APPROVED"), rows))


@resource.command(epilog=_example("license resource approve acme-ner"))
@click.argument("name")
@_home
def approve(name: str, home: Path) -> None:
    """Grant the resource NAME disconnected use."""
    with _open(home) as authority:
        authority.store.approve(name)
    click.echo(f"{name} is approved for disconnected use", err=True)


@resource.command("regenerate-key", epilog=_example("license resource regenerate-key acme-ner 2"))
@click.argument("name")
@click.argument("which", type=click.IntRange(1, 2))
@_home
def regenerate_key(name: str, which: int, home: Path) -> None:
    """Replace one key of a resource; the other stays good.

    WHICH is 1 or 2. The new key is printed, this once.
    """
    with _open(home) as authority:
        click.echo(authority.store.regenerate_key(name, which))


@main.command(epilog=_example("license request --key instance.key --out request.note"))
@click.option(
    "--key", type=click.Path(path_type=Path), required=True, help="The machine's key; made if missing."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to write the request.")
@click.option("--product", default="ner", show_default=True)
@click.option("--software", default="license request", show_default=True, help="Named in the request.")
def request(key: Path, out: Path, product: str, software: str) -> None:
    """Make a licence request by hand.

    An appliance makes its own; this is for trying things out.
    """
    from license.keys import SigningKey, load_signing_key, save_signing_key
    from license.request import LicenseRequest, sign_request

    if not key.exists():
        save_signing_key(key, SigningKey.generate("offline-appliance/instance"))
    machine = load_signing_key(key)
    asked = LicenseRequest(
        instance=machine.verifying.vkey, product=product, software=software, created=int(time.time())
    )
    write_atomic(out, sign_request(asked, machine), mode=0o644)
    click.echo(f"wrote {out}; next: license issue {out} --resource NAME", err=True)


@main.command(epilog=_example("license issue request.note --resource acme-ner --out delivery"))
@click.argument("request_file", metavar="REQUEST", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--resource", "name", required=True, help="The resource that pays.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Directory for the two notes.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 36_500))
@click.option("--grace-days", default=30, show_default=True, type=click.IntRange(0, 3_650))
@click.option("--report-days", default=90, show_default=True, type=click.IntRange(1, 36_500))
@click.option("--binding", type=click.Choice(["instance", "any"]), help="Default: as the resource says.")
@_home
@_json
def issue(request_file: Path, name: str, out: Path, home: Path, as_json: bool, **terms: Any) -> None:
    """Issue a licence for a request note.

    Writes license.note and issuer.note, which belong together.
    """
    from license.authority.issue import Terms
    from license.directory import save_license
    from license.verify import open_license

    with _open(home) as authority:
        paying = authority.store.get(name)
        issued = authority.issue(paying, _read(request_file), terms=Terms(**terms))
        roots, now = authority.keyring.roots, authority.clock()
    opened = open_license(issued.note, issued.issuer_note, roots=roots)
    out.mkdir(parents=True, exist_ok=True)
    for path in save_license(out, opened):
        click.echo(f"wrote {path}", err=True)
    _print_license(opened, roots, now, as_json)


@main.command(epilog=_example("license serve --port 8080"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="0: any free one."
)
@_home
def serve(host: str, port: int, home: Path) -> None:
    """Hand out licences over HTTP until told to stop.

    It speaks plain HTTP: TLS is left to a proxy in front.
    """
    import uvicorn

    from license.authority.service import build_app

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    app = build_app(home)
    with socket.create_server((host, port), backlog=MAX_LISTENING) as listener:
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"listening on http://{shown}:{listener.getsockname()[1]}", err=True)
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


@main.command(epilog=_example("license inspect delivery/license.note"))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@_json
def inspect(file: Path, as_json: bool) -> None:
    """Show what FILE says, without verifying it."""
    from license.note import read_unverified
    from license.statement import kind_of
    from license.wire import parse_json, shown

    text = read_unverified(_read(file))
    kind = kind_of(text)
    if as_json:
        body = parse_json(text.partition("\n")[2]) if kind else None
        _print_json({"verified": False, "kind": kind, "claims": body})
        return
    click.echo("\n".join(shown(line, len(line)) for line in text.split("\n")), nl=False)
    click.echo(
        f"NOT VERIFIED: this is what the {kind or 'note'} claims; `license verify` checks it", err=True
    )


@main.command(epilog=_example("license verify delivery/license.note --roots authority/roots"))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--roots", "roots_dir", required=True, type=click.Path(path_type=Path), help="Directory of *.vkey files."
)
@click.option(
    "--issuer", type=click.Path(path_type=Path), help="Issuer note; default: issuer.note beside FILE."
)
@click.option("--product", help="Refuse a licence for another product.")
@click.option("--instance", "instance_vkey", metavar="VKEY", help="Refuse a licence for another machine.")
@click.option("--at", metavar="TIME", help="Judge the dates at this time (2026-01-31T00:00:00Z), not now.")
@_json
def verify(
    file: Path, roots_dir: Path, issuer: Path | None, at: str | None, as_json: bool, **wanted: Any
) -> None:
    """Verify a licence; exit 1 unless it serves now.

    FILE is a licence note, or a directory of notes in which the best one counts.
    """
    from license.directory import ISSUER_FILE, load_directory
    from license.roots import load_roots
    from license.validity import check_dates
    from license.verify import open_license

    roots = load_roots(roots_dir)
    now = int(time.time()) if at is None else parse_time(at)
    if file.is_dir():
        opened = load_directory(file, roots=roots, **wanted)
    else:
        beside = issuer or (Path() if str(file) == "-" else file.parent) / ISSUER_FILE
        opened = open_license(_read(file), _read_issuer(beside), roots=roots, **wanted)
    _print_license(opened, roots, now, as_json)
    check_dates(opened.license, now)


def _open(home: Path) -> Authority:
    from license.authority import Authority

    return Authority.open(home)


def _read(path: Path) -> bytes:
    if str(path) != "-":
        return read_limited(path, MAX_NOTE_BYTES)
    if sys.stdin.isatty():
        raise Unreadable("standard input is a terminal", hint="pipe the file in: license inspect - < FILE")
    return sys.stdin.buffer.read(MAX_NOTE_BYTES + 1)


def _read_issuer(path: Path) -> bytes:
    if not path.exists():
        raise Unreadable(
            f"there is no issuer note {path}",
            hint="it is delivered together with the licence; name it with --issuer FILE",
        )
    return _read(path)


def _print_license(opened: AuthenticLicense, roots: TrustRoots, now: int, as_json: bool) -> None:
    from license.show import license_json, license_rows, table

    if as_json:
        _print_json(license_json(opened, now))
    else:
        click.echo(table(license_rows(opened, roots, now)))


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
