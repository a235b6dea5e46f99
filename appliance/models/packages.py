"""From `Mounts:Model` to a checked model: a plain folder as it is, or a package that the licence opens.

A package is `NAME.age` with its signed manifest `NAME.model.note`. It is opened in memory; nothing of it is
written anywhere. Where several releases lie side by side, the highest that the licence opens is served, so
that a new model line without a key does not take down the release before it.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from appliance.errors import ModelError
from license.errors import LicenseError
from license.licenses.verify import AuthenticLicense
from license.models.package_files import MANIFEST_SUFFIX, PACKAGE_SUFFIX, PackageFiles
from license.trust.roots import TrustRoots

if TYPE_CHECKING:
    from license.crypto.hpke import HpkeKey
    from license.models.manifest import Manifest

_log = logging.getLogger("appliance.packages")

F = TypeVar("F")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[F]):
    """A kind of model and how its folder is read.

    Attributes:
        tasks: What manifests may name.
        folder: Reads a plain folder.
        files: Reads the files of a package: content, the package's path, its line and release.
        beside: Kinds of other packages that may lie in the same directory; skipped.
    """

    tasks: tuple[str, ...]
    folder: Callable[[Path], F]
    files: Callable[[Mapping[str, bytes], Path, str, str], F]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKeys:
    """What opens packages here.

    Attributes:
        licensed: The licence in force.
        hpke: This installation's key that unwraps what the licence carries.
        roots: Keys that may vouch for a manifest.
    """

    licensed: AuthenticLicense
    hpke: "HpkeKey | None"
    roots: TrustRoots

    def manifest(self, files: PackageFiles, tasks: Sequence[str]) -> "Manifest":
        """Return the verified manifest of a package for one of these tasks.

        Raises:
            LicenseError: It is missing, or nobody trusted signed it.
            ModelError: It is of a task that is not served.
        """
        from license.models.package import read_manifest  # noqa: PLC0415  (a plain folder needs none of it)

        manifest = read_manifest(files.package, roots=self.roots, issuer_note=self.licensed.issuer_note)
        if manifest.task not in tasks:
            raise ModelError(
                f"{files.package.name} holds a model for {manifest.task}, which is not served here",
                hint=f"the task served is {' or '.join(tasks)}",
            )
        return manifest

    def identity(self, line: str) -> str:
        """Return the age identity for a model line.

        Raises:
            LicenseError: The licence does not open the line, or not on this machine.
        """
        from license.models.keys import identity_for  # noqa: PLC0415  (as above)

        return identity_for(self.licensed.license, line, self.hpke)


def open_any(path: Path, keys: ModelKeys, kind: Kind[F]) -> F:
    """Return the model of a kind that a path names, checked and ready to be loaded.

    Args:
        path: A model folder, a directory with packages, or one package.
        keys: What opens packages.
        kind: What is wanted.

    Raises:
        ModelError: The folder, or what is inside the package, is refused.
        LicenseError: The package is not the vendor's, is damaged, or this licence does not open it.
    """
    packages = find_packages(path)
    if not packages:
        return kind.folder(path)
    manifests: list[tuple[Manifest, PackageFiles]] = []
    refused: list[LicenseError | ModelError] = []
    for files in packages:
        try:
            manifest = keys.manifest(files, (*kind.tasks, *kind.beside))
        except (LicenseError, ModelError) as error:
            refused.append(error)
            continue
        if manifest.task in kind.tasks:
            manifests.append((manifest, files))
    manifests.sort(key=lambda pair: (_natural(pair[0].line), _natural(pair[0].release)), reverse=True)
    for manifest, files in manifests:
        try:
            folder = unpack(files, manifest, keys, kind)
        except (LicenseError, ModelError) as error:
            refused.append(error)
            continue
        for reason in refused:
            _log.warning("a model package is not used: %s; %s", reason.message, reason.hint)
        return folder
    if refused:
        raise refused[-1]
    raise ModelError(
        f"{path} holds no package for {' or '.join(kind.tasks)}", hint="name the directory of another model"
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts `1.10.0` behind `1.9.0`. Not by date: a manifest may be signed anew."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def unpack(files: PackageFiles, manifest: "Manifest", keys: ModelKeys, kind: Kind[F]) -> F:
    """Decrypt one package in memory and check what is inside.

    Raises:
        LicenseError, ModelError: As `open_any`.
    """
    from license.models.package import open_package  # noqa: PLC0415  (as above)

    content = open_package(files.package, manifest, keys.identity(manifest.line))
    return kind.files(content, files.package, manifest.line, manifest.release)


def find_packages(path: Path) -> list[PackageFiles]:
    """Return the packages that a path names or holds, by name; a plain model folder holds none."""
    if path.is_dir():
        paths = [*path.glob(f"*{PACKAGE_SUFFIX}"), *path.glob(f"*{MANIFEST_SUFFIX}")]
    else:
        paths = [path] if path.name.endswith((PACKAGE_SUFFIX, MANIFEST_SUFFIX)) else []
    unique = {PackageFiles.beside(path).package: PackageFiles.beside(path) for path in paths}
    return [unique[package] for package in sorted(unique)]
