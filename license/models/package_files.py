"""Where the files of a model package lie; told without what opens one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE_SUFFIX: Final = ".age"
MANIFEST_SUFFIX: Final = ".model.note"
ISSUER_SUFFIX: Final = ".issuer.note"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFiles:
    """Where the three files of a package lie.

    Attributes:
        package: `NAME.age`.
        manifest: `NAME.model.note`.
        issuer: `NAME.issuer.note`; may be missing where another issuer note proves the manifest.
    """

    package: Path
    manifest: Path
    issuer: Path

    @classmethod
    def beside(cls, path: Path) -> PackageFiles:
        """Return the three paths, given any of them or their common beginning."""
        name = path.name
        for suffix in (PACKAGE_SUFFIX, MANIFEST_SUFFIX, ISSUER_SUFFIX):
            name = name.removesuffix(suffix)
        return cls(
            package=path.with_name(name + PACKAGE_SUFFIX),
            manifest=path.with_name(name + MANIFEST_SUFFIX),
            issuer=path.with_name(name + ISSUER_SUFFIX),
        )
