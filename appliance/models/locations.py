"""Which models a service has: found under its mounts, loaded one by one, and named for callers.

    Mounts:Model=FOLDER                     one model, as ProjectName/DeploymentName
    Models:Path=MOUNT (or /modelPath)       MOUNT                    a model itself, likewise
                                            MOUNT/name               as ProjectName/name
                                            MOUNT/project/name       as project/name
    ProjectName=P ExportedModelName=E       only MOUNT/P/E or MOUNT/E, as P/E and as P/DeploymentName
    none of them                            the bundled model, as ProjectName/DeploymentName

The first one answers prebuilt requests. One that cannot be loaded does not keep the others from serving.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.setting_parsers import is_name
from appliance.config.settings import Settings
from appliance.errors import ModelError
from appliance.ner.engine import NerEngine
from appliance.pipeline.deployments import Deployment, FailedDeployment
from license.errors import LicenseError

_log = logging.getLogger("appliance.models")

BUNDLED: Final = Path(__file__).parents[1] / "bundled" / "ner-en"
CONTAINER_MOUNT: Final = Path("/modelPath")
_SIGNS: Final = ("model.onnx", "model.json", "config.json", "tokenizer.json")
_PACKAGES: Final = ("*.age", "*.model.note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a model lies, and the names it is to be served under."""

    project: str
    names: tuple[str, ...]
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be loaded and what could not."""

    deployments: tuple[Deployment, ...]
    failed: tuple[FailedDeployment, ...]
    engines: tuple[NerEngine, ...]


def find_models(settings: Settings, *, container_mount: Path = CONTAINER_MOUNT) -> list[Place]:
    """Return where the models of this service are; the first is the default.

    Args:
        settings: Start parameters.
        container_mount: Looked at where no setting names a place.

    Raises:
        ModelError: A mount that a setting names is missing or holds no model.
    """
    project, name = settings.project_name, settings.deployment_name
    found = []
    if settings.model_mount is not None:
        found.append(Place(project=project, names=(name,), path=settings.model_mount))
    mount = settings.models_path
    if mount is None and not found and container_mount.is_dir() and any(container_mount.iterdir()):
        mount = container_mount
    if settings.exported_model_name:
        found.insert(0, _exported(settings, mount or container_mount))
    elif mount is not None:
        below = list(_below(mount, project=project, name=name))
        if not below and settings.models_path is not None:
            raise ModelError(
                f"{mount} holds no model folder",
                hint="put models at PROJECT/DEPLOYMENT below it, see docs/models.md",
            )
        found += below
    return found or [Place(project=project, names=(name,), path=BUNDLED)]


def load_models(places: Sequence[Place], load: Callable[[Path], NerEngine]) -> Loaded:
    """Load models one after the other; blocks.

    Args:
        places: Where they are.
        load: Loads one.

    Raises:
        ModelError, LicenseError: Not a single one can be served; the error is that of the first.
    """
    deployments: dict[tuple[str, str], Deployment] = {}
    failed: list[FailedDeployment] = []
    engines: list[NerEngine] = []
    errors: list[ModelError | LicenseError] = []
    for place in places:
        try:
            _check_names(place, deployments)
            engine = load(place.path)
        except (ModelError, LicenseError) as error:
            _log.error("model %s/%s in %s: %s", place.project, place.names[0], place.path, error.message)
            errors.append(error)
            failed += [
                FailedDeployment(project=place.project, name=name, reason=error.message, hint=error.hint)
                for name in place.names
            ]
            continue
        engines.append(engine)
        for name in place.names:
            deployments[place.project, name] = _deployment(place.project, name, engine)
        _log.info(
            "model %s %s is loaded as %s/%s",
            engine.folder.name,
            engine.folder.release,
            place.project,
            " and ".join(place.names),
        )
    if errors and not deployments:
        raise errors[0]
    return Loaded(deployments=tuple(deployments.values()), failed=tuple(failed), engines=tuple(engines))


def _deployment(project: str, name: str, engine: NerEngine) -> Deployment:
    folder = engine.folder
    return Deployment(
        project=project,
        name=name,
        model=folder.name,
        release=folder.release,
        recognizer=engine,
        language=folder.language,
        description=folder.description,
        categories=folder.categories,
    )


def _check_names(place: Place, taken: dict[tuple[str, str], Deployment]) -> None:
    for name in (place.project, *place.names):
        if not is_name(name):
            raise ModelError(
                f"the folder name {name[:60]!r} cannot be a project or deployment",
                hint="use 1 to 50 letters, digits, '_', '.' or '-'",
            )
    for name in place.names:
        if (place.project, name) in taken:
            raise ModelError(f"{place.project}/{name} is served from another folder already")


def _exported(settings: Settings, mount: Path) -> Place:
    """Find the one model that the container's two parameters name."""
    project, name = settings.project_name, settings.exported_model_name
    candidates = [mount / project / name, mount / name, mount]
    for path in candidates:
        if _looks_like_model(path):
            names = tuple(dict.fromkeys((name, settings.deployment_name)))
            return Place(project=project, names=names, path=path)
    looked = ", ".join(str(path) for path in candidates)
    raise ModelError(
        f"no model was found for projectName={project} exportedModelName={name}; looked in {looked}",
        hint="put the files of the exported model there, or name the mount with Models:Path",
    )


def _below(mount: Path, *, project: str, name: str) -> Iterator[Place]:
    if _looks_like_model(mount):
        yield Place(project=project, names=(name,), path=mount)
        return
    if not mount.is_dir():
        raise ModelError(f"the model mount {mount} is not a directory", hint="check Models:Path")
    for outer in _folders(mount):
        if _looks_like_model(outer):
            yield Place(project=project, names=(outer.name,), path=outer)
            continue
        for inner in _folders(outer):
            if _looks_like_model(inner):
                yield Place(project=outer.name, names=(inner.name,), path=inner)


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _looks_like_model(path: Path) -> bool:
    return path.is_dir() and (
        any((path / name).exists() for name in _SIGNS)
        or any(next(path.glob(pattern), None) is not None for pattern in _PACKAGES)
    )
