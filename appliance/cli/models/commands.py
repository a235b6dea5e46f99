"""`appliance models …`: options in, one call, text out."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.models.opening import keys_of, opened, opened_plain, read_installation
from appliance.cli.models.text import (
    added_object,
    folder_object,
    offer_object,
    outcome_object,
    print_added,
    print_folder,
    print_outcome,
)
from appliance.cli.options import (
    LABELLED,
    example,
    json_option,
    print_json,
    roots_option,
    settings_argument,
)
from appliance.config.products import SERVICES
from appliance.errors import ModelError, SettingsError
from license.console.group import Lazy
from license.console.outputs import OutputFolder

if TYPE_CHECKING:
    from appliance.ner.model_folder import ModelFolder
    from appliance.registry.registry import RegistryEntry


@click.group(
    "models",
    cls=ErrorHandlingGroup,
    lazy={
        "compare": Lazy(
            "appliance.cli.models.compare",
            "compare_command",
            "Compare two models on labelled files: before `models add --replace`, say.",
        ),
        "thresholds": Lazy(
            "appliance.cli.models.thresholds",
            "thresholds_command",
            "Leave out what a model finds with less confidence: for each category, or for all.",
        ),
    },
    epilog=example("appliance models list Models:Path=/var/lib/appliance/models"),
)
def models_group() -> None:
    """Add, list, test, compare, quantize and remove models; all without network.

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
@click.option(
    "--labels", default="", help="Names of its labels in order: O,B-Person,I-Person,… or a file of them."
)
@roots_option
@json_option
@settings_argument
def add_command(
    source: Path,
    project: str,
    name: str,
    replace: bool,
    labels: str,
    roots: Path | None,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Check a model, try it on one sentence, record its digests and install it.

    SOURCE is a folder as Optimum or transformers export it for token classification, a folder of this
    software, a ZIP archive of either, or an encrypted package (.age).
    """
    from appliance.registry.add import add, add_package, is_package
    from appliance.registry.label_names import read_label_names
    from appliance.registry.registry import ModelRegistry

    installation = read_installation(words, roots)
    registry = ModelRegistry.of(installation.settings)
    project = project or installation.settings.project_name
    name = name or _name_of(source)
    names = read_label_names(labels) if labels else ()
    if is_package(source):
        if labels:
            raise ModelError("the labels of an encrypted package have their names", hint="leave --labels out")
        added = add_package(
            source, registry, keys_of(installation), project=project, name=name, replace=replace
        )
    else:
        added = add(source, registry, project=project, name=name, replace=replace, labels=names)
    if as_json:
        print_json(added_object(added))
    else:
        print_added(added, registry)


def _name_of(source: Path) -> str:
    name = source.resolve().name
    for suffix in (".zip", ".age", ".model.note"):
        name = name.removesuffix(suffix)
    return name


@models_group.command(
    "list", epilog=example("appliance models list Models:Path=/var/lib/appliance/models --json")
)
@json_option
@settings_argument
def list_command(as_json: bool, words: tuple[str, ...]) -> None:
    """List the installed models, and what is wrong with those that cannot be served."""
    from appliance.registry.registry import ModelRegistry

    registry = ModelRegistry.of(read_installation(words).settings)
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


@models_group.command(
    "show", epilog=example("appliance models show loans/v1 Models:Path=/var/lib/appliance/models")
)
@click.argument("model")
@roots_option
@json_option
@settings_argument
def show_command(model: str, roots: Path | None, as_json: bool, words: tuple[str, ...]) -> None:
    """Show what a model says about itself."""
    with opened(model, read_installation(words, roots)) as (folder, _):
        if as_json:
            print_json(folder_object(model, folder))
            return
        click.echo(model)
        print_folder(folder)
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
    from appliance.cli.models.speech_catalogue import (
        Wanted,
        at_place,
        available,
        download_models,
        print_models,
    )
    from appliance.config.command_line import display_types, is_display_word

    chosen = tuple(word for word in words if is_display_word(word))
    installation = read_installation(tuple(word for word in words if not is_display_word(word)), roots)
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
        print_json([offer_object(kind, offer) for kind, offer in available(installation, wanted)])
    elif wanted.query:
        print_models(installation, wanted)
    else:
        packages = download_models(installation, wanted)
        if as_json:
            print_json({"packages": [str(package) for package in packages]})
        else:
            click.echo("\n".join(map(str, packages)))


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

    registry = ModelRegistry.of(read_installation(words).settings)
    entry = registry.find(model)
    if not yes:
        click.confirm(f"Delete {entry.path} for good?", abort=True, err=True)
    registry.remove(entry)
    click.echo(f"removed {model}; a running service goes on with it until its next start")


@models_group.command("test", epilog=example("appliance models test loans/v1 Models:Path=models"))
@click.argument("model")
@click.option(
    "--labelled",
    type=LABELLED,
    help="Score it on these labelled files, of any format; not for encrypted packages.",
)
@roots_option
@json_option
@settings_argument
def test_command(
    model: str, labelled: Path | None, roots: Path | None, as_json: bool, words: tuple[str, ...]
) -> None:
    """Try a model on one built-in sentence, or score it on a labelled file, with its mistakes.

    MODEL is PROJECT/NAME of the library, or what `models add` takes. Your own sentences go to the running
    service, which counts them.
    """
    installation = read_installation(words, roots)
    if labelled is not None:
        with opened_plain(model, installation) as folder:
            _score(folder, labelled, as_json=as_json)
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


def _score(folder: "ModelFolder", labelled: Path, *, as_json: bool) -> None:
    from appliance.cli.dataset.label_reading import read_documents
    from appliance.training.evaluation.examine import examine, trimmed
    from appliance.training.evaluation.report import evaluation_object, score_lines, worst, wrong_lines

    documents = trimmed(read_documents(labelled))
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


@models_group.command(
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
@json_option
def quantize_command(source: Path, out: Path, labelled: Path, as_json: bool) -> None:
    """Write an 8-bit copy that answers the same whatever shares its batch; F1 before and after.

    Its answers do not depend on the batch. If it loses more than half a point of F1, nothing is written.
    """
    from appliance.cli.dataset.label_reading import read_documents
    from appliance.onnx_tools.quantization import TOLERATED
    from appliance.registry.open_source import open_source
    from appliance.registry.quantize import quantize

    documents = read_documents(labelled)
    with open_source(source) as folder:
        result = quantize(folder, out, documents, tell=lambda step: click.echo(f"{step} …", err=True))
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
