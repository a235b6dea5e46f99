"""The packages a vendor has on offer: a directory of them, as `license pack` leaves it.

Every manifest is verified when it is read, as a customer would: what does not verify is not offered.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from license.crypto.ed25519 import SigningKey
from license.errors import LicenseError, Unwritable
from license.files import write_atomic
from license.models.manifest import Manifest, sign_manifest
from license.models.package import read_manifest
from license.models.package_files import MANIFEST_SUFFIX, PackageFiles
from license.trust.roots import TrustRoots

_log = logging.getLogger("license.authority.catalogue")


def read_catalogue(directory: Path, *, roots: TrustRoots) -> list[Manifest]:
    """Return the manifests of all packages in the directory whose file is there, by line and release.

    Args:
        directory: Where packages lie.
        roots: The vendor's own roots.
    """
    manifests = []
    for path in directory.glob(f"*{MANIFEST_SUFFIX}"):
        try:
            manifest = read_manifest(path, roots=roots)
        except LicenseError as error:
            _log.warning("%s is not offered: %s", path, error.message)
            continue
        if package_files(directory, manifest).package.exists():
            manifests.append(manifest)
        else:
            _log.warning("%s is not offered: its package is missing", path)
    return sorted(manifests, key=lambda manifest: (manifest.line, manifest.issued, manifest.release))


def package_files(directory: Path, manifest: Manifest) -> PackageFiles:
    """Return where the files of a package on offer lie."""
    return PackageFiles.beside(directory / f"{manifest.stem}{MANIFEST_SUFFIX}")


def save_manifest(
    directory: Path, manifest: Manifest, issuer: SigningKey, issuer_note: bytes, now: int
) -> Manifest:
    """Sign a manifest anew and put it, with its proof, in the place of the one before.

    Raises:
        Unwritable: the directory cannot be written.
    """
    renewed = replace(manifest, issued=now)
    files = package_files(directory, manifest)
    try:
        # The note beside a package proves only manifests of its own issuer: between these two lines a reader
        # sees a pair that does not fit, and refuses it, which asking again repairs.
        write_atomic(files.issuer, issuer_note, mode=0o644)
        write_atomic(files.manifest, sign_manifest(renewed, issuer), mode=0o644)
    except OSError as error:
        raise Unwritable(f"cannot write to {directory}: {error.strerror}") from error
    return renewed
