"""All commands of a program: groups and what they hold."""

from collections.abc import Iterator

import click


def tree(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each group and each command with the words that call it; the program itself has none."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from tree(below, *path, name)


def leaves(program: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the commands alone."""
    return ((path, command) for path, command in tree(program) if not isinstance(command, click.Group))
