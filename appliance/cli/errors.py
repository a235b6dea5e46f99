"""How errors leave the command line: `error:`, `hint:`, and the only exit codes of the package.

Codes follow sysexits(3) where it has a word: 78 configuration, 75 try again later. Wrong usage is click's 2.
The status words of a licence download have codes of their own, so that a script can tell them apart;
`docs/licence.md` has the table.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

from appliance.config.command_line import is_display_word
from appliance.errors import (
    ApplianceError,
    IdentityError,
    LedgerLocked,
    ModelError,
    OutputError,
    SettingsError,
)
from license.errors import (
    BadReply,
    BillingEndpointBusy,
    BillingInvalid,
    ContainerUseUnauthorized,
    CouldNotConnect,
    DownloadError,
    KeyInvalid,
    LicenseError,
    Mismatch,
    ModelDownloadTimedOut,
    OutOfQuota,
    UnknownStatus,
    Unwritable,
)

EXIT_CONFIGURATION: Final = 78
EXIT_TRY_LATER: Final = 75
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 64

DOWNLOAD_EXITS: Final[dict[type[DownloadError], int]] = {
    KeyInvalid: 10,
    Mismatch: 11,
    ModelDownloadTimedOut: 17,
    CouldNotConnect: 12,
    OutOfQuota: 13,
    BillingEndpointBusy: 14,
    ContainerUseUnauthorized: 15,
    UnknownStatus: 16,
    BadReply: 18,
    BillingInvalid: EXIT_CONFIGURATION,
}
"""Exit codes of a download, by what the authority said; the first class that an error is an instance of."""


def show(error: ApplianceError | LicenseError) -> None:
    """Print the sentence and the next step to standard error."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.message}", err=True)
    if error.hint:
        click.echo(f"{click.style('hint:', fg='yellow')} {error.hint}", err=True)


def exit_code(error: ApplianceError | LicenseError) -> int:
    """The exit code of an error; this is the one place that decides it."""
    match error:
        case LedgerLocked():
            return EXIT_TRY_LATER
        case SettingsError() | IdentityError() | OutputError() | ModelError():
            return EXIT_CONFIGURATION
        case DownloadError():
            return next(
                (code for kind, code in DOWNLOAD_EXITS.items() if isinstance(error, kind)), EXIT_FAILED
            )
        case Unwritable() | ApplianceError():
            return EXIT_FAILED
        case _:
            return EXIT_CONFIGURATION


class ErrorHandlingGroup(click.Group):
    """A command group whose commands may raise the errors of both packages."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn a refusal into its sentence and exit code."""
        try:
            return super().invoke(ctx)
        except (ApplianceError, LicenseError) as error:
            show(error)
            ctx.exit(exit_code(error))


class VerdictCommand(click.Command):
    """A command whose exit status 0, 1 or 2 is a verdict: wrong usage is 64."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line."""
        with _wrong_usage():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _wrong_usage():
            return super().invoke(ctx)


@contextmanager
def _wrong_usage() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.exit_code = EXIT_USAGE  # type: ignore[misc]  # click reads it from whatever was raised
        raise


def looks_like_settings(words: Sequence[str]) -> bool:
    """True if a command line begins with a setting and not with a command's name."""
    return bool(words) and ("=" in words[0] or words[0].startswith(("-", "/")) or is_display_word(words[0]))
