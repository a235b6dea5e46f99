"""The models of this installation: `PROJECT/NAME` below the folder that `Models:Path` names."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.config.setting_parsers import is_name
from appliance.config.settings import Settings
from appliance.errors import ModelError, SettingsError
from appliance.host.filesystem import remove_tree
from appliance.models.folder_reader import MANIFEST
from appliance.models.locations import CONTAINER_MOUNT
from appliance.ner.model_folder import CONFIG, MODEL, TOKENIZER, ModelFolder
from license.files import sync_directory, write_atomic

_HASHED: Final = (MODEL, TOKENIZER, CONFIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """One place of the library: names, and the folder there."""

    project: str
    name: str
    path: Path


class ModelRegistry:
    """A folder of models.

    Args:
        root: What `Models:Path` names.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of(cls, settings: Settings) -> "ModelRegistry":
        """Return the library that the settings name.

        Raises:
            SettingsError: They name none, and there is no `/modelPath`.
        """
        if settings.models_path is not None:
            return cls(settings.models_path)
        if CONTAINER_MOUNT.is_dir():
            return cls(CONTAINER_MOUNT)
        raise SettingsError(
            "Models:Path is missing: it names the folder that keeps this installation's models.",
            hint="add Models:Path=/var/lib/appliance/models, and give the service the same setting",
        )

    def shelves(self) -> list[RegistryEntry]:
        """Return what lies in it, by name."""
        if not self.root.is_dir():
            return []
        return [
            RegistryEntry(project=project.name, name=path.name, path=path)
            for project in sorted(self.root.iterdir())
            if project.is_dir() and is_name(project.name) and not project.name.startswith(".")
            for path in sorted(project.iterdir())
            if path.is_dir() and is_name(path.name) and not path.name.startswith(".")
        ]

    def find(self, named: str) -> RegistryEntry:
        """Return the shelf called `PROJECT/NAME`.

        Raises:
            ModelError: There is none.
        """
        for shelf in self.shelves():
            if f"{shelf.project}/{shelf.name}" == named:
                return shelf
        raise ModelError(
            f"there is no model {named[:110]!r} in {self.root}", hint="`appliance models list` names them"
        )

    def place(self, project: str, name: str) -> Path:
        """Return where a model of these names belongs.

        Raises:
            ModelError: A name cannot be one.
        """
        for one in (project, name):
            if not is_name(one) or one.startswith("."):
                raise ModelError(
                    f"{one[:60]!r} cannot name a project or a model",
                    hint="use 1 to 50 letters, digits, '_', '.' or '-'",
                )
        return self.root / project / name

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """Give an empty folder on the library's disk; what is not put on a shelf disappears."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self.root))
        except OSError as error:
            raise ModelError(f"cannot write to {self.root}: {error.strerror}") from error
        try:
            folder.chmod(0o755)
            yield folder
        finally:
            remove_tree(folder)

    def put(self, staged: Path, project: str, name: str, *, replace: bool = False) -> RegistryEntry:
        """Move a staged folder to its shelf; whoever looks sees the old model or the new one.

        Raises:
            ModelError: There is a model of that name already, or the disk refuses.
        """
        target = self.place(project, name)
        if target.exists() and not replace:
            raise ModelError(
                f"{project}/{name} is there already", hint="choose another --name, or say --replace"
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            for path in staged.iterdir():
                _sync(path)
            if target.exists():
                aside = Path(tempfile.mkdtemp(prefix=".outgoing-", dir=self.root))
                target.rename(aside / name)
                staged.rename(target)
                remove_tree(aside)
            else:
                staged.rename(target)
            sync_directory(target.parent)
        except OSError as error:
            raise ModelError(f"cannot put the model into {target}: {error.strerror}") from error
        return RegistryEntry(project=project, name=name, path=target)

    def remove(self, shelf: RegistryEntry) -> None:
        """Remove a model, and its project's folder with the last one."""
        aside = Path(tempfile.mkdtemp(prefix=".outgoing-", dir=self.root))
        try:
            shelf.path.rename(aside / shelf.name)
            if not any(shelf.path.parent.iterdir()):
                shelf.path.parent.rmdir()
        except OSError as error:
            raise ModelError(f"cannot remove {shelf.path}: {error.strerror}") from error
        finally:
            remove_tree(aside)


def describe(folder: ModelFolder, **changes: Any) -> dict[str, Any]:
    """Return `model.json` of a checked folder; `changes` replace or add fields."""
    described: dict[str, Any] = {
        "format": 1,
        "task": "ner",
        "name": folder.name,
        "line": folder.line,
        "release": folder.release,
        "language": folder.language,
        "description": folder.description,
        "weights_license": folder.weights_license,
        "meters": list(folder.meters),
        "inputs": {"token_type_ids": "case-class" if folder.case_classes else "zeros"},
        "decoding": {"scheme": folder.scheme, "aggregation": "first"},
        "limits": {"window_tokens": folder.window_tokens, "overlap_tokens": folder.overlap_tokens},
        "batch_invariant": folder.batch_invariant,
        "files": dict(folder.digests),
    }
    return described | changes


def write_manifest(path: Path, described: dict[str, Any]) -> None:
    """Write `model.json` into a folder, with the SHA-256 of the files that lie there now."""
    files = {name: digest(path / name) for name in _HASHED}
    text = json.dumps({**described, "files": files}, indent=2, ensure_ascii=False) + "\n"
    write_atomic(path / MANIFEST, text.encode(), mode=0o644)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


Progress = Callable[[str], None]
