"""`appliance models quantize`: an 8-bit copy, measured."""

from pathlib import Path

import click

from appliance.cli.dataset.label_reading import read_documents
from appliance.cli.dataset.reading_options import reading_options
from appliance.cli.options import LABELLED, example, json_option, print_json
from appliance.datasets.formats.label_files import Reading
from appliance.errors import ModelError
from license.console.outputs import OutputFolder


@click.command(
    "quantize", epilog=example("appliance models quantize exported/ --out small/ --labelled test.conll")
)
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for the 8-bit model.")
@click.option(
    "--labelled",
    type=LABELLED,
    required=True,
    help="Labelled files to measure both on, of any format.",
)
@reading_options
@json_option
def quantize_command(source: Path, out: Path, labelled: Path, reading: Reading, as_json: bool) -> None:
    """Write an 8-bit copy that answers the same whatever shares its batch; F1 before and after.

    Its answers do not depend on the batch. If it loses more than half a point of F1, nothing is written.
    """
    from appliance.onnx_tools.quantization import TOLERATED
    from appliance.registry.open_source import open_source
    from appliance.registry.quantize import quantize

    documents = read_documents(labelled, reading)
    with open_source(source) as folder:
        result = quantize(folder, out, documents, tell=lambda step: click.echo(f"{step} …", err=True))
    # Some weights of what was given may have 8 bits already: people read "as it is", programs know the key.
    sides = (("float32", "as it is", result.before), ("8 bits", "8 bits", result.after))
    if as_json:
        measured = {
            name: {"f1": side.scores.micro.f1, "bytes": side.bytes, "tokensPerSecond": round(side.speed)}
            for name, _, side in sides
        }
        report = {**measured, "loss": result.loss, "written": str(out) if result.kept else None}
        print_json(report)
    for _, shown, side in () if as_json else sides:
        click.echo(
            f"{shown:8} F1 {100 * side.scores.micro.f1:6.2f}  {side.bytes / 1e6:7.1f} MB"
            f"  {side.speed:7.0f} tokens/s"
        )
    if result.kept:
        click.echo(f"8 bits cost {100 * result.loss:.2f} points of F1; written to {out}", err=as_json)
        return
    raise ModelError(
        f"8 bits cost {100 * result.loss:.2f} points of F1, more than {100 * TOLERATED}: float32 is kept,"
        " nothing was written",
        hint="serve the float32 model",
    )
