"""Options of the commands that read recordings with transcripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def audio_option(function: _F) -> _F:
    """Add `--audio`."""
    return click.option(
        "--audio",
        type=click.Path(path_type=Path, exists=True),
        help="Folder or ZIP archive in which the paths of the list begin (default: where the list is).",
    )(function)
