"""What several commands share: options, Key=Value arguments, and examples at the end of a help."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from appliance.errors import SettingsError

if TYPE_CHECKING:
    from appliance.licensing.installation import Installation

_F = TypeVar("_F", bound=Callable[..., Any])

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


def json_option(function: _F) -> _F:
    """Add `--json`, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)


def settings_argument(function: _F) -> _F:
    """Add the settings of the service, as the parameter `words`."""
    return click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[Key=Value]...")(function)


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
