"""The options of commands that read label files, and what they say together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from appliance.cli.options import LABELLED
from appliance.datasets.document import TEST, TRAIN
from appliance.datasets.formats.format import SENTENCES, ReadOptions
from appliance.datasets.formats.label_files import Reading, drop_kinds
from appliance.datasets.formats.registry import READABLE
from appliance.datasets.formats.tag_names import read_names
from appliance.datasets.offset_units import OffsetUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFiles:
    """Label files that a person names, and how they are to be read.

    Attributes:
        inputs: Paths, and the use of each one's documents: `Train`, `Test`, or empty as the file says.
        reading: How.
        language: BCP 47 tag of texts that name none.
    """

    inputs: tuple[tuple[Path, str], ...]
    reading: Reading
    language: str


_FILES: Final = (
    click.option(
        "--train", "train", type=LABELLED, multiple=True, help="Labelled files to learn from; repeatable."
    ),
    click.option(
        "--test", "test", type=LABELLED, multiple=True, help="Labelled files to examine with; repeatable."
    ),
    click.option("--language", default="en", show_default=True, help="BCP 47 tag of the texts."),
    click.argument("files", nargs=-1, type=LABELLED),
)
_READING: Final = (
    click.option(
        "--sentences",
        type=click.IntRange(1, 10_000),
        help=f"Sentences in a document, where a file does not tell documents apart (default: {SENTENCES}).",
    ),
    click.option(
        "--from",
        "forced",
        type=click.Choice(READABLE),
        help="Format of the files (default: told by content).",
    ),
    click.option(
        "--documents",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder with the texts files name.",
    ),
    click.option("--labels", "names", help="Tags by number, O,B-PER,I-PER, or a file that lists them."),
    click.option("--offset-unit", "unit", help="What offsets count: code-points, utf16, bytes, graphemes."),
    click.option(
        "--drop-overlaps", "overlaps", is_flag=True, help="Of labels that overlap, keep the outer one."
    ),
    click.option(
        "--drop-relations",
        "relations",
        is_flag=True,
        help="Leave out what is no label of words, as relations.",
    ),
    click.option("--drop-discontinuous", "discontinuous", is_flag=True, help="Leave out labels with a gap."),
)


def label_files_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add files, their use, and the options of `reading_options`, as the one parameter `label_files`."""

    @wraps(function)
    def command(
        *,
        train: tuple[Path, ...],
        test: tuple[Path, ...],
        files: tuple[Path, ...],
        language: str,
        reading: Reading,
        **others: Any,
    ) -> Any:
        inputs = tuple(
            (path, use) for paths, use in ((train, TRAIN), (test, TEST), (files, "")) for path in paths
        )
        asked = LabelFiles(inputs=inputs, reading=reading, language=language)
        return function(label_files=asked, **others)

    return _with(_FILES, reading_options(command))


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how label files are to be read, as the one parameter `reading`."""

    @wraps(function)
    def command(
        *,
        sentences: int | None,
        forced: str | None,
        documents: Path | None,
        names: str | None,
        unit: str | None,
        overlaps: bool,
        relations: bool,
        discontinuous: bool,
        **others: Any,
    ) -> Any:
        reading = Reading(
            options=ReadOptions(
                sentences=sentences or SENTENCES,
                names=read_names(names) if names else (),
                unit=OffsetUnit.parse(unit) if unit else None,
            ),
            forced=forced or "",
            drop=drop_kinds(overlaps=overlaps, relations=relations, discontinuous=discontinuous),
            documents=documents,
            sentences_said=sentences is not None,
        )
        return function(reading=reading, **others)

    return _with(_READING, command)


def _with(options: Sequence[Callable[..., Any]], command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
