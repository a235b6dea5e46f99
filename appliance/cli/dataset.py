"""`appliance dataset …`: options in, one call, text out."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import example, json_option, print_json
from appliance.config.setting_parsers import is_name
from appliance.datasets.conll_jsonl import SENTENCES, read_file
from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, lines
from appliance.datasets.project import read_project, write_project
from license.console.outputs import OutputFolder
from license.files import quoted

LABELLED_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)


def read_labelled(project: Path, documents: Path) -> Labelled:
    """Return a project with its texts; mistakes of its labels are printed, a line each.

    Raises:
        LabellingMistakes: Labels are wrong.
        DatasetError: The project cannot be read.
    """
    try:
        return read_project(project, documents)
    except LabellingMistakes as mistakes:
        _show(mistakes)
        raise


def _show(mistakes: LabellingMistakes) -> None:
    for line in lines(mistakes.mistakes):
        click.echo(line, err=True)


@click.group(
    "dataset",
    cls=ErrorHandlingGroup,
    epilog=example("appliance dataset convert --train my.conll --out project"),
)
def dataset_group() -> None:
    """Make a project out of labelled files, and check one."""


@dataset_group.command(
    "convert", epilog=example("appliance dataset convert --train train.conll --test dev.conll --out loans")
)
@click.option(
    "--train",
    "train_files",
    type=LABELLED_FILE,
    multiple=True,
    help="Labelled file to learn from; repeatable.",
)
@click.option(
    "--test",
    "test_files",
    type=LABELLED_FILE,
    multiple=True,
    help="Labelled file to examine with; repeatable.",
)
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for the project.")
@click.option("--name", default="", help="Name of the project (default: the folder's).")
@click.option("--language", default="en", show_default=True, help="BCP 47 tag of the texts.")
@click.option(
    "--sentences",
    type=click.IntRange(1, 10_000),
    default=SENTENCES,
    show_default=True,
    help="Sentences in a document, where a CoNLL file has no -DOCSTART-.",
)
@json_option
@click.argument("files", nargs=-1, type=LABELLED_FILE)
def convert(
    train_files: tuple[Path, ...],
    test_files: tuple[Path, ...],
    files: tuple[Path, ...],
    out: Path,
    name: str,
    language: str,
    sentences: int,
    as_json: bool,
) -> None:
    """Convert CoNLL (a token and its tag a line) or JSONL files to a project file with its documents.

    FILES are split later, by category; files given with --train and --test keep their use.
    """
    documents: list[LabelledDocument] = []
    mistaken: list[LabellingMistakes] = []
    for paths, dataset in ((train_files, "Train"), (test_files, "Test"), (files, "")):
        for path in paths:
            try:
                documents += read_file(path, dataset=dataset, sentences=sentences)
            except LabellingMistakes as mistakes:
                _show(mistakes)
                mistaken.append(mistakes)
    if mistaken:
        raise LabellingMistakes([mistake for mistakes in mistaken for mistake in mistakes.mistakes])
    if not documents:
        raise DatasetError("no labelled file is given", hint="appliance dataset convert FILE --out FOLDER")
    name = name or out.resolve().name
    if not is_name(name):
        raise DatasetError(
            f"{name[:60]!r} cannot name a project", hint="say --name with letters, digits, '_', '.', '-'"
        )
    labelled = Labelled(
        name=name,
        categories=tuple(sorted(categories_of(documents))),
        documents=tuple(documents),
        language=language,
    )
    target = write_project(labelled, out)
    if as_json:
        print_json({"project": str(target), "documents": str(out / "documents"), **_counts(labelled)})
        return
    click.echo(f"{target}: {_counts_text(labelled)}")
    click.echo(f"next: appliance train {quoted(target)} --documents {quoted(out / 'documents')} --out MODEL")


@dataset_group.command("check", epilog=example("appliance dataset check project.json --documents documents/"))
@click.argument("project", type=LABELLED_FILE)
@click.option("--documents", type=click.Path(path_type=Path, file_okay=False), required=True)
@json_option
def check(project: Path, documents: Path, as_json: bool) -> None:
    """Check every label of a project, and say all that is wrong."""
    if not as_json:
        click.echo(f"{_counts_text(read_labelled(project, documents))}: no mistake")
        return
    try:
        print_json({**_counts(read_project(project, documents)), "mistakes": []})
    except LabellingMistakes as found:
        print_json({"mistakes": [asdict(mistake) for mistake in found.mistakes]})
        raise


def _counts(labelled: Labelled) -> dict[str, Any]:
    return {
        "texts": len(labelled.documents),
        "labels": sum(len(document.labels) for document in labelled.documents),
        "categories": list(labelled.categories),
    }


def _counts_text(labelled: Labelled) -> str:
    labels = sum(len(document.labels) for document in labelled.documents)
    return f"{len(labelled.documents)} documents, {labels} labels, {len(labelled.categories)} categories"
