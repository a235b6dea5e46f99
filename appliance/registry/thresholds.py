"""`appliance models thresholds`: the confidence that answers of an installed model must reach."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from appliance.datasets.components.components import Components, is_share
from appliance.errors import ModelError
from appliance.models.files import OnDisk
from appliance.models.folder_reader import MANIFEST, MAX_MANIFEST_BYTES, read_json
from appliance.models.packages import find_packages
from appliance.ner.decoding import category_of
from appliance.ner.manifest import write_components, write_manifest
from appliance.ner.model_folder import COMPONENTS, ModelFolder
from appliance.registry.registry import ModelRegistry, RegistryEntry
from license.console.suggestions import closest
from license.files import require_room

_LOOK: Final = "`appliance models show` lists the categories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of the thresholds.

    Attributes:
        clear: Whether those that are there are dropped first.
        every: For categories without one of their own, 0…1; None to leave it as it is.
        categories: For single categories, 0…1.
    """

    clear: bool = False
    every: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return self.clear or self.every is not None or bool(self.categories)

    def of(self, components: Components) -> Components:
        """Return components with these thresholds."""
        own = {} if self.clear else dict(components.thresholds)
        every = 0.0 if self.clear else components.threshold
        return replace(
            components,
            threshold=every if self.every is None else self.every,
            thresholds=tuple(sorted({**own, **self.categories}.items())),
        )


def set_thresholds(registry: ModelRegistry, entry: RegistryEntry, change: Change) -> ModelFolder:
    """Give an installed model other thresholds, in one step; return it as it is served from now on.

    Raises:
        ModelError: It is an encrypted package or cannot be opened, its network does not find a category, or
            a threshold is no number from 0 to 1. Nothing was changed.
        NoRoom: The disk is too full for a second copy.
    """
    if find_packages(entry.path):
        raise ModelError(
            "an encrypted package cannot be changed",
            hint="ask the vendor for a package with other thresholds, or compare confidenceScore yourself",
        )
    folder = ModelFolder.open(entry.path)
    _check(folder, change)
    components = change.of(folder.components)
    with registry.stage() as staged:
        files = [path for path in entry.path.iterdir() if path.is_file()]
        require_room(registry.root, sum(path.stat().st_size for path in files), "a copy of the model")
        for path in files:
            shutil.copy2(path, staged / path.name)
        manifest = read_json(OnDisk(staged), MANIFEST, MAX_MANIFEST_BYTES)
        named = {name: digest for name, digest in manifest["files"].items() if name != COMPONENTS}
        (staged / COMPONENTS).unlink(missing_ok=True)
        write_manifest(staged, write_components(staged, components, {**manifest, "files": named}))
        ModelFolder.open(staged)
        registry.put(staged, entry.project, entry.name, replace=True)
    return ModelFolder.open(entry.path)


def _check(folder: ModelFolder, change: Change) -> None:
    found = sorted({category_of(label, folder.scheme) for label in folder.labels} - {""})
    for name in change.categories:
        if name not in found:
            guess = closest(name, found)
            raise ModelError(
                f"the network of this model finds no category {name[:60]!r}",
                hint=f"did you mean {guess}? {_LOOK}" if guess else _LOOK,
            )
    for name, share in (("--all", change.every), *change.categories.items()):
        if share is not None and not is_share(share):
            raise ModelError(f"the threshold of {name[:60]} is {share}", hint="write a number from 0 to 1")
