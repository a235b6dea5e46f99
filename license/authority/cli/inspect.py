"""`license inspect` and `license verify`: what a file says, and whether it is true."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from license.authority.cli.common import example, json_option, print_json, print_license, read_file
from license.encoding.fields import typed
from license.encoding.strict import parse_time
from license.errors import Unreadable


@click.command(epilog=example("license inspect delivery/license.note"))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@json_option
def inspect(file: Path, as_json: bool) -> None:
    """Show what FILE says, without verifying it."""
    from license.encoding.strict import parse_json, shown
    from license.trust.signed_note import read_unverified
    from license.trust.statement import kind_of

    text = read_unverified(read_file(file))
    kind = kind_of(text)
    if as_json:
        body = parse_json(text.partition("\n")[2]) if kind else None
        print_json({"verified": False, "kind": kind, "claims": body})
        return
    click.echo("\n".join(shown(line, len(line)) for line in text.split("\n")), nl=False)
    click.echo(
        f"NOT VERIFIED: this is what the {kind or 'note'} claims; `license verify` checks it", err=True
    )


@click.command(epilog=example("license verify delivery/license.note --roots authority/roots"))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--roots",
    "roots_dir",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of *.vkey files, or one.",
)
@click.option(
    "--issuer", type=click.Path(path_type=Path), help="Issuer note; default: issuer.note beside FILE."
)
@click.option("--product", help="Refuse a licence for another product.")
@click.option("--instance", "instance_vkey", metavar="VKEY", help="Refuse a licence for another machine.")
@click.option("--at", metavar="TIME", help="Judge the dates at this time (2026-01-31T00:00:00Z), not now.")
@json_option
def verify(
    file: Path, roots_dir: Path, issuer: Path | None, at: str | None, as_json: bool, **wanted: Any
) -> None:
    """Verify a licence; exit 1 unless it serves now.

    FILE is a licence note, or a directory of notes in which the best one counts.
    """
    from license.licenses.directory import ISSUER_FILE, load_directory
    from license.licenses.validity import check_dates
    from license.licenses.verify import open_license
    from license.trust.roots import load_roots

    roots = load_roots(roots_dir)
    with typed("--at takes a time in UTC, such as 2026-12-31T00:00:00Z"):
        now = int(time.time()) if at is None else parse_time(at)
    if file.is_dir():
        opened = load_directory(file, roots=roots, **wanted)
    else:
        beside = issuer or (Path() if str(file) == "-" else file.parent) / ISSUER_FILE
        opened = open_license(read_file(file), _read_issuer(beside), roots=roots, **wanted)
    print_license(opened, roots, now, as_json)
    check_dates(opened.license, now)


def _read_issuer(path: Path) -> bytes:
    if not path.exists():
        raise Unreadable(
            f"there is no issuer note {path}",
            hint="it is delivered together with the licence; name it with --issuer FILE",
        )
    return read_file(path)
