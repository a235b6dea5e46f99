"""`appliance models …`: options in, one call, text out."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.options import (
    example,
    installation_from,
    json_option,
    print_json,
    roots_option,
    settings_argument,
)
from appliance.config.products import SERVICES
from appliance.datasets.conll_jsonl import read_file
from appliance.errors import ModelError, SettingsError
from appliance.licensing.installation import Installation
from license.console.outputs import OutputFolder

if TYPE_CHECKING:
    from appliance.models.packages import ModelKeys
    from appliance.ner.model_folder import ModelFolder
    from appliance.registry.add import Added
    from appliance.registry.registry import ModelRegistry, RegistryEntry
    from appliance.registry.smoke_test import Outcome
    from license.client.packages import Offer


def _read(words: tuple[str, ...], roots: Path | None = None) -> Installation:
    return installation_from(words, roots, hint="such as Models:Path=DIR")


def _keys(installation: Installation) -> "ModelKeys":
    from appliance.models.packages import ModelKeys

    licenses = installation.licenses()
    return ModelKeys(licensed=licenses.current, hpke=licenses.identity.hpke, roots=installation.roots())


@click.group(
    "models",
    cls=ErrorHandlingGroup,
    epilog=example("appliance models list Models:Path=/var/lib/appliance/models"),
)
def models_group() -> None:
    """Add, list, test, quantize and remove models; all without network.

    A model is in PROJECT/NAME below the folder that Models:Path names; callers name it in the same way.
    """


@models_group.command(
    "add",
    epilog=example(
        "appliance models add exported/ --project loans --name v1 Models:Path=/var/lib/appliance/models"
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--project", default="", help="projectName of callers (default: the setting ProjectName).")
@click.option("--name", default="", help="deploymentName of callers (default: the source's own name).")
@click.option("--replace", is_flag=True, help="Put it in the place of the model of that name.")
@roots_option
@json_option
@settings_argument
def add_command(
    source: Path,
    project: str,
    name: str,
    replace: bool,
    roots: Path | None,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Check a model, try it on one sentence, record its digests and install it.

    SOURCE is a folder as Optimum or transformers export it for token classification, a folder of this
    software, a ZIP archive of either, or an encrypted package (.age).
    """
    from appliance.registry.add import add, add_package, is_package
    from appliance.registry.registry import ModelRegistry

    installation = _read(words, roots)
    registry = ModelRegistry.of(installation.settings)
    project = project or installation.settings.project_name
    name = name or _name_of(source)
    if is_package(source):
        added = add_package(
            source, registry, _keys(installation), project=project, name=name, replace=replace
        )
    else:
        added = add(source, registry, project=project, name=name, replace=replace)
    if as_json:
        print_json(_added_object(added))
    else:
        _print_added(added, registry)


def _name_of(source: Path) -> str:
    name = source.resolve().name
    for suffix in (".zip", ".age", ".model.note"):
        name = name.removesuffix(suffix)
    return name


def _print_added(added: "Added", registry: "ModelRegistry") -> None:
    entry = added.entry
    click.echo(f"added {entry.project}/{entry.name} to {registry.root}")
    _print_folder(added.folder)
    _print_outcome(added.outcome)
    if not added.outcome.tested:
        click.echo(
            f"  note: family {added.outcome.family} is accepted, but was not compared with transformers"
        )
    if added.left_out:
        click.echo(f"  left out, since serving does not need it: {', '.join(added.left_out[:8])}")
    click.echo("a service that has Models:Path set to this folder serves it after its next start")


def _added_object(added: "Added") -> dict[str, Any]:
    return {
        **_described(f"{added.entry.project}/{added.entry.name}", added.folder),
        "path": str(added.entry.path),
        "selfTest": _outcome_object(added.outcome),
        "leftOut": list(added.left_out),
    }


def _print_folder(folder: "ModelFolder") -> None:
    named = " ".join(part for part in (folder.name, folder.release) if part)
    click.echo(f"  model       {named}")
    click.echo(f"  categories  {', '.join(folder.categories)}")
    click.echo(
        f"  labels      {len(folder.labels)}, {folder.scheme}; windows of {folder.window_tokens} tokens"
    )
    click.echo(f"  batching    {'several texts a call' if folder.batch_invariant else 'one window a call'}")
    for name, value in folder.digests.items():
        click.echo(f"  sha256      {value}  {name}")


def _described(model: str, folder: "ModelFolder") -> dict[str, Any]:
    return {
        "model": model,
        "name": folder.name,
        "release": folder.release,
        "description": folder.description,
        "categories": list(folder.categories),
        "labels": len(folder.labels),
        "scheme": folder.scheme,
        "windowTokens": folder.window_tokens,
        "batchInvariant": folder.batch_invariant,
        "digests": dict(folder.digests),
    }


def _outcome_object(outcome: "Outcome") -> dict[str, Any]:
    return {
        "family": outcome.family,
        "compared": outcome.tested,
        "sentence": outcome.sentence,
        "found": [
            {"text": text, "category": category, "score": round(score, 4)}
            for text, category, score in outcome.found
        ],
    }


def _print_outcome(outcome: "Outcome") -> None:
    click.echo(f"  family      {outcome.family}")
    click.echo(f"  self-test   {outcome.sentence}")
    for text, category, score in outcome.found:
        click.echo(f"              {category}: {text} ({score:.2f})")
    if not outcome.found:
        click.echo("              no entity found")


@models_group.command(
    "list", epilog=example("appliance models list Models:Path=/var/lib/appliance/models --json")
)
@json_option
@settings_argument
def list_command(as_json: bool, words: tuple[str, ...]) -> None:
    """List the installed models, and what is wrong with those that cannot be served."""
    from appliance.registry.registry import ModelRegistry

    registry = ModelRegistry.of(_read(words).settings)
    rows = [_row(entry) for entry in registry.entries()]
    if as_json:
        print_json({"path": str(registry.root), "models": rows})
        return
    if not rows:
        click.echo(f"no models in {registry.root}")
    for row in rows:
        state = row.get("error") or f"{row['kind']}; {', '.join(row['categories']) or 'categories unknown'}"
        click.echo(f"{row['project']}/{row['name']}  {state}")


def _row(entry: "RegistryEntry") -> dict[str, Any]:
    from appliance.errors import ModelError
    from appliance.models.packages import find_packages
    from appliance.ner.model_folder import ModelFolder

    row: dict[str, Any] = {"project": entry.project, "name": entry.name}
    if find_packages(entry.path):
        return {**row, "kind": "encrypted package", "categories": []}
    try:
        folder = ModelFolder.open(entry.path)
    except ModelError as error:
        return {**row, "kind": "refused", "error": f"cannot be served: {error.message}"}
    kind = "8-bit" if folder.batch_invariant else "float32"
    size = sum(path.stat().st_size for path in entry.path.iterdir() if path.is_file())
    return {
        **row,
        "kind": f"{kind if folder.digests else ''} {size / 1e6:.1f} MB".strip(),
        "model": folder.name,
        "release": folder.release,
        "categories": list(folder.categories),
    }


def _open_folder(model: str, installation: Installation) -> tuple["ModelFolder", bool]:
    """Open what a person names, a folder or PROJECT/NAME of the library, and say whether it is plain."""
    from appliance.models.packages import find_packages
    from appliance.ner.model_folder import ModelFolder
    from appliance.ner.model_kind import open_model
    from appliance.registry.registry import ModelRegistry

    path = Path(model)
    if not path.is_dir():
        path = ModelRegistry.of(installation.settings).find(model).path
    if find_packages(path):
        return open_model(path, _keys(installation)), False
    return ModelFolder.open(path), True


@models_group.command(
    "show", epilog=example("appliance models show loans/v1 Models:Path=/var/lib/appliance/models")
)
@click.argument("model")
@roots_option
@json_option
@settings_argument
def show_command(model: str, roots: Path | None, as_json: bool, words: tuple[str, ...]) -> None:
    """Show what a model says about itself."""
    folder, _ = _open_folder(model, _read(words, roots))
    if as_json:
        print_json(_described(model, folder))
        return
    click.echo(model)
    _print_folder(folder)
    if folder.description:
        click.echo(f"  about       {folder.description}")
    card = folder.path / "MODEL_CARD.md"
    if card.is_file():
        click.echo(f"  model card  {card}")


@models_group.command(
    "download",
    epilog=example(
        "appliance models download ModelId=speech-en/1 Billing=https://license.example.com ApiKey=KEY \\",
        "    Eula=accept Mounts:Model=/var/lib/appliance/models",
    ),
)
@roots_option
@json_option
@settings_argument
def download_command(words: tuple[str, ...], roots: Path | None, as_json: bool) -> None:
    """Bring model packages from the vendor's catalogue into the directory that Mounts:Model names.

    ModelId takes an id, or a model line such as speech-en/1; PunctId, RescoreId, ResegmentId and WfstitnId
    the same for display models. BaseModelLocale=en-US lists speech models; DisplayLocale=en-US with
    FullDisplay, or some of Punct, Rescore, Resegment and Wfstitn, brings the newest display models.
    """
    from appliance.cli.speech_catalogue import Wanted, at_place, available, download_models, print_models
    from appliance.config.command_line import display_types, is_display_word

    chosen = tuple(word for word in words if is_display_word(word))
    installation = _read(tuple(word for word in words if not is_display_word(word)), roots)
    settings = replace(
        installation.settings, display_types=display_types(chosen), service=SERVICES["speechtotext"]
    )
    installation = replace(installation, settings=at_place(settings))
    settings.require_eula()
    wanted = Wanted.of(settings)
    if not wanted:
        raise SettingsError(
            "no model is named", hint="add ModelId=LINE, or BaseModelLocale=en-US to list what there is"
        )
    if wanted.query and as_json:
        print_json([_offer_object(kind, offer) for kind, offer in available(installation, wanted)])
    elif wanted.query:
        print_models(installation, wanted)
    else:
        packages = download_models(installation, wanted)
        if as_json:
            print_json({"packages": [str(package) for package in packages]})
        else:
            click.echo("\n".join(map(str, packages)))


def _offer_object(kind: str, offer: "Offer") -> dict[str, Any]:
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


@models_group.command("remove", epilog=example("appliance models remove loans/v1 --yes"))
@click.argument("model")
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_argument
def remove_command(model: str, yes: bool, words: tuple[str, ...]) -> None:
    """Delete a model from the library, for good.

    MODEL is PROJECT/NAME, as `appliance models list` names it. A running service keeps it until its next
    start.
    """
    from appliance.registry.registry import ModelRegistry

    registry = ModelRegistry.of(_read(words).settings)
    entry = registry.find(model)
    if not yes:
        click.confirm(f"Delete {entry.path} for good?", abort=True, err=True)
    registry.remove(entry)
    click.echo(f"removed {model}; a running service goes on with it until its next start")


@models_group.command("test", epilog=example("appliance models test loans/v1 Models:Path=models"))
@click.argument("model")
@click.option(
    "--labelled",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Score it on this CoNLL or JSONL file; not for encrypted packages.",
)
@roots_option
@json_option
@settings_argument
def test_command(
    model: str, labelled: Path | None, roots: Path | None, as_json: bool, words: tuple[str, ...]
) -> None:
    """Try a model on one built-in sentence, or score it on a labelled file.

    MODEL is PROJECT/NAME of the library, or a folder. Your own sentences go to the running service, which
    counts them.
    """
    from appliance.registry.smoke_test import try_folder, try_here

    folder, plain = _open_folder(model, _read(words, roots))
    if labelled is None:
        outcome = try_folder(folder.path) if plain else try_here(folder)
        if as_json:
            print_json(_outcome_object(outcome))
        else:
            _print_outcome(outcome)
        return
    if not plain:
        raise ModelError(
            "an encrypted package cannot be scored here: only the service answers from it, and counts them",
            hint="ask the running service for the texts of the file, and compare",
        )
    from appliance.training.report import evaluation_object, score_lines
    from appliance.training.run import examine

    scores, run = examine(folder, read_file(labelled))
    if as_json:
        report = {
            "tokensPerSecond": round(run.tokens / max(run.seconds, 1e-9)),
            **evaluation_object(scores, []),
        }
        print_json(report)
        return
    for line in score_lines(scores):
        click.echo(line)
    click.echo(f"{run.tokens / max(run.seconds, 1e-9):.0f} tokens a second, one session")


@models_group.command(
    "quantize", epilog=example("appliance models quantize exported/ --out small/ --labelled test.conll")
)
@click.argument("source", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for the 8-bit model.")
@click.option(
    "--labelled",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="CoNLL or JSONL file to measure both on.",
)
@json_option
def quantize_command(source: Path, out: Path, labelled: Path, as_json: bool) -> None:
    """Write an 8-bit copy that answers the same whatever shares its batch; F1 before and after.

    Its answers do not depend on the batch. If it loses more than half a point of F1, nothing is written.
    """
    from appliance.onnx_tools.quantization import TOLERATED
    from appliance.registry.quantize import quantize

    result = quantize(source, out, read_file(labelled), tell=lambda step: click.echo(f"{step} …", err=True))
    sides = (("float32", result.before), ("8 bits", result.after))
    if as_json:
        measured = {
            name: {"f1": side.scores.micro.f1, "bytes": side.bytes, "tokensPerSecond": round(side.speed)}
            for name, side in sides
        }
        report = {**measured, "loss": result.loss, "written": str(out) if result.kept else None}
        print_json(report)
    for name, side in () if as_json else sides:
        click.echo(
            f"{name:8} F1 {100 * side.scores.micro.f1:6.2f}  {side.bytes / 1e6:7.1f} MB"
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
