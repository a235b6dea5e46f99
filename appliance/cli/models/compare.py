"""`appliance models compare`: two models on the same labelled files."""

from pathlib import Path

import click

from appliance.cli.dataset.label_reading import read_documents
from appliance.cli.dataset.reading_options import reading_options
from appliance.cli.models.opening import opened_plain, read_installation
from appliance.cli.options import (
    LABELLED,
    example,
    json_option,
    print_json,
    roots_option,
    settings_argument,
)
from appliance.datasets.formats.label_files import Reading


@click.command(
    "compare",
    epilog=example(
        "appliance models compare loans/v1 loans-model-2/ --labelled test.conll \\",
        "    Models:Path=/var/lib/appliance/models",
    ),
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--labelled",
    type=LABELLED,
    required=True,
    help="Labelled files, of any format, that neither has learnt from; not for encrypted packages.",
)
@reading_options
@roots_option
@json_option
@settings_argument
def compare_command(
    first: str,
    second: str,
    labelled: Path,
    reading: Reading,
    roots: Path | None,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Compare two models on labelled files: before `models add --replace`, say.

    A and B are each PROJECT/NAME of the library, or what `models add` takes. F1 of both by category, their
    difference with the ends between which 95 % of 2,000 draws of the documents lie, and the first entities
    that one found and the other did not.
    """
    from appliance.training.evaluation.compare import compare, comparison_lines, comparison_object
    from appliance.training.evaluation.examine import answers, requests_of, trimmed
    from appliance.training.evaluation.report import WORST

    installation = read_installation(words, roots)
    with opened_plain(first, installation) as one, opened_plain(second, installation) as other:
        documents = trimmed(read_documents(labelled, reading))
        asked = requests_of(documents)
        found = compare(documents, answers(one, asked).found, answers(other, asked).found)
    if as_json:
        print_json(comparison_object(found, (first, second), WORST))
        return
    for line in comparison_lines(found, (first, second), WORST):
        click.echo(line)
