"""Options of the commands that read recordings with transcripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

MAX_SHOWN: Final = 20
"""Recordings whose texts are shown at most: what counts nothing measures, and does not transcribe."""

_F = TypeVar("_F", bound=Callable[..., Any])


def audio_option(function: _F) -> _F:
    """Add `--audio`."""
    return click.option(
        "--audio",
        type=click.Path(path_type=Path, exists=True),
        help="Folder or ZIP archive in which the paths of the list begin (default: where the list is).",
    )(function)
