"""`appliance dataset …`: options in, one call, text out."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import LABELLED, example, json_option, print_json
from appliance.config.setting_parsers import is_name
from appliance.datasets.conversion_report import ConversionReport, counts
from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.formats.format import SENTENCES, ReadOptions, SourceFile
from appliance.datasets.formats.label_files import Reading, drop_kinds, read_labels
from appliance.datasets.formats.label_writer import files_of, write_files
from appliance.datasets.formats.registry import BY_NAME, PROJECT, READABLE, WRITABLE
from appliance.datasets.formats.tag_names import read_names
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, lines
from appliance.datasets.offset_units import OffsetUnit
from appliance.datasets.project import MAX_PROJECT_BYTES, read_project, write_project
from license.console.group import Lazy
from license.console.outputs import OutputFolder
from license.errors import LicenseError
from license.files import quoted, read_limited


def read_labelled(project: Path, documents: Path | None, *, show: bool = True) -> Labelled:
    """Return a project with its texts, or what label files of another format hold.

    Args:
        project: A project file, or label files of another format.
        documents: Folder with the texts of a project file; None to look beside it.
        show: Print mistakes of labels, a line each.

    Raises:
        LabellingMistakes: Labels are wrong.
        DatasetError: The project or the files cannot be read.
    """
    try:
        if _is_project(project):
            return read_project(project, documents or _texts_beside(project))
        found, report = read_labels([(project, "")], Reading(documents=documents))
    except LabellingMistakes as mistakes:
        if show:
            _show(mistakes)
        raise
    if show:
        _tell(report)
    return _labelled(found, project.resolve().stem, "en")


def _texts_beside(project: Path) -> Path:
    folder = project.parent / "documents"
    return folder if folder.is_dir() else project.parent


def read_documents(path: Path, *, documents: Path | None = None) -> list[LabelledDocument]:
    """Return the documents of label files of whatever format; what was read is said on standard error.

    Raises:
        LabellingMistakes: Labels are wrong; they are printed, a line each.
        DatasetError: The files cannot be read.
    """
    try:
        found, report = read_labels([(path, "")], Reading(documents=documents))
    except LabellingMistakes as mistakes:
        _show(mistakes)
        raise
    _tell(report)
    return found


def _is_project(path: Path) -> bool:
    if path.is_dir():
        return False
    try:
        return PROJECT.sniff(SourceFile(path.name, read_limited(path, MAX_PROJECT_BYTES)))
    except LicenseError as error:
        raise DatasetError(error.message, hint=error.hint) from error


def _show(mistakes: LabellingMistakes) -> None:
    for line in lines(mistakes.mistakes):
        click.echo(line, err=True)


def _tell(report: ConversionReport) -> None:
    for line in report.lines():
        click.echo(line, err=True)


def _labelled(documents: list[LabelledDocument], name: str, language: str) -> Labelled:
    return Labelled(
        name=name,
        categories=tuple(sorted(categories_of(documents))),
        documents=tuple(documents),
        language=language,
    )


@click.group(
    "dataset",
    cls=ErrorHandlingGroup,
    lazy={
        "suggest": Lazy(
            "appliance.cli.suggest",
            "suggest_command",
            "Have a model label texts, and write its proposals for people to correct and to train on.",
        )
    },
    epilog=example("appliance dataset convert --train my.conll --out project"),
)
def dataset_group() -> None:
    """Make a project out of labelled files, check one, and have a model propose labels."""


@dataset_group.command(
    "convert", epilog=example("appliance dataset convert --train train.conll --test dev.conll --out loans")
)
@click.option(
    "--train", "train_files", type=LABELLED, multiple=True, help="Labelled files to learn from; repeatable."
)
@click.option(
    "--test", "test_files", type=LABELLED, multiple=True, help="Labelled files to examine with; repeatable."
)
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for what is made.")
@click.option("--name", default="", help="Name of the project (default: the folder's).")
@click.option("--language", default="en", show_default=True, help="BCP 47 tag of the texts.")
@click.option(
    "--sentences",
    type=click.IntRange(1, 10_000),
    help=f"Sentences in a document, where a file does not tell documents apart (default: {SENTENCES}).",
)
@click.option(
    "--from", "forced", type=click.Choice(READABLE), help="Format of the files (default: told by content)."
)
@click.option(
    "--to",
    "made",
    type=click.Choice(WRITABLE),
    default=PROJECT.name,
    show_default=True,
    help="Format to write.",
)
@click.option(
    "--documents", type=click.Path(path_type=Path, file_okay=False), help="Folder with the texts files name."
)
@click.option("--labels", "names", help="Tags by number, O,B-PER,I-PER, or a file that lists them.")
@click.option("--offset-unit", "unit", help="What offsets count: code-points, utf16, bytes, graphemes.")
@click.option("--drop-overlaps", is_flag=True, help="Of labels that overlap, keep the outer one.")
@click.option("--drop-relations", is_flag=True, help="Leave out what is no label of words, as relations.")
@click.option("--drop-discontinuous", is_flag=True, help="Leave out labels with a gap.")
@json_option
@click.argument("files", nargs=-1, type=LABELLED)
def convert(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    train_files: tuple[Path, ...],
    test_files: tuple[Path, ...],
    files: tuple[Path, ...],
    out: Path,
    name: str,
    language: str,
    sentences: int | None,
    forced: str | None,
    made: str,
    documents: Path | None,
    names: str | None,
    unit: str | None,
    drop_overlaps: bool,
    drop_relations: bool,
    drop_discontinuous: bool,
    as_json: bool,
) -> None:
    """Convert labelled files, folders or ZIP archives to a project, or to another format.

    The format is told by content; docs/custom-models.md lists all. FILES are split later, by category; files
    given with --train and --test keep their use. A label that cannot be carried is an error, unless an option
    says that it may be left out; each conversion says what was read and what was written.
    """
    inputs = [
        (path, dataset)
        for paths, dataset in ((train_files, "Train"), (test_files, "Test"), (files, ""))
        for path in paths
    ]
    if not inputs:
        raise DatasetError("no labelled file is given", hint="appliance dataset convert FILE --out FOLDER")
    name = name or out.resolve().name
    if not is_name(name):
        raise DatasetError(
            f"{name[:60]!r} cannot name a project", hint="say --name with letters, digits, '_', '.', '-'"
        )
    reading = Reading(
        options=ReadOptions(
            sentences=sentences or SENTENCES,
            names=read_names(names) if names else (),
            unit=OffsetUnit.parse(unit) if unit else None,
        ),
        forced=forced or "",
        drop=drop_kinds(overlaps=drop_overlaps, relations=drop_relations, discontinuous=drop_discontinuous),
        documents=documents,
        sentences_said=sentences is not None,
    )
    try:
        found, report = read_labels(inputs, reading)
    except LabellingMistakes as mistakes:
        _show(mistakes)
        raise
    _tell(report)
    labelled = _labelled(found, name, language)
    target, written = _write(labelled, made, out)
    if as_json:
        place = {"project": str(target), "documents": str(out / "documents")}
        shown = place if made == PROJECT.name else {"folder": str(target)}
        print_json({**shown, **_counts(labelled), "files": [asdict(one) for one in report.files]})
        return
    click.echo(
        f"{target}: {counts(len(found), 'document')}, {counts(report.read, 'label')} read, "
        f"{counts(written, 'label')} written, {len(labelled.categories)} categories"
    )
    if made == PROJECT.name:
        click.echo(
            f"next: appliance train {quoted(target)} --documents {quoted(out / 'documents')} --out MODEL"
        )


def _write(labelled: Labelled, made: str, out: Path) -> tuple[Path, int]:
    """Write, and return what was written and how many labels stand in it."""
    if made == PROJECT.name:
        target = write_project(labelled, out)
        again = read_project(target, out / "documents").documents
        return target, sum(len(document.labels) for document in again)
    write_files(files_of(labelled, BY_NAME[made]), out)
    return out, sum(len(document.labels) for document in labelled.documents)


@dataset_group.command("check", epilog=example("appliance dataset check project.json --documents documents/"))
@click.argument("project", type=LABELLED)
@click.option(
    "--documents",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with the texts that a project file names.",
)
@json_option
def check(project: Path, documents: Path | None, as_json: bool) -> None:
    """Check every label of a project or of label files, and say all that is wrong."""
    try:
        labelled = read_labelled(project, documents, show=not as_json)
    except LabellingMistakes as found:
        if as_json:
            print_json({"mistakes": [asdict(mistake) for mistake in found.mistakes]})
        raise
    if as_json:
        print_json({**_counts(labelled), "mistakes": []})
        return
    count = sum(len(document.labels) for document in labelled.documents)
    click.echo(
        f"{len(labelled.documents)} documents, {count} labels, {len(labelled.categories)} categories:"
        " no mistake"
    )


def _counts(labelled: Labelled) -> dict[str, Any]:
    return {
        "texts": len(labelled.documents),
        "labels": sum(len(document.labels) for document in labelled.documents),
        "categories": list(labelled.categories),
    }
