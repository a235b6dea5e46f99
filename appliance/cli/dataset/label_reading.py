"""What commands do with label files before their own work: reading them, and saying what was read."""

from dataclasses import replace
from pathlib import Path

import click

from appliance.datasets.conversion_report import ConversionReport
from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.label_files import Reading, read_labels
from appliance.datasets.formats.registry import PROJECT
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, lines
from appliance.datasets.project import MAX_PROJECT_BYTES, described, read_project
from appliance.datasets.project_file import parse_project
from license.errors import LicenseError
from license.files import read_limited


def read_labelled(project: Path, reading: Reading) -> Labelled:
    """Return a project with its texts, or what label files of another format hold; mistakes are printed.

    Args:
        project: A project file, or label files of another format.
        reading: How they are read.

    Raises:
        LabellingMistakes: Labels are wrong.
        DatasetError: The project or the files cannot be read.
    """
    try:
        if not reading.forced and is_project(project):
            return read_whole_project(project, reading)
        found, report = read_labels([(project, "")], reading)
    except LabellingMistakes as mistakes:
        show_mistakes(mistakes)
        raise
    tell(report)
    return labelled_of(found, project.resolve().stem, "")


def read_whole_project(path: Path, reading: Reading) -> Labelled:
    """Return a project with the categories and components that it declares; what is left out is printed.

    Args:
        path: A project file.
        reading: Where its texts are, and which labels may be left out.

    Raises:
        LabellingMistakes: Labels are wrong.
        DatasetError: The project cannot be read, or something is asked for that has no effect on one.
    """
    for option, said in (
        ("--labels", reading.options.names),
        ("--offset-unit", reading.options.unit),
        ("--sentences", reading.sentences_said),
    ):
        if said:
            raise DatasetError(
                f"{option} has no effect: {path.name} is a project file, which says that itself",
                hint=f"leave {option} out",
            )
    texts = reading.documents or texts_beside(path)
    if not reading.drop:
        return read_project(path, texts)
    found, report = read_labels([(path, "")], replace(reading, documents=texts))
    tell(report)
    declared = parse_project(read_limited(path, MAX_PROJECT_BYTES), path.name)
    return described(declared, found)


def texts_beside(project: Path) -> Path:
    """Return the folder in which a project file's texts are looked for."""
    folder = project.parent / "documents"
    return folder if folder.is_dir() else project.parent


def read_documents(path: Path, reading: Reading) -> list[LabelledDocument]:
    """Return the documents of label files of whatever format; what was read is said on standard error.

    Raises:
        LabellingMistakes: Labels are wrong; they are printed, a line each.
        DatasetError: The files cannot be read.
    """
    try:
        found, report = read_labels([(path, "")], reading)
    except LabellingMistakes as mistakes:
        show_mistakes(mistakes)
        raise
    tell(report)
    return found


def is_project(path: Path) -> bool:
    """Whether a path is a project file.

    Raises:
        DatasetError: It cannot be read.
    """
    if path.is_dir():
        return False
    try:
        return PROJECT.sniff(SourceFile(path.name, read_limited(path, MAX_PROJECT_BYTES)))
    except LicenseError as error:
        raise DatasetError(error.message, hint=error.hint) from error


def show_mistakes(mistakes: LabellingMistakes) -> None:
    """Print mistakes on standard error, a line each."""
    for line in lines(mistakes.mistakes):
        click.echo(line, err=True)


def tell(report: ConversionReport) -> None:
    """Print on standard error what was read."""
    for line in report.lines():
        click.echo(line, err=True)


def labelled_of(documents: list[LabelledDocument], name: str, language: str) -> Labelled:
    """Return documents with the categories that they use."""
    return Labelled(
        name=name,
        categories=tuple(sorted(categories_of(documents))),
        documents=tuple(documents),
        language=language,
    )
