"""A group of commands with the manners of both programs.

`-h` beside `--help`; summaries in full; `did you mean` for a mistyped command; NO_COLOR; no error without its
two lines and its exit status.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

import click

from license.console.refusal import NOTHING, WrongUsage, refusals, wrong_usage
from license.console.suggestions import closest
from license.errors import LicenseError

EXIT_USAGE: Final = 64
"""EX_USAGE of sysexits(3): wrong usage of a command whose 2 is a verdict."""
HELP_OPTIONS: Final = ("-h", "--help")
_NO_LIMIT: Final = 10_000


class Lazy(NamedTuple):
    """A command that is imported when it is run, so that no other command waits for it.

    Attributes:
        module: Where it is defined.
        name: Its name there.
        summary: The first sentence of its help, which the help of the group shows.
    """

    module: str
    name: str
    summary: str


class CommandGroup(click.Group):
    """A group whose commands may raise the errors of their program, and whatever the system raises.

    Args:
        lazy: Commands that are imported only when they are run, by name.

    Attributes:
        families: Errors that bring a message and a hint.
        optional: Libraries that may be missing, each with a hint.
    """

    group_class = type
    families: ClassVar[tuple[type[Exception], ...]] = (LicenseError,)
    optional: ClassVar[Mapping[str, str]] = NOTHING

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy] | None = None, **attributes: Any) -> None:
        given = attributes.pop("context_settings", None) or {}
        attributes["context_settings"] = {"help_option_names": list(HELP_OPTIONS), **given}
        super().__init__(*args, **attributes)
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, imported or not."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now if it was not yet."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, name, _ = self.lazy[cmd_name]
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{name} is not a command")
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line up to the name of a command."""
        if os.environ.get("NO_COLOR"):
            extra.setdefault("color", False)
        with wrong_usage(), refusals(self.families, self.exit_status, self.optional):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what it raises into its two lines and its exit status."""
        with wrong_usage(), refusals(self.families, self.exit_status, self.optional):
            return super().invoke(ctx)

    def exit_status(self, error: Exception) -> int:  # noqa: ARG002 (other programs tell errors apart)
        """Return the exit status of an error: of a family, of the system, or of a database."""
        return 1

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise WrongUsage(f"there is no command {name!r}", self._instead_of(ctx, name), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with the whole first sentence of its help."""
        rows = [(name, summary) for name in self.list_commands(ctx) if (summary := self._summary(ctx, name))]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        """The first sentence of a command's help; empty if the command is hidden."""
        if name in self.lazy:
            return self.lazy[name].summary
        command = self.get_command(ctx, name)
        return "" if command is None or command.hidden else command.get_short_help_str(_NO_LIMIT)

    def _instead_of(self, ctx: click.Context, name: str) -> str:
        """The command that was probably meant: of this group, else the one of that name in a group below."""
        known = self.list_commands(ctx)
        close = closest(name, known)
        if close is not None:
            return f"did you mean {ctx.command_path} {close}?"
        groups = [
            group
            for group in known
            if isinstance(below := self.get_command(ctx, group), click.Group)
            and name in below.list_commands(ctx)
        ]
        if groups:
            return f"did you mean {' or '.join(f'{ctx.command_path} {group} {name}' for group in groups)}?"
        return f"see {ctx.command_path} --help"


class VerdictCommand(click.Command):
    """A command whose exit status 0, 1 or 2 is a verdict: what keeps it from one has another status.

    Attributes:
        families: As those of `CommandGroup`.
    """

    families: ClassVar[tuple[type[Exception], ...]] = (LicenseError,)
    optional: ClassVar[Mapping[str, str]] = NOTHING

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line; wrong usage is 64."""
        with wrong_usage(EXIT_USAGE), refusals(self.families, self.exit_status, self.optional):
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with wrong_usage(EXIT_USAGE), refusals(self.families, self.exit_status, self.optional):
            return super().invoke(ctx)

    def exit_status(self, error: Exception) -> int:
        """Return the exit status of what keeps the command from its verdict."""
        raise NotImplementedError
