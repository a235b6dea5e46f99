"""`appliance models thresholds`: options in, one call, text out."""

from typing import TYPE_CHECKING

import click

from appliance.cli.models.opening import opened, read_installation
from appliance.cli.models.text import threshold_words, thresholds_object
from appliance.cli.options import example, json_option, print_json, settings_argument

if TYPE_CHECKING:
    from appliance.ner.model_folder import ModelFolder


@click.command(
    "thresholds",
    epilog=example(
        "appliance models thresholds loans/v1 --set Borrower=0.6 --set Date=0.3 \\",
        "    Models:Path=/var/lib/appliance/models",
    ),
)
@click.argument("model")
@click.option(
    "--set",
    "own",
    multiple=True,
    metavar="CATEGORY=SHARE",
    help="The confidence that a category must reach, 0 to 1; once for each.",
)
@click.option("--all", "every", type=float, metavar="SHARE", help="The same for all other categories.")
@click.option("--clear", is_flag=True, help="Drop those that are there first.")
@json_option
@settings_argument
def thresholds_command(
    model: str, own: tuple[str, ...], every: float | None, clear: bool, as_json: bool, words: tuple[str, ...]
) -> None:
    """Leave out what a model finds with less confidence: for each category, or for all.

    MODEL is PROJECT/NAME of the library. Without an option, the thresholds are shown. Lists and expressions
    have confidence 1. What is good is shown by `models test --labelled` before and after.
    """
    from appliance.registry.registry import ModelRegistry
    from appliance.registry.thresholds import Change, set_thresholds

    installation = read_installation(words)
    change = Change(clear=clear, every=every, categories=_pairs(own))
    if not change:
        with opened(model, installation) as (folder, _):
            _print(model, folder, as_json=as_json)
        return
    registry = ModelRegistry.of(installation.settings)
    folder = set_thresholds(registry, registry.find(model), change)
    _print(model, folder, as_json=as_json)
    click.echo("a running service goes on with the former ones until its next start", err=True)


def _pairs(own: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, share in map(_pair, own):
        if name in found and found[name] != share:
            raise click.BadParameter(
                f"{name[:60]} has two thresholds, {found[name]} and {share}; write one", param_hint="--set"
            )
        found[name] = share
    return found


def _pair(text: str) -> tuple[str, float]:
    name, _, share = text.rpartition("=")
    try:
        return name, float(share)
    except ValueError:
        raise click.BadParameter(
            f"{text[:60]!r} is no threshold; write CATEGORY=SHARE, such as Date=0.6", param_hint="--set"
        ) from None


def _print(model: str, folder: "ModelFolder", *, as_json: bool) -> None:
    if as_json:
        print_json({"model": model, **thresholds_object(folder)})
    else:
        click.echo(f"{model}  {threshold_words(folder) or 'no thresholds: everything is answered'}")
