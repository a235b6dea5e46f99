"""What all commands share: how a refusal is shown, options, and reading and printing.

Data goes to standard output, words to standard error. Exit status: 0 done, 1 refused, 2 wrong usage. A
refusal is two lines, `error:` and `hint:`, never a traceback. `-` stands for standard input. An archive that
cannot be unpacked is 65. A command whose exit status is a verdict (`VerdictCommand`) has others for refusals.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from license.errors import LicenseError, Unreadable, UnreadableArchive, Unwritable
from license.files import read_limited
from license.trust.signed_note import MAX_NOTE_BYTES

if TYPE_CHECKING:
    from license.authority.authority import Authority
    from license.licenses.verify import AuthenticLicense
    from license.trust.roots import TrustRoots

_F = TypeVar("_F", bound=Callable[..., Any])


EXIT_USAGE: Final = 64  # these are of sysexits(3)
EXIT_UNREADABLE: Final = 65
EXIT_REFUSED: Final = 77


class Refusal(click.ClickException):
    """A refusal as people see it: what is wrong, and what to do."""

    def __init__(self, message: str, hint: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from whatever was raised

    def show(self, file: Any = None) -> None:
        """Print the two lines."""
        click.echo(f"{click.style('error:', fg='red')} {self.message}", err=True, file=file)
        if self.hint:
            click.echo(f"{click.style('hint:', fg='yellow')} {self.hint}", err=True, file=file)


class ErrorHandlingGroup(click.Group):
    """A group whose commands may raise refusals."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and show what it refuses."""
        with _refusals():
            return super().invoke(ctx)


class VerdictCommand(click.Command):
    """A command whose exit status 0, 1 or 2 is a verdict: what keeps it from one has another status."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line; wrong usage is 64."""
        with _wrong_usage():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal is 77."""
        with _wrong_usage(), _refusals(EXIT_REFUSED):
            return super().invoke(ctx)


@contextmanager
def _refusals(status: int = 1) -> Iterator[None]:
    try:
        yield
    except UnreadableArchive as error:
        raise Refusal(error.message, error.hint, EXIT_UNREADABLE) from error
    except LicenseError as error:
        raise Refusal(error.message, error.hint, status) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        hint = Unwritable.default_hint if error.filename else ""
        raise Refusal(f"{what}{error.strerror or error}", hint, status) from error


@contextmanager
def _wrong_usage() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.exit_code = EXIT_USAGE  # type: ignore[misc]  # click reads it from whatever was raised
        raise


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
