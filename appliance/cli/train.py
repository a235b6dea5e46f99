"""`appliance train`: options in, one call, text out."""

import json
import os
import shlex
import time
from contextlib import nullcontext
from pathlib import Path

import click

from appliance.cli.dataset.label_reading import read_labelled
from appliance.cli.dataset.reading_options import reading_options
from appliance.cli.encoder import AUTO, BASE_HELP, opened_encoder
from appliance.cli.options import LABELLED, example, release_option
from appliance.cli.progress import Progress
from appliance.datasets.formats.label_files import Reading
from appliance.datasets.split import split
from license.console.outputs import OutputFolder
from license.files import quoted


@click.command(
    "train",
    epilog=example("appliance train project.json --documents documents/ --out model/ --quality fast"),
)
@click.argument("project", type=LABELLED)
@reading_options
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for the model.")
@click.option(
    "--quality",
    type=click.Choice(["fast", "best", "auto"]),
    default="fast",
    show_default=True,
    help="fast: a light head, minutes. best: the whole encoder learns; needs the extra `train`. auto: the"
    " better of the two on training documents held back.",
)
@click.option(
    "--split",
    "how",
    type=click.Choice(["auto", "file", "stratified"]),
    default="auto",
    show_default=True,
    help="file: Train and Test as the project says. stratified: by category, always the same.",
)
@click.option(
    "--test-share", type=click.IntRange(5, 50), default=20, show_default=True, help="Per cent for the test."
)
@click.option(
    "--base",
    "base_name",
    default=AUTO,
    show_default=True,
    help=BASE_HELP,
)
@release_option
@click.option("--seed", type=int, default=1, show_default=True, help="Of starting weights and order.")
@click.option(
    "--curve",
    is_flag=True,
    help="First measure F1 with 10, 25, 50 and 100 % of the training documents, and say whether more help.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def train_command(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    project: Path,
    reading: Reading,
    out: Path,
    quality: str,
    how: str,
    test_share: int,
    base_name: str,
    release: str,
    seed: int,
    curve: bool,
    as_json: bool,
) -> None:
    """Train a model on labelled text, and evaluate it.

    PROJECT is a project file as custom NER exports it, or label files of another format: a file, a folder or
    a ZIP archive. The model is a folder that `appliance models add` takes and `Mounts:Model` serves.
    """
    # Matrices are small here: more than one thread for each would only wait for each other. Read by the
    # library when it is first imported, which is now.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from appliance.training.evaluation.report import confusion_lines, score_lines, wrong_lines
    from appliance.training.train import Options, train

    labelled = read_labelled(project, reading)
    by_file = {"auto": None, "file": True, "stratified": False}[how]
    parts = split(labelled.documents, test_share=test_share / 100, by_file=by_file)
    click.echo(
        f"learning from {len(parts.train)} documents, testing on {len(parts.test)} ({parts.how})", err=True
    )
    with nullcontext() if base_name == AUTO else opened_encoder(base_name) as base:
        options = Options(base=base, quality=quality, release=release, seed=seed, curve=curve)
        result = train(labelled, parts, out, options, told=Progress(), now=time.time)
    if as_json:
        from appliance.training.evaluation.report import evaluation_object

        report = {
            "model": str(out),
            "seconds": round(result.seconds, 1),
            "cpu_seconds": round(result.cpu_seconds, 1),
            "tokens_per_second": round(result.tokens_per_second),
            "bytes": (out / "model.onnx").stat().st_size,
            "base": result.base.as_object(),
            "choice": result.choice.as_object(),
            "notes": list(result.notes),
            **({"curve": result.curve.as_object()} if result.curve else {}),
            **evaluation_object(result.scores, result.wrong),
        }
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    for line in score_lines(result.scores):
        click.echo(line)
    for title, section in (
        ("taken for something else:", confusion_lines(result.scores)),
        ("the mistakes with the highest confidence:", wrong_lines(result.wrong[:10])),
        ("learning curve, on training documents held back:", result.curve.lines() if result.curve else []),
        ("notes:", list(result.notes)),
    ):
        if section:
            click.echo(f"\n{title}")
            for line in section:
                click.echo(f"  {line}")
    click.echo(
        f"\ntrained in {result.seconds:.0f} s; {result.tokens_per_second:.0f} tokens a second, one session"
    )
    click.echo(
        f"next: appliance models add {quoted(out)} --project {shlex.quote(labelled.name)} --name v{release}"
        " Models:Path=DIR"
    )
