"""`appliance models card`: options in, one call, text out."""

import time
from pathlib import Path

import click

from appliance.cli.models.opening import read_installation
from appliance.cli.options import example, json_option, print_json, settings_argument


@click.command(
    "card",
    epilog=example(
        "appliance models card loans/v1 --add comparison.json Models:Path=/var/lib/appliance/models"
    ),
)
@click.argument("model")
@click.option(
    "--add",
    "comparison",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A comparison, from the label page or from `models compare --json`: its figures, no sentences.",
)
@json_option
@settings_argument
def card_command(model: str, comparison: Path | None, as_json: bool, words: tuple[str, ...]) -> None:
    """Show the card of a model of the library, or keep a comparison with it.

    MODEL is PROJECT/NAME, one of the two that the comparison names.
    """
    from appliance.registry.card import add_comparison, read_installed_card
    from appliance.registry.registry import ModelRegistry

    entry = ModelRegistry.of(read_installation(words).settings).find(model)
    card = (
        read_installed_card(entry) if comparison is None else add_comparison(entry, comparison, time.time())
    )
    if as_json:
        print_json({"model": f"{entry.project}/{entry.name}", "card": card})
    else:
        click.echo(card.rstrip() or "There is no card beside this model.")
