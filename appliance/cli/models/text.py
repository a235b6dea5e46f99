"""What the commands on models print, as text and as objects for `--json`."""

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.ner.model_folder import ModelFolder
    from appliance.registry.add import Added
    from appliance.registry.registry import ModelRegistry
    from appliance.registry.smoke_test import Outcome
    from license.client.packages import Offer


_LANGUAGES_SHOWN: Final = 3


def print_added(added: "Added", registry: "ModelRegistry") -> None:
    """Print what was added, and when it is served."""
    from appliance.ner.decoding import is_outside

    entry = added.entry
    click.echo(f"added {entry.project}/{entry.name} to {registry.root}")
    print_folder(added.folder)
    print_outcome(added.outcome)
    if special := [label for label in added.folder.labels if label != "O" and is_outside(label)]:
        click.echo(f"  note: {', '.join(special[:8])} counts as no entity; another name: --labels")
    if not added.outcome.tested:
        click.echo(
            f"  note: family {added.outcome.family} is accepted, but was not compared with transformers"
        )
    if added.left_out:
        click.echo(f"  left out, since serving does not need it: {', '.join(added.left_out[:8])}")
    click.echo("a service that has Models:Path set to this folder serves it after its next start")


def added_object(added: "Added") -> dict[str, Any]:
    """What `add --json` prints."""
    return {
        **folder_object(f"{added.entry.project}/{added.entry.name}", added.folder),
        "path": str(added.entry.path),
        "selfTest": outcome_object(added.outcome),
        "leftOut": list(added.left_out),
    }


def print_folder(folder: "ModelFolder") -> None:
    """Print what a model says about itself."""
    named = " ".join(part for part in (folder.name, folder.release) if part)
    click.echo(f"  model       {named}")
    click.echo(f"  categories  {', '.join(folder.categories)}")
    click.echo(f"  languages   {', '.join(folder.made_for) or 'not stated'}")
    click.echo(
        f"  labels      {len(folder.labels)}, {folder.scheme}; windows of {folder.window_tokens} tokens"
    )
    click.echo(f"  batching    {'several texts a call' if folder.batch_invariant else 'one window a call'}")
    if words := threshold_words(folder):
        click.echo(f"  thresholds  {words}")
    for name, value in folder.digests.items():
        click.echo(f"  sha256      {value}  {name}")


def folder_object(model: str, folder: "ModelFolder") -> dict[str, Any]:
    """What `show --json` prints of a model."""
    return {
        "model": model,
        "name": folder.name,
        "release": folder.release,
        "description": folder.description,
        "languages": list(folder.made_for),
        "categories": list(folder.categories),
        "labels": len(folder.labels),
        "scheme": folder.scheme,
        "windowTokens": folder.window_tokens,
        "batchInvariant": folder.batch_invariant,
        **thresholds_object(folder),
        "digests": dict(folder.digests),
    }


def language_words(languages: "Sequence[str]") -> str:
    """Name languages in one short word: the one, how many there are, or that none is stated."""
    if len(languages) > _LANGUAGES_SHOWN:
        return f"{len(languages)} languages"
    return ", ".join(languages) or "language not stated"


def threshold_words(folder: "ModelFolder") -> str:
    """Say which confidence answers must reach, or nothing where everything is answered."""
    components = folder.components
    own = [f"{name} {share:g}" for name, share in components.thresholds]
    every = [f"{'all others' if own else 'all'} {components.threshold:g}"] if components.threshold else []
    return ", ".join(own + every)


def thresholds_object(folder: "ModelFolder") -> dict[str, Any]:
    """The confidence that answers must reach."""
    components = folder.components
    return {
        "confidenceThreshold": components.threshold,
        "confidenceThresholds": dict(components.thresholds),
    }


def outcome_object(outcome: "Outcome") -> dict[str, Any]:
    """What a model said to the fixed sentence."""
    return {
        "family": outcome.family,
        "compared": outcome.tested,
        "sentence": outcome.sentence,
        "found": [
            {"text": text, "category": category, "score": round(score, 4)}
            for text, category, score in outcome.found
        ],
    }


def print_outcome(outcome: "Outcome") -> None:
    """Print what a model said to the fixed sentence."""
    click.echo(f"  family      {outcome.family}")
    click.echo(f"  self-test   {outcome.sentence}")
    for text, category, score in outcome.found:
        click.echo(f"              {category}: {text} ({score:.2f})")
    if not outcome.found:
        click.echo("              no entity found")


def offer_object(kind: str, offer: "Offer") -> dict[str, Any]:
    """One model of the vendor's catalogue."""
    from license.encoding.strict import format_time

    return {
        "id": offer.id,
        "type": kind,
        "line": offer.line,
        "release": offer.release,
        "name": offer.name,
        "locale": offer.language,
        "created": format_time(offer.issued),
        "bytes": offer.bytes,
        "sha256": offer.sha256,
    }
