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


def text_options(function: _F) -> _F:
    """Add `--text`, `--phrases`, `--pronunciations` and `--test`, for learning without audio."""
    there = click.Path(path_type=Path, exists=True, dir_okay=False)
    for name, kind, told in (
        (
            "--test",
            click.Path(path_type=Path, exists=True),
            "Recordings that base and model are measured on.",
        ),
        (
            "--pronunciations",
            there,
            "File of displayed form, tab, spoken form, one a line: 3CPO, three c p o.",
        ),
        ("--phrases", there, "File of phrases to prefer in every request, one a line."),
        ("--text", there, "File of sentences of the domain, one a line."),
    ):
        function = click.option(name, type=kind, help=told)(function)
    return function
