"""Which models a service has: where they lie under its mounts, and how they are named for callers.

    Mounts:Model=FOLDER                     one model, as ProjectName/DeploymentName
    Models:Path=MOUNT (or /modelPath)       MOUNT                    a model, as ProjectName/DeploymentName
                                            MOUNT/name               as ProjectName/name
                                            MOUNT/project/name       as project/name
    ProjectName=P ExportedModelName=E       only MOUNT/P/E or MOUNT/E, as P/E and as P/DeploymentName
    none of them                            the bundled model that Models:General names, as
                                            ProjectName/DeploymentName

The first one answers prebuilt requests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.settings import Settings
from appliance.errors import ModelError

_FOLDERS: Final = Path(__file__).parents[1] / "bundled"
GENERAL: Final = {"multi": _FOLDERS / "ner-multi", "en": _FOLDERS / "ner-en"}
"""General models, which are bundled, by what `Models:General` calls them."""
CONTAINER_MOUNT: Final = Path("/modelPath")
_SIGNS: Final = ("model.onnx", "model.json", "config.json", "tokenizer.json", "tokens.txt")
_PACKAGES: Final = ("*.age", "*.model.note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a model lies, and the names it is to be served under."""

    project: str
    names: tuple[str, ...]
    path: Path


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
                f"{mount} has no model folder in it",
                hint="put models at PROJECT/DEPLOYMENT below it, see docs/models.md",
            )
        found += below
    return found or [Place(project=project, names=(name,), path=GENERAL[settings.general_model])]


def models_below(settings: Settings) -> list[Place]:
    """Return the models below `Models:Path`, which a speech service has besides its first one.

    Raises:
        ModelError: The mount is missing.
    """
    if settings.models_path is None:
        return []
    return list(_below(settings.models_path, project=settings.project_name, name=settings.models_path.name))


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
