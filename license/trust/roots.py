"""Trust roots: which keys may name an issuer. Everything else in a licence is only as true as these.

Whoever packages the appliance is the vendor, so roots come with the installation: `license/roots/*.vkey`
inside the package and `/etc/appliance/roots.d/*.vkey`. No setting and no environment variable names a root:
whoever starts the service could then choose whose licences it obeys. Commands for people take a directory
instead (`load_roots`) and say so.

A file the service could change is refused: it would be a setting after all. The rule, per file and for each
directory above it:

- not root: this process must neither own it nor be able to write it;
- root, who can write everything: it must belong to root and be closed to group and others, or lie on a
  read-only mount, as a ConfigMap does;
- roots inside the package are excused where the package's code lies just as open: who can rewrite the
  verifier needs no root key, and a developer's own checkout is such a place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from license.crypto.ed25519 import VerifyingKey, load_verifying_key
from license.errors import LicenseError, UntrustedRoots
from license.files import is_shared, quoted

PACKAGE_ROOTS: Final = Path(__file__).parents[1] / "roots"
SYSTEM_ROOTS: Final = Path("/etc/appliance/roots.d")
_SUFFIX = ".vkey"
_NAME_A_FOLDER = "name the folder of *.vkey files, or one such file: --roots DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoots:
    """The root keys in use and where each was found; never empty.

    Attributes:
        keys: The keys, each once.
        sources: For each key, the file it came from.
    """

    keys: tuple[VerifyingKey, ...]
    sources: tuple[Path, ...]

    def __post_init__(self) -> None:
        if not self.keys or len(self.keys) != len(self.sources):
            raise UntrustedRoots("there is no trust root")

    def __iter__(self) -> Iterator[VerifyingKey]:
        return iter(self.keys)

    def source_of(self, key: VerifyingKey) -> Path:
        """Return the file `key` came from; raises `ValueError` for a key that is not among them."""
        return self.sources[self.keys.index(key)]


def load_roots(directory: Path) -> TrustRoots:
    """Return the roots that a person named on purpose, such as `license verify --roots DIR`.

    Args:
        directory: A folder of `.vkey` files, or one such file.

    Raises:
        UntrustedRoots: no such folder, no `.vkey` file in it, or one that holds no key.
    """
    try:
        keys = _load([directory]) if directory.is_file() else _read(directory)
    except UntrustedRoots as error:
        raise UntrustedRoots(error.message, hint=_NAME_A_FOLDER) from error
    if not keys:
        raise UntrustedRoots(f"there is no root key (*{_SUFFIX}) in {directory}", hint=_NAME_A_FOLDER)
    return _roots(keys)


def installed_roots(*, packaged: Path = PACKAGE_ROOTS, system: Path = SYSTEM_ROOTS) -> TrustRoots:
    """Return the roots this installation came with; the service's only source.

    Args:
        packaged: Directory inside the package; another one only in tests.
        system: Directory of the host's administrator; another one only in tests.

    Raises:
        UntrustedRoots: there are none, one of them could be changed by this process, or one holds no key.
    """
    keys = []
    code_is_open = _weak_spot(packaged.parent) is not None
    for directory, excused in ((packaged, code_is_open), (system, False)):
        for path, key in _read(directory):
            weak = None if excused else _weak_spot(path)
            if weak is not None:
                raise UntrustedRoots(
                    f"the trust root {path} is refused: this process could change {weak}",
                    hint=_protect(path, weak),
                )
            keys.append((path, key))
    if not keys:
        raise UntrustedRoots(f"no trust root is installed, neither in {packaged} nor in {system}")
    return _roots(keys)


def _read(directory: Path) -> list[tuple[Path, VerifyingKey]]:
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UntrustedRoots(f"cannot read the trust roots in {directory}: {error.strerror}") from error
    return _load(paths)


def _load(paths: Sequence[Path]) -> list[tuple[Path, VerifyingKey]]:
    try:
        return [(path, load_verifying_key(path)) for path in paths]
    except LicenseError as error:
        raise UntrustedRoots(f"a trust root is unusable: {error.message}", hint=error.hint) from error


def _roots(keys: list[tuple[Path, VerifyingKey]]) -> TrustRoots:
    unique: dict[VerifyingKey, Path] = {}
    for path, key in keys:
        unique.setdefault(key, path)
    return TrustRoots(keys=tuple(unique), sources=tuple(unique.values()))


def _weak_spot(path: Path) -> Path | None:
    """Return the first of `path` and the directories above it that this process could change, if any."""
    real = path.resolve()
    return next((part for part in (real, *real.parents) if _is_open(part)), None)


def _is_open(path: Path) -> bool:
    status, us = path.stat(), os.geteuid()
    if us != 0:
        writable = os.access(path, os.W_OK, effective_ids=True) and not _is_sticky(path)
        return status.st_uid == us or writable
    if status.st_uid != 0:
        return True
    return bool(status.st_mode & 0o022) and not _is_sticky(path) and not _is_read_only(path)


def _is_read_only(path: Path) -> bool:
    """Whether `path` is mounted read-only here, as a ConfigMap is: nobody can change it by this way."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _is_sticky(path: Path) -> bool:
    """Whether `path` is a directory such as /tmp, where only a file's owner may replace it."""
    mode = path.stat().st_mode
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


def _protect(path: Path, weak: Path) -> str:
    """Return the command that puts a root key where only root can change it."""
    if path == weak or path.resolve() == weak:
        return f"sudo chown root:root {quoted(path)} && sudo chmod 0644 {quoted(path)}"
    if weak == path.parent.resolve() and not is_shared(weak):
        return f"sudo chown root:root {quoted(path.parent)} && sudo chmod 0755 {quoted(path.parent)}"
    installed = quoted(SYSTEM_ROOTS / path.name)
    return f"put it where only root can change it: sudo install -D -m 0644 {quoted(path)} {installed}"
