"""How a command refuses: one line `error:`, one line `hint:`, an exit status, and never a traceback for what
the machine or the user did.

Exit statuses are chosen by the program (`Statuses`), each in one place of its own. Three are the same
everywhere: 70 a fault of the program, 130 stopped by Ctrl-C, 141 the reader of the output went away.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, Final

import click

from license.errors import Unwritable

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
EXIT_FAULT: Final = 70
"""EX_SOFTWARE of sysexits(3)."""
EXIT_INTERRUPTED: Final = 130
EXIT_PIPE_CLOSED: Final = 141

Statuses = Callable[[Exception], int]
"""Returns the exit status of an error: of a family, of the system (`OSError`), or of a database."""

_HINTS: Final = {
    errno.ENOSPC: "make room on that file system, then run the command again",
    errno.EDQUOT: "make room within the quota, then run the command again",
    errno.EFBIG: "the file would be larger than this user or file system allows (`ulimit -f`)",
    errno.EROFS: "name a place that is not mounted read-only",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
}


class Refusal(click.ClickException):
    """A refusal as people see it: what is wrong, and what to do."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from whatever was raised

    def show(self, file: Any = None) -> None:
        """Print the two lines."""
        show_lines(self.message, self.hint, file=file)


class WrongUsage(click.UsageError):
    """A command line that cannot be read, in the style of every other refusal."""

    def __init__(self, message: str, hint: str, ctx: click.Context | None, exit_code: int = 2) -> None:
        super().__init__(message, ctx)
        self.hint = hint
        self.exit_code = exit_code  # type: ignore[misc]

    @classmethod
    def of(cls, error: click.UsageError) -> WrongUsage:
        """Say in two lines what click found wrong."""
        message = error.format_message().rstrip(".")
        hint = "" if error.ctx is None else f"see {error.ctx.command_path} --help"
        if isinstance(error, click.NoSuchOption):
            message = error.message.rstrip(".")
            if error.possibilities:
                hint = f"did you mean {error.possibilities[0]}?"
        return cls(f"{message[:1].lower()}{message[1:]}", hint, error.ctx, error.exit_code)

    def show(self, file: Any = None) -> None:
        """Print the two lines."""
        show_lines(self.message, self.hint, file=file)


def show_lines(message: str, hint: str, *, file: Any = None) -> None:
    """Print `error:` and `hint:` to standard error; what the message breaks over lines stays together."""
    colour = False if os.environ.get("NO_COLOR") else None
    with suppress(OSError):  # standard error may be closed or full: the exit status still tells
        click.echo(
            f"{click.style('error:', fg='red', bold=True)} {message}", err=True, file=file, color=colour
        )
        if hint:
            click.echo(f"{click.style('hint:', fg='yellow')} {hint}", err=True, file=file, color=colour)


@contextmanager
def wrong_usage(exit_code: int | None = None) -> Iterator[None]:
    """Turn click's complaints into ours.

    Args:
        exit_code: Exit status of wrong usage; None leaves the one it has.
    """
    try:
        yield
    except click.UsageError as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            raise
        ours = error if isinstance(error, WrongUsage) else WrongUsage.of(error)
        if exit_code is not None:
            ours.exit_code = exit_code  # type: ignore[misc]
        raise ours from None


@contextmanager
def refusals(
    families: tuple[type[Exception], ...], statuses: Statuses, optional: Mapping[str, str] = NOTHING
) -> Iterator[None]:
    """Turn whatever a command raises into a refusal.

    Args:
        families: Errors that bring `message` and `hint`.
        statuses: The exit status of each error.
        optional: Libraries that an installation may lack, each with the hint that says where it is.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except families as error:
        raise Refusal(*_own_words(error), statuses(error)) from error
    except KeyboardInterrupt:
        click.echo("", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        _give_up_output()
        raise click.exceptions.Exit(EXIT_PIPE_CLOSED) from None
    except OSError as error:
        _give_up_output()
        raise Refusal(*os_words(error), statuses(error)) from error
    except MemoryError as error:
        raise Refusal(
            "there is not enough memory for this", "give this process more memory", EXIT_FAULT
        ) from error
    except Exception as error:
        missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        if missing in optional:
            message = f"this needs {missing}, which is not in this installation"
            raise Refusal(message, optional[missing], 1) from error
        if is_database_error(error):
            raise Refusal(*_database_words(error), statuses(error)) from error
        traceback.print_exc()
        raise Refusal(
            f"a fault of this program ({type(error).__name__})", "report it with the lines above", EXIT_FAULT
        ) from error


def os_words(error: OSError) -> tuple[str, str]:
    """Say what the operating system refused, and what to do."""
    what = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    message = f"{what}{error.strerror or error}"
    return message, _HINTS.get(error.errno or 0, Unwritable.default_hint)


def is_database_error(error: Exception) -> bool:
    """Tell an error of SQLite, or of the library that speaks with other databases."""
    library = sys.modules.get("sqlalchemy.exc")  # it is slow to import, and cannot have raised before it was
    return isinstance(error, sqlite3.Error) or (
        library is not None and isinstance(error, library.SQLAlchemyError)
    )


def _own_words(error: Exception) -> tuple[str, str]:
    return str(getattr(error, "message", error)), str(getattr(error, "hint", ""))


def _database_words(error: Exception) -> tuple[str, str]:
    original = getattr(error, "orig", None) or error
    first = str(original).strip().partition("\n")[0]
    return (
        f"the database cannot be used: {first}",
        "check owner, mode and free space of its directory, or that its server runs",
    )


def _give_up_output() -> None:
    """Let the interpreter end in silence where standard output takes nothing any more.

    What is left in the buffer would be written once more at the end, and fail once more.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
