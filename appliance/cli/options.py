"""What several commands share: options, Key=Value arguments, and examples at the end of a help."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from appliance.errors import SettingsError
from license.console.suggestions import closest
from license.encoding.fields import RELEASE

if TYPE_CHECKING:
    from appliance.licensing.installation import Installation

_F = TypeVar("_F", bound=Callable[..., Any])

LABELLED: Final = click.Path(path_type=Path, exists=True)
"""A label file, a folder of them, or a ZIP archive."""
WITH_SETTINGS: Final = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings of a command that takes settings in every form that a start takes."""


def example(*lines: str) -> str:
    """Return a help's closing section: these lines as they are, none of them wrapped."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def roots_option(function: _F) -> _F:
    """Add `--roots`."""
    return click.option(
        "--roots",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Trust the root keys (*.vkey) in this folder, not the installed ones.",
    )(function)


def release_option(function: _F) -> _F:
    """Add `--release`."""
    return click.option(
        "--release", callback=_release, default="1", show_default=True, help="Version of the model."
    )(function)


def _release(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    if RELEASE.fullmatch(value) is None:
        raise click.BadParameter(
            f"{value[:60]!r} is no release: use lower-case letters, digits, . _ - as in 1.0.2"
        )
    return value


def json_option(function: _F) -> _F:
    """Add `--json`, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def settings_argument(function: _F) -> _F:
    """Add the settings of the service, as the parameter `words`."""
    return click.argument(
        "words", nargs=-1, type=click.UNPROCESSED, metavar="[Key=Value]...", callback=_no_mistyped_option
    )(function)


def _no_mistyped_option(
    ctx: click.Context, _argument: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse `--jsn`, which would be taken for a setting of that name."""
    from appliance.config.setting_table import describe

    settings = {key.lower() for key, _, _ in describe()}
    options = [name for parameter in ctx.command.get_params(ctx) for name in parameter.opts if name[0] == "-"]
    for word in words:
        name, equals, _ = word.partition("=")
        if not word.startswith("--") or equals or name[2:].lower() in settings:
            continue
        meant = closest(name, [*options, *(f"--{key}" for key in settings)])
        if meant in options:
            raise click.NoSuchOption(name, possibilities=[meant], ctx=ctx)
    return words


def installation_from(words: tuple[str, ...], roots: Path | None = None, *, hint: str) -> "Installation":
    """Return the installation that these settings describe.

    Args:
        words: Key=Value, and nothing else.
        roots: Trust roots for people trying things out; None for the installed ones.
        hint: What to say to whoever gives something else.

    Raises:
        SettingsError: An argument is not a setting, or a setting is refused.
    """
    from appliance.licensing.installation import Installation  # `serve` reads this module before the model

    stray = [word for word in words if "=" not in word]
    if stray:
        raise SettingsError(f"{stray[0]!r} is not a setting: expected Key=Value", hint=hint)
    return Installation.read(words, os.environ, roots_directory=roots)
