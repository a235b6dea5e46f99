"""`appliance speech …`: the group."""

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import example
from license.console.group import Lazy


@click.group(
    "speech",
    cls=ErrorHandlingGroup,
    lazy={
        "evaluate": Lazy(
            "appliance.cli.speech.evaluate",
            "evaluate_command",
            "Count the words that one or two models hear wrong in recordings with transcripts.",
        ),
        "train": Lazy(
            "appliance.cli.speech.train",
            "train_command",
            "Train a speech model on recordings with transcripts, or on text alone.",
        ),
    },
    epilog=example(
        "appliance speech evaluate recordings.jsonl",
        "appliance speech train recordings.jsonl --out models/mine",
    ),
)
def speech_group() -> None:
    """Custom speech: train on recordings of your own, and count what models hear wrong; without network."""
