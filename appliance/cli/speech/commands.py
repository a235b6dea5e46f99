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
    },
    epilog=example("appliance speech evaluate recordings.jsonl"),
)
def speech_group() -> None:
    """Custom speech: how well models hear recordings of your own; without network."""
