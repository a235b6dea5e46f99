"""What all commands share: the exit statuses, options, and reading and printing.

Data goes to standard output, words to standard error. Exit status: 0 done, 1 refused, 2 wrong usage. A
refusal is two lines, `error:` and `hint:`, never a traceback. `-` stands for standard input. An archive that
cannot be unpacked is 65. A command whose exit status is a verdict (`VerdictCommand`) has others for refusals.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from license.console import group as console
from license.errors import Unreadable, UnreadableArchive

if TYPE_CHECKING:
    from license.authority.authority import Authority
    from license.licenses.verify import AuthenticLicense
    from license.trust.roots import TrustRoots

_F = TypeVar("_F", bound=Callable[..., Any])


EXIT_UNREADABLE: Final = 65  # these are of sysexits(3)
EXIT_REFUSED: Final = 77


class ErrorHandlingGroup(console.CommandGroup):
    """A group of the vendor's commands: a refusal is 1, a damaged archive 65."""

    def exit_status(self, error: Exception) -> int:
        """Return 65 for a damaged archive, else 1."""
        return EXIT_UNREADABLE if isinstance(error, UnreadableArchive) else 1


class VerdictCommand(console.VerdictCommand):
    """A command whose exit status 0, 1 or 2 is a verdict: a refusal is 77, a damaged archive 65."""

    def exit_status(self, error: Exception) -> int:
        """Return 65 for a damaged archive, else 77."""
        return EXIT_UNREADABLE if isinstance(error, UnreadableArchive) else EXIT_REFUSED


def example(*lines: str) -> str:
    """Return the end of a command's help: an example that works as pasted."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def home_option(function: _F) -> _F:
    """Add `--home`, the authority's directory."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        default=Path("authority"),
        show_default=True,
        envvar="LICENSE_HOME",
        show_envvar=True,
        help="Directory of the authority.",
    )(function)


def json_option(function: _F) -> _F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


def max_instances_option(help_text: str) -> Callable[[_F], _F]:
    """Add `--max-instances`, a limit on machines."""
    return click.option("--max-instances", type=click.IntRange(1, 1_000_000), help=help_text)


def warn(sentences: Iterable[str]) -> None:
    """Print what the vendor should think of; the command goes on."""
    for sentence in sentences:
        click.echo(f"{click.style('warning:', fg='yellow')} {sentence}", err=True)


def open_authority(home: Path) -> Authority:
    """Open the authority in a directory; raises `LicenseError`."""
    from license.authority.authority import Authority

    return Authority.open(home)


def read_file(path: Path) -> bytes:
    """Return the content of a file, or of standard input for `-`; raises `LicenseError`."""
    from license.files import read_limited
    from license.trust.signed_note import MAX_NOTE_BYTES

    if str(path) != "-":
        return read_limited(path, MAX_NOTE_BYTES)
    if sys.stdin.isatty():
        raise Unreadable("standard input is a terminal", hint="pipe the file in: license inspect - < FILE")
    return sys.stdin.buffer.read(MAX_NOTE_BYTES + 1)


def print_license(opened: AuthenticLicense, roots: TrustRoots, now: int, as_json: bool) -> None:
    """Print a verified licence as a table or as JSON."""
    from license.text import license_json, license_rows, table

    if as_json:
        print_json(license_json(opened, now))
    else:
        click.echo(table(license_rows(opened, roots, now)))


def print_json(value: Any) -> None:
    """Print a value for programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
