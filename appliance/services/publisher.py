"""Deployed models, put below `Models:Path` where every replica looks for them."""

import shutil
from collections.abc import Collection
from pathlib import Path

from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.registry.registry import ModelRegistry


class RegistryPublisher:
    """Copies into a registry, in one step each: whoever looks sees the old model or the new one.

    Args:
        registry: The folder of models that replicas share.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    @classmethod
    def of(cls, settings: Settings) -> "RegistryPublisher | None":
        """Return the publisher that the settings ask for.

        Raises:
            SettingsError: They name no place.
        """
        if not settings.authoring_publish:
            return None
        if settings.models_path is None:
            raise SettingsError(
                "Authoring:Publish=True needs Models:Path: the directory that the other replicas read",
                hint="add Models:Path=DIRECTORY, and give the other replicas the same",
            )
        return cls(ModelRegistry(settings.models_path))

    def put(self, folder: Path, project: str, name: str, private: Collection[str]) -> None:
        """Copy a model folder there, but for some files, in the place of one of that name.

        Raises:
            ModelError: It cannot be put there.
        """
        self._registry.vacant(project, name, replace=True)
        with self._registry.stage() as staged:
            for path in folder.iterdir():
                if path.is_file() and path.name not in private:
                    shutil.copyfile(path, staged / path.name)
            self._registry.put(staged, project, name, replace=True)

    def remove(self, project: str, name: str) -> None:
        """Take a model away. No error if it is not there.

        Raises:
            ModelError: It cannot be taken away.
        """
        place = self._registry.place(project, name)
        if place.exists():
            self._registry.remove(self._registry.find(f"{project}/{name}"))
