"""`completion`: what makes the Tab key of a shell complete the commands of a program."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


def completion_command(program: str) -> click.Command:
    """Return the command for a program of that name."""

    @click.command(
        "completion",
        epilog=f"\b\nExample:\n  {program} completion bash > {program}.bash",
    )
    @click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
    @click.pass_context
    def completion(ctx: click.Context, shell: str) -> None:
        """Print what completes commands with the Tab key of a shell."""
        kind = get_completion_class(shell)
        if kind is None:
            raise click.UsageError(f"there is no completion for {shell}")
        root = ctx.find_root().command
        click.echo(kind(root, {}, program, f"_{program.upper()}_COMPLETE").source())

    return completion
