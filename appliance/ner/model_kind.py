"""The kind "text model": the tasks of its manifest, and how folders and packages are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.models.packages import Kind, ModelKeys, open_any, unpack
from appliance.ner.model_folder import ModelFolder

if TYPE_CHECKING:
    from license.models.manifest import Manifest
    from license.models.package_files import PackageFiles

NER: Final[Kind[ModelFolder]] = Kind(
    tasks=("ner",),
    folder=ModelFolder.open,
    files=lambda content, path, line, release: ModelFolder.from_files(
        content, path=path, line=line, release=release
    ),
)


def open_model(path: Path, keys: ModelKeys) -> ModelFolder:
    """Return the text model that a path names, checked and ready to be loaded; see `open_any`."""
    return open_any(path, keys, NER)


def open_release(files: "PackageFiles", manifest: "Manifest", keys: ModelKeys) -> ModelFolder:
    """Decrypt one package of a text model in memory and check what is inside; see `unpack`."""
    return unpack(files, manifest, keys, NER)
