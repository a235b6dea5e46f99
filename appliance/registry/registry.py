"""The models of this installation: `PROJECT/NAME` below the folder that `Models:Path` names."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.config.setting_parsers import is_name
from appliance.config.settings import Settings
from appliance.errors import ModelError, SettingsError
from appliance.host.filesystem import remove_tree
from appliance.models.locations import CONTAINER_MOUNT
from license.files import quoted, sync_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """A model of the registry: its names, and its folder."""

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
        """Return the registry that the settings name.

        Raises:
            SettingsError: They name none, and there is no `/modelPath`.
        """
        found = cls.named(settings)
        if found is not None:
            return found
        raise SettingsError(
            "Models:Path is missing: it names the folder that keeps this installation's models.",
            hint="add Models:Path=/var/lib/appliance/models, and give the service the same setting",
        )

    @classmethod
    def named(cls, settings: Settings) -> "ModelRegistry | None":
        """Return the same, or None where there is none."""
        if settings.models_path is not None:
            return cls(settings.models_path)
        return cls(CONTAINER_MOUNT) if CONTAINER_MOUNT.is_dir() else None

    def entries(self) -> list[RegistryEntry]:
        """Return the models, by name.

        Raises:
            ModelError: The folder is missing, or cannot be looked into.
        """
        try:
            return self._look()
        except NotADirectoryError as error:
            raise ModelError(f"{self.root} is not a folder", hint="Models:Path names a folder") from error
        except FileNotFoundError as error:
            raise ModelError(
                f"there is no folder {self.root}",
                hint="check Models:Path; `appliance models add` makes the folder with its first model",
            ) from error
        except OSError as error:
            raise ModelError(
                f"cannot look into {error.filename}: {error.strerror}",
                hint=f"sudo namei -l {quoted(Path(error.filename))} shows who may",
            ) from error

    def _look(self) -> list[RegistryEntry]:
        return [
            RegistryEntry(project=project.name, name=path.name, path=path)
            for project in sorted(self.root.iterdir())
            if project.is_dir() and is_name(project.name) and not project.name.startswith(".")
            for path in sorted(project.iterdir())
            if path.is_dir() and is_name(path.name) and not path.name.startswith(".")
        ]

    def find(self, title: str) -> RegistryEntry:
        """Return the model called `PROJECT/NAME`.

        Raises:
            ModelError: There is none.
        """
        for entry in self.entries():
            if f"{entry.project}/{entry.name}" == title:
                return entry
        raise ModelError(
            f"there is no model {title[:110]!r} in {self.root}", hint="`appliance models list` names them"
        )

    def place(self, project: str, name: str) -> Path:
        """Return where a model of these names belongs.

        Raises:
            ModelError: A name cannot be one.
        """
        for part in (project, name):
            if not is_name(part) or part.startswith("."):
                raise ModelError(
                    f"{part[:60]!r} cannot name a project or a model",
                    hint="use 1 to 50 letters, digits, '_', '.' or '-'",
                )
        return self.root / project / name

    def vacant(self, project: str, name: str, *, replace: bool) -> Path:
        """Return where a model of these names belongs, if none is there or it may be replaced.

        Raises:
            ModelError: A name cannot be one, or a model has it already.
        """
        target = self.place(project, name)
        if target.exists() and not replace:
            raise ModelError(
                f"{project}/{name} is there already", hint="choose another --name, or say --replace"
            )
        return target

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """Give an empty folder on the registry's disk; what is not put into place disappears."""
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
        """Move a staged folder into its place; whoever looks sees the old model or the new one.

        Raises:
            ModelError: There is a model of that name already, or the disk refuses.
        """
        target = self.vacant(project, name, replace=replace)
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

    def remove(self, entry: RegistryEntry) -> None:
        """Remove a model, and its project's folder with the last one."""
        try:
            aside = Path(tempfile.mkdtemp(prefix=".outgoing-", dir=self.root))
        except OSError as error:
            raise ModelError(f"cannot write to {self.root}: {error.strerror}") from error
        try:
            entry.path.rename(aside / entry.name)
            if not any(entry.path.parent.iterdir()):
                entry.path.parent.rmdir()
        except OSError as error:
            raise ModelError(f"cannot remove {entry.path}: {error.strerror}") from error
        finally:
            remove_tree(aside)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
