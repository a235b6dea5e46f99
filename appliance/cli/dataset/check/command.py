"""`appliance dataset check`: options in, one call, a report and an exit status out."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from appliance.cli.dataset.check.page import page
from appliance.cli.dataset.check.text import text_lines
from appliance.cli.dataset.label_reading import (
    is_project,
    labelled_of,
    read_whole_project,
    show_mistakes,
    tell,
)
from appliance.cli.dataset.reading_options import LabelFiles, label_files_options
from appliance.cli.encoder import AUTO, BASE_HELP, opened_encoder
from appliance.cli.options import example, json_option, print_json
from appliance.datasets.check.report import CheckReport
from appliance.datasets.document import Labelled
from appliance.datasets.formats.label_files import read_labels
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from license.console.outputs import OutputFile
from license.files import write_atomic

MAX_LISTED = 100
"""Groups, documents and strings of a kind in JSON and on the page."""


class _Hindered(DatasetError):
    """Something hinders training; the report says what."""

    code = "TrainingHindered"


@click.command(
    "check", epilog=example("appliance dataset check project.json --documents documents/ --html check.html")
)
@label_files_options
@click.option("--html", type=OutputFile(), help="Also write a page to read and print.")
@click.option("--base", "base_name", default=AUTO, show_default=True, help=BASE_HELP)
@json_option
def check(label_files: LabelFiles, html: Path | None, base_name: str, as_json: bool) -> None:
    """Check the labels of a project or of any label files, and say what hinders or weakens a training.

    Counts, rare categories, duplicates, test documents that are learnt from, labels that cut words or
    contradict each other, languages that the encoder cannot read. The exit status is 1 if a label is wrong
    or something hinders training. The report quotes labelled strings: keep it as private as the documents.
    """
    if not label_files.inputs:
        raise DatasetError("no labelled file is given", hint="appliance dataset check FILE")
    try:
        labelled = _read(label_files, show=not as_json)
    except LabellingMistakes as found:
        if as_json:
            print_json({"mistakes": [asdict(mistake) for mistake in found.mistakes]})
        else:
            show_mistakes(found)
        raise
    report = _checked(labelled, base_name)
    if html is not None:
        write_atomic(html, page(report, labelled.name, MAX_LISTED).encode("utf-8"), mode=0o600)
    if as_json:
        print_json(_object(labelled, report))
    else:
        for line in text_lines(report):
            click.echo(line)
    if report.hindered:
        first, *others = report.hindered
        more = f"; {len(others)} more above" if others else ""
        raise _Hindered(f"training is hindered: {first.message}{more}", hint=first.remedy)


def _read(asked: LabelFiles, *, show: bool) -> Labelled:
    """Return a project with the categories that it declares, or what the label files hold."""
    (path, use), *others = asked.inputs
    if not others and not use and not asked.reading.forced and is_project(path):
        return read_whole_project(path, asked.reading)
    found, report = read_labels(asked.inputs, asked.reading)
    if show:
        tell(report)
    return labelled_of(found, path.resolve().stem, asked.language)


def _checked(labelled: Labelled, base_name: str) -> CheckReport:
    # The libraries of training take a second to load.
    from appliance.datasets.check.check import check as checked
    from appliance.training.base.open_base import ENGLISH, MANY
    from appliance.training.choose_base import base_for_languages
    from appliance.training.encoder_facts import encoder_facts

    if base_name == AUTO:
        base_name = MANY if base_for_languages(labelled, labelled.documents) else ENGLISH
    with opened_encoder(base_name) as base:
        return checked(labelled, encoder_facts(labelled, base))


def _object(labelled: Labelled, report: CheckReport) -> dict[str, Any]:
    found = asdict(report)
    for key in ("same", "near", "leaked", "between", "missed"):
        found[f"{key}_count"] = len(found[key])
        found[key] = found[key][:MAX_LISTED]
    counts = {
        "texts": found.pop("documents"),
        "labels": found.pop("labels"),
        "categories": list(labelled.categories),
        "mistakes": [],
    }
    return {**counts, "by_category": found.pop("categories"), **found, "hindered": bool(report.hindered)}
