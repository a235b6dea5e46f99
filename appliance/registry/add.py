"""`appliance models add`: import a model, check it, try it, record what it is, put it where it is served."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.models.folder_reader import MANIFEST
from appliance.models.packages import ModelKeys, find_packages
from appliance.ner.manifest import describe, write_manifest
from appliance.ner.model_folder import ModelFolder
from appliance.ner.model_kind import NER, open_release
from appliance.registry.importer import import_model
from appliance.registry.label_names import check_label_names, rename_labels
from appliance.registry.registry import ModelRegistry, RegistryEntry
from appliance.registry.smoke_test import Outcome, try_folder, try_here
from license.files import require_room
from license.models.package_files import MANIFEST_SUFFIX, PACKAGE_SUFFIX, PackageFiles

_PACKAGES: Final = (PACKAGE_SUFFIX, MANIFEST_SUFFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A model that was added.

    Attributes:
        entry: Where it lies.
        folder: What it says about itself.
        outcome: What it answered to one sentence.
        left_out: Files of the source that do not belong in a model folder.
    """

    entry: RegistryEntry
    folder: ModelFolder
    outcome: Outcome
    left_out: tuple[str, ...] = ()


def is_package(source: Path) -> bool:
    """Whether a path names an encrypted package, or a folder of nothing else."""
    if source.is_dir():
        return bool(find_packages(source)) and not (source / MANIFEST).exists()
    return source.name.endswith(_PACKAGES)


def add(
    source: Path,
    registry: ModelRegistry,
    *,
    project: str,
    name: str,
    replace: bool = False,
    labels: Sequence[str] = (),
) -> Added:
    """Take in a folder or a ZIP archive of one.

    Args:
        source: The folder or the archive.
        registry: Where it is put.
        project: `projectName` of callers.
        name: `deploymentName` of callers.
        replace: Whether it may take the place of a model of that name.
        labels: Names of the model's labels, in order, where its own are not to be taken.

    Raises:
        ModelError: It is refused; nothing was changed.
        NoRoom: The disk is too full for it.
    """
    registry.vacant(project, name, replace=replace)
    with registry.stage() as staged:
        imported = import_model(source, staged)
        if labels:
            rename_labels(staged, labels)
        folder = ModelFolder.open(staged)
        if not labels:
            check_label_names(folder.labels)
        outcome = try_folder(staged)
        apart = folder.batch_invariant and not outcome.alone
        if MANIFEST in imported.names and apart != folder.batch_invariant:
            raise ModelError(
                f"{MANIFEST} says that answers do not depend on what shares their batch, and they do",
                hint=f"write batch_invariant: false into {MANIFEST}",
            )
        if MANIFEST not in imported.names:
            # From now on a changed file is noticed, as with a folder of our own.
            write_manifest(staged, describe(folder, name=name, family=outcome.family, batch_invariant=apart))
        folder = ModelFolder.open(staged)
        entry = registry.put(staged, project, name, replace=replace)
    return Added(entry=entry, folder=folder, outcome=outcome, left_out=imported.left_out)


def add_package(
    source: Path, registry: ModelRegistry, keys: ModelKeys, *, project: str, name: str, replace: bool = False
) -> Added:
    """Take in an encrypted package that the licence opens; it stays encrypted on the disk.

    Raises:
        ModelError, LicenseError: It is refused; nothing was changed.
    """
    registry.vacant(project, name, replace=replace)
    files = find_packages(source)[0] if source.is_dir() else PackageFiles.beside(source)
    if files.package.exists():
        require_room(registry.root, files.package.stat().st_size, f"the package {files.package}")
    manifest = keys.manifest(files, NER.tasks)
    folder = open_release(files, manifest, keys)
    outcome = try_here(folder)
    with registry.stage() as staged:
        for path in (files.package, files.manifest, files.issuer):
            if path.exists():
                shutil.copyfile(path, staged / path.name)
        entry = registry.put(staged, project, name, replace=replace)
    return Added(entry=entry, folder=folder.released(), outcome=outcome)
