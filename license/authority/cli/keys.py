"""`license init` and `license rotate`: the vendor's keys, and the passphrases of its roots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from license.authority.cli.common import example, home_option, json_option, open_authority, print_json
from license.console.outputs import OutputFolder
from license.encoding.strict import format_time
from license.errors import AuthorityError, Malformed

if TYPE_CHECKING:
    from license.authority.keys.root_keys import RootPlace

_PATH: Final = click.Path(path_type=Path)
_PLACE: Final = OutputFolder(exists=True)


@click.command(
    epilog=example(
        "license init authority --name license.example.com --root-dir /media/one --spare-dir /media/two",
    )
)
@click.argument("directory", type=_PATH)
@click.option("--name", default="license-authority", show_default=True, help="Vendor's name in its keys.")
@click.option("--root-dir", type=_PLACE, help="Where the root key goes, such as a stick; default: DIRECTORY.")
@click.option("--spare-dir", type=_PLACE, help="Where the spare root key goes; best somewhere else.")
@click.option("--passphrase-file", type=_PATH, help="Passphrase of the root; default: ask.")
@click.option("--spare-passphrase-file", type=_PATH, help="That of the spare root; default: the same.")
@click.option("--no-passphrase", is_flag=True, help="Leave both root keys in clear.")
@click.option("--database", metavar="URL", help="SQLAlchemy address of the book; default: a SQLite file.")
@json_option
def init(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    directory: Path,
    name: str,
    root_dir: Path | None,
    spare_dir: Path | None,
    passphrase_file: Path | None,
    spare_passphrase_file: Path | None,
    no_passphrase: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Make a new authority: its keys and an empty book.

    Everything lies in DIRECTORY; a directory that already holds keys is refused. Root keys are locked with a
    passphrase, in files that `age --decrypt` opens too.
    """
    from license.authority.authority import Authority
    from license.authority.keys.keyring import check_vacant
    from license.authority.keys.root_keys import RootPlace
    from license.encoding.fields import typed

    check_vacant(directory)  # before anybody invents a passphrase
    phrase = None if no_passphrase else _new_passphrase(passphrase_file)
    spare_phrase = phrase
    if spare_passphrase_file is not None:
        spare_phrase = _new_passphrase(spare_passphrase_file)
    places: dict[str, RootPlace] = {
        "root": RootPlace(directory=root_dir, passphrase=phrase),
        "spare-root": RootPlace(directory=spare_dir, passphrase=spare_phrase),
    }
    with typed("--name is a domain such as license.example.com, without spaces and `+`"):
        made = Authority.create(directory, name=name, places=places, database=database)
    with made as authority:
        roots = {str(path): path.read_text().strip() for path in sorted(authority.roots_dir.iterdir())}
        root_keys = authority.root_keys
    if as_json:
        print_json({"roots": roots, "rootKeys": [str(path) for path in root_keys]})
    else:
        click.echo("\n".join(f"{file}  {vkey}" for file, vkey in roots.items()))
    for path in root_keys:
        click.echo(f"{path} is a root key: keep it off line, apart from the other one", err=True)
    click.echo(f"install {authority.roots_dir}/*.vkey with the appliance", err=True)


@click.command(epilog=example("license rotate issuer --root /media/one/root.key.age"))
@click.argument("role", type=click.Choice(["issuer", "witness"]))
@click.option("--root", type=_PATH, help="The root key's file; default: where `license init` puts it.")
@click.option("--passphrase-file", type=_PATH, help="Its passphrase; default: ask if it is locked.")
@home_option
@json_option
def rotate(role: str, root: Path | None, passphrase_file: Path | None, home: Path, as_json: bool) -> None:
    """Put the next issuer or witness in force, in the name of a root.

    Appliances that were installed before accept it. Those that have seen it refuse what an earlier issuer
    signs. Its former private key is erased.
    """
    from license.authority.keys.root_keys import load_root, read_passphrase

    with open_authority(home) as authority:
        path = root or _find_root(home)

        def phrase() -> str:
            return read_passphrase(passphrase_file) if passphrase_file else _ask(f"Passphrase of {path}")

        key = load_root(path, phrase)
        delegation = authority.rotate(role, key)
    until = format_time(delegation.not_after)
    click.echo(f"{delegation.key.name} of epoch {delegation.epoch} is in force until {until}", err=True)
    if as_json:
        print_json(delegation.to_claims())
    else:
        click.echo(delegation.vkey)
    if role == "issuer":
        click.echo("licences issued from now on carry it; send each customer a renewed one in time", err=True)


def _new_passphrase(path: Path | None) -> str:
    from license.authority.keys.root_keys import read_passphrase

    if path is not None:
        return read_passphrase(path)
    return _ask("Passphrase for the root keys", confirm=True)


def _ask(prompt: str, *, confirm: bool = False) -> str:
    if not sys.stdin.isatty():
        raise Malformed(
            "a passphrase is needed, and there is no terminal to ask on",
            hint="give --passphrase-file FILE (its first line counts), or for a trial `init --no-passphrase`",
        )
    phrase: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return phrase


def _find_root(home: Path) -> Path:
    for name in ("root.key.age", "root.key"):
        if (home / "keys" / name).exists():
            return home / "keys" / name
    raise AuthorityError(
        f"no root key lies in {home / 'keys'}, as it should be",
        code="RootElsewhere",
        hint="insert the medium it is kept on and name the file: --root /media/one/root.key.age",
    )
