"""`appliance models test`: a model tried on one sentence, or scored on labelled files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.dataset.label_reading import read_documents
from appliance.cli.dataset.reading_options import reading_options
from appliance.cli.models.opening import opened, opened_plain, read_installation
from appliance.cli.models.text import outcome_object, print_outcome
from appliance.cli.options import (
    LABELLED,
    example,
    json_option,
    print_json,
    roots_option,
    settings_argument,
)
from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.label_files import Reading
from appliance.errors import SettingsError

if TYPE_CHECKING:
    from appliance.ner.model_folder import ModelFolder


@click.command("test", epilog=example("appliance models test loans/v1 Models:Path=models"))
@click.argument("model")
@click.option(
    "--labelled",
    type=LABELLED,
    help="Score it on these labelled files, of any format; not for encrypted packages.",
)
@reading_options
@roots_option
@json_option
@settings_argument
def test_command(
    model: str,
    labelled: Path | None,
    reading: Reading,
    roots: Path | None,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Try a model on one built-in sentence, or score it on a labelled file, with its mistakes.

    MODEL is PROJECT/NAME of the library, or what `models add` takes. Your own sentences go to the running
    service, which counts them.
    """
    installation = read_installation(words, roots)
    if labelled is None and reading != Reading():
        raise SettingsError(
            "options of label files have no effect without --labelled", hint="name the files with --labelled"
        )
    if labelled is not None:
        with opened_plain(model, installation) as folder:
            _score(folder, read_documents(labelled, reading), as_json=as_json)
        return
    with opened(model, installation) as (folder, plain):
        _try(folder, plain=plain, as_json=as_json)


def _try(folder: "ModelFolder", *, plain: bool, as_json: bool) -> None:
    from appliance.registry.smoke_test import try_folder, try_here

    outcome = try_folder(folder.path) if plain else try_here(folder)
    if as_json:
        print_json(outcome_object(outcome))
    else:
        print_outcome(outcome)


def _score(folder: "ModelFolder", labelled: Sequence[LabelledDocument], *, as_json: bool) -> None:
    from appliance.training.evaluation.examine import examine, trimmed
    from appliance.training.evaluation.report import evaluation_object, score_lines, worst, wrong_lines

    documents = trimmed(labelled)
    scores, run = examine(folder, documents)
    wrong = worst(documents, run)
    speed = run.tokens / max(run.seconds, 1e-9)
    if as_json:
        print_json({"tokensPerSecond": round(speed), **evaluation_object(scores, wrong)})
        return
    for line in score_lines(scores):
        click.echo(line)
    if wrong:
        click.echo("\nthe mistakes with the highest confidence, then what was missed:")
        for line in wrong_lines(wrong):
            click.echo(f"  {line}")
        click.echo("")
    click.echo(f"{speed:.0f} tokens a second, one session")
