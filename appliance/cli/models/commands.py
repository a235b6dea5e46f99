"""`appliance models …`: options in, one call, text out."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.cli.errors import ErrorHandlingGroup
from appliance.cli.models.opening import keys_of, opened, read_installation
from appliance.cli.models.text import (
    added_object,
    folder_object,
    language_words,
    offer_object,
    print_added,
    print_folder,
)
from appliance.cli.options import (
    example,
    json_option,
    print_json,
    roots_option,
    settings_argument,
)
from appliance.config.products import CUSTOM_NER, SERVICES
from appliance.errors import ModelError, SettingsError
from license.console.group import Lazy

if TYPE_CHECKING:
    from appliance.registry.registry import RegistryEntry


@click.group(
    "models",
    cls=ErrorHandlingGroup,
    lazy={
        "card": Lazy(
            "appliance.cli.models.card",
            "card_command",
            "Show the card of a model of the library, or keep a comparison with it.",
        ),
        "compare": Lazy(
            "appliance.cli.models.compare",
            "compare_command",
            "Compare two models on labelled files: before `models add --replace`, say.",
        ),
        "quantize": Lazy(
            "appliance.cli.models.quantize",
            "quantize_command",
            "Write an 8-bit copy that answers the same whatever shares its batch; F1 before and after.",
        ),
        "test": Lazy(
            "appliance.cli.models.test",
            "test_command",
            "Try a model on one built-in sentence, or score it on a labelled file, with its mistakes.",
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
    """List the installed models, and what is wrong with those that cannot be served.

    Without Models:Path it is the model that answers then.
    """
    from appliance.models.locations import find_models
    from appliance.registry.registry import ModelRegistry, RegistryEntry

    settings = read_installation(words).settings
    registry = ModelRegistry.named(settings) if settings.service is CUSTOM_NER else ModelRegistry.of(settings)
    if registry is None:
        places = find_models(settings)
        entries = [RegistryEntry(project=one.project, name=one.names[0], path=one.path) for one in places]
    else:
        entries = registry.entries()
    rows = [_row(entry) for entry in entries]
    if as_json:
        print_json({"path": None if registry is None else str(registry.root), "models": rows})
        return
    if registry is None:
        click.echo("Models:Path is not set. Without it this model answers:")
    elif not rows:
        click.echo(f"no models in {registry.root}")
    for row in rows:
        click.echo(f"{row['project']}/{row['name']}  {_state(row)}")


def _state(row: dict[str, Any]) -> str:
    if "error" in row:
        return str(row["error"])
    languages = [language_words(row["languages"])] if "languages" in row else []
    return "; ".join([row["kind"], *languages, ", ".join(row["categories"]) or "categories unknown"])


def _row(entry: "RegistryEntry") -> dict[str, Any]:
    from appliance.errors import ModelError
    from appliance.models.files import OnDisk
    from appliance.models.folder_reader import read_facts
    from appliance.models.packages import find_packages
    from appliance.ner.model_folder import MODEL, ModelFolder

    row: dict[str, Any] = {"project": entry.project, "name": entry.name}
    if find_packages(entry.path):
        return {**row, "kind": "encrypted package", "categories": []}
    try:
        folder = ModelFolder.open(entry.path)
        facts = read_facts(OnDisk(entry.path), MODEL)
    except ModelError as error:
        return {**row, "kind": "refused", "error": f"cannot be served: {error.message}"}
    kind = "8-bit" if facts.eight_bit else "float"
    size = sum(path.stat().st_size for path in entry.path.iterdir() if path.is_file())
    return {
        **row,
        "kind": f"{kind} {size / 1e6:.1f} MB",
        "model": folder.name,
        "release": folder.release,
        "languages": list(folder.made_for),
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
    from appliance.cli.models.speech_catalogue import available, download_models, print_models
    from appliance.cli.models.speech_choice import Wanted, at_place
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
