"""`appliance dataset …`: options in, one call, text out."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from appliance.cli.dataset.label_reading import labelled_of, show_mistakes, tell
from appliance.cli.dataset.reading_options import LabelFiles, label_files_options
from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import example, json_option, print_json
from appliance.config.setting_parsers import is_name
from appliance.datasets.conversion_report import counts
from appliance.datasets.document import Labelled
from appliance.datasets.formats.label_files import read_labels
from appliance.datasets.formats.label_writer import files_of, write_files
from appliance.datasets.formats.registry import BY_NAME, PROJECT, WRITABLE
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from appliance.datasets.project import read_project, write_project
from license.console.group import Lazy
from license.console.outputs import OutputFolder
from license.files import quoted


@click.group(
    "dataset",
    cls=ErrorHandlingGroup,
    lazy={
        "check": Lazy(
            "appliance.cli.dataset.check.command",
            "check",
            "Check label files, and say what hinders or weakens a training.",
        ),
        "suggest": Lazy(
            "appliance.cli.dataset.suggest",
            "suggest_command",
            "Have a model label texts, and write its proposals for people to correct and to train on.",
        ),
    },
    epilog=example("appliance dataset convert --train my.conll --out project"),
)
def dataset_group() -> None:
    """Make a project out of labelled files, check one, and have a model propose labels."""


@dataset_group.command(
    "convert", epilog=example("appliance dataset convert --train train.conll --test dev.conll --out loans")
)
@label_files_options
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for what is made.")
@click.option("--name", default="", help="Name of the project (default: the folder's).")
@click.option(
    "--to",
    "made",
    type=click.Choice(WRITABLE),
    default=PROJECT.name,
    show_default=True,
    help="Format to write.",
)
@json_option
def convert(label_files: LabelFiles, out: Path, name: str, made: str, as_json: bool) -> None:
    """Convert labelled files, folders or ZIP archives to a project, or to another format.

    The format is told by content; docs/custom-models.md lists all. FILES are split later, by category; files
    given with --train and --test keep their use. A label that cannot be carried is an error, unless an option
    says that it may be left out; each conversion says what was read and what was written.
    """
    if not label_files.inputs:
        raise DatasetError("no labelled file is given", hint="appliance dataset convert FILE --out FOLDER")
    name = name or out.resolve().name
    if not is_name(name):
        raise DatasetError(
            f"{name[:60]!r} cannot name a project", hint="say --name with letters, digits, '_', '.', '-'"
        )
    try:
        found, report = read_labels(label_files.inputs, label_files.reading)
    except LabellingMistakes as mistakes:
        show_mistakes(mistakes)
        raise
    tell(report)
    labelled = labelled_of(found, name, label_files.language)
    target, written = _write(labelled, made, out)
    if as_json:
        place = {"project": str(target), "documents": str(out / "documents")}
        shown = place if made == PROJECT.name else {"folder": str(target)}
        print_json({**shown, **_counts(labelled), "files": [asdict(one) for one in report.files]})
        return
    click.echo(
        f"{target}: {counts(len(found), 'document')}, {counts(report.read, 'label')} read, "
        f"{counts(written, 'label')} written, {counts(len(labelled.categories), 'category')}"
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


def _counts(labelled: Labelled) -> dict[str, Any]:
    return {
        "texts": len(labelled.documents),
        "labels": sum(len(document.labels) for document in labelled.documents),
        "categories": list(labelled.categories),
    }
