"""The licence directory that `Mounts:License` names: find the best licence in it, and put a new one there.

Every `*.note` is looked at and told by its first line, so names carry no meaning: several licences and
several issuer notes may lie side by side, and a bad new file never takes down a good old one. The highest
serial that passes all of `license.licenses.verify` wins.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from license.errors import (
    DelegationExpired,
    EpochTooLow,
    Forged,
    LicenseError,
    LicenseNotFound,
    Malformed,
    NeedsNewerVersion,
    SerialTooLow,
    UnknownIssuer,
    UnknownSigner,
    Unreadable,
    Unwritable,
    WrongMachine,
    WrongMode,
    WrongProduct,
    WrongType,
)
from license.files import AccessHint, access_hint, quoted, read_limited, write_atomic
from license.licenses.license import LICENSE_KIND, License
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import DELEGATION_KIND
from license.trust.roots import TrustRoots
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import kind_of

LICENSE_FILE: Final = "license.note"
ISSUER_FILE: Final = "issuer.note"
MAX_FILES: Final = 64
_PREVIOUS_ISSUER: Final = "issuer-previous.note"

# When no candidate passes, the one that came furthest through the steps of `license.licenses.verify` tells
# the operator most. Later in this tuple is further.
_PROGRESS: Final[tuple[type[LicenseError], ...]] = (
    Unreadable,
    Malformed,
    WrongType,
    UnknownSigner,
    UnknownIssuer,
    Forged,
    EpochTooLow,
    NeedsNewerVersion,
    DelegationExpired,
    SerialTooLow,
    WrongProduct,
    WrongMachine,
    WrongMode,
)


def load_directory(
    path: Path,
    *,
    roots: TrustRoots,
    product: str | None = None,
    instance_vkey: str | None = None,
    min_serial: int = 0,
    min_epoch: int = 0,
    on_refusal: Callable[[Path, LicenseError], None] | None = None,
) -> AuthenticLicense:
    """Return the authentic licence with the highest serial in the directory; see `load_all`."""
    return load_all(
        path,
        roots=roots,
        product=product,
        instance_vkey=instance_vkey,
        min_serial=min_serial,
        min_epoch=min_epoch,
        on_refusal=on_refusal,
    )[0]


def load_all(  # noqa: PLR0913 (one keyword for each thing a caller decides)
    path: Path,
    *,
    roots: TrustRoots,
    product: str | None = None,
    instance_vkey: str | None = None,
    min_serial: int = 0,
    min_epoch: int = 0,
    lease: bool = False,
    site: bool = False,
    on_refusal: Callable[[Path, LicenseError], None] | None = None,
    hint: AccessHint = access_hint,
) -> list[AuthenticLicense]:
    """Return every authentic licence in the directory, the highest serial first; never empty.

    Which of them is in force depends on their dates, and is for the caller to say: a renewal may lie there
    before its first day. Arguments beside these are those of `license.licenses.verify.open_license`.

    Args:
        path: The directory.
        lease: Whether leases are wanted, which are good beside their endpoint only, or licences.
        site: Whether licences of sites are wanted, which are good for a desk only.
        on_refusal: Told of every note that was refused although another licence is good: the operator who put
            it there should hear of it.
        hint: Says what lets this process use a path.

    Raises:
        LicenseNotFound: no directory, or no licence in it; the documented sentence.
        LicenseError: every candidate was refused: the error of the one that came furthest.
    """
    files, refused = _read(path, hint)
    licenses = [file for file in files if file.kind == LICENSE_KIND]
    issuers = [file for file in files if file.kind == DELEGATION_KIND]
    if not licenses:
        raise _furthest(refused.values()) if refused else LicenseNotFound(hint=_misnamed(path))
    if not issuers:
        raise LicenseNotFound(
            f"there is a licence in {path}, but no issuer note to prove it",
            hint=f"copy {ISSUER_FILE} into {path}; it was delivered together with {LICENSE_FILE}",
        )
    verify = partial(
        open_license,
        roots=roots,
        product=product,
        instance_vkey=instance_vkey,
        min_serial=min_serial,
        min_epoch=min_epoch,
    )
    opened: list[AuthenticLicense] = []
    for file in licenses:
        try:
            best = _best(file, issuers, verify)
            check_mode(best.license, lease=lease, site=site)
            opened.append(best)
        except LicenseError as error:
            refused[file.path] = error
    if not opened:
        raise _furthest(refused.values())
    if on_refusal is not None:
        for refused_path, reason in refused.items():
            on_refusal(refused_path, reason)
    return sorted(opened, key=lambda one: one.license.serial, reverse=True)


def check_mode(license: License, *, lease: bool = False, site: bool = False) -> None:
    """Refuse a licence of another kind than is wanted: of a machine, a lease, or of a site.

    Raises:
        WrongMode: It is.
    """
    if license.site is not None and not site:
        raise WrongMode(
            "it is the licence of a site, which its desk divides among replicas",
            hint="give it to the desk with `appliance site install`, and start replicas with its Billing",
        )
    if site and license.site is None:
        raise WrongMode(
            "it is not the licence of a site",
            hint="the vendor makes one from the desk's request with `license issue --site INSTANCES`",
        )
    if lease and license.connected is None:
        raise WrongMode("the licence is not a lease of a metering endpoint")
    if not lease and license.connected is not None:
        raise WrongMode("it is the lease of a connected run, not a licence")


def require_savable(directory: Path, *, hint: AccessHint = access_hint) -> None:
    """Make sure that a licence can be saved, before one is asked for: a vendor counts each that it signs.

    Raises:
        Unwritable: as `save_license`.
    """
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise _unwritable(directory, error, hint) from error


def save_license(
    directory: Path, licensed: AuthenticLicense, *, hint: AccessHint = access_hint
) -> tuple[Path, Path]:
    """Write `license.note` and `issuer.note` (0600) into the directory and return their paths.

    While the two files change, the previous issuer note is kept beside them: at any instant the directory
    holds a licence together with the issuer note that proves it.

    Raises:
        Unwritable: the directory is missing, read-only, full or not ours.
    """
    note, issuer = directory / LICENSE_FILE, directory / ISSUER_FILE
    previous = directory / _PREVIOUS_ISSUER
    try:
        with contextlib.suppress(Unreadable, Malformed):
            old = read_limited(issuer, MAX_NOTE_BYTES)
            if old != licensed.issuer_note:
                write_atomic(previous, old)
        write_atomic(issuer, licensed.issuer_note)
        write_atomic(note, licensed.note)
        previous.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(directory, error, hint) from error
    return note, issuer


def _unwritable(directory: Path, error: OSError, hint: AccessHint) -> Unwritable:
    return Unwritable(
        f"cannot write the licence to {directory}: {error.strerror}",
        hint=hint(directory, directory=True),
    )


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    kind: str | None
    data: bytes


def _read(path: Path, hint: AccessHint) -> tuple[list[_File], dict[Path, LicenseError]]:
    """Return every note in the directory, and why others could not be read."""
    try:
        paths = sorted(entry for entry in path.iterdir() if entry.suffix == ".note")
    except FileNotFoundError as error:
        raise LicenseNotFound from error
    except NotADirectoryError as error:
        raise LicenseNotFound(
            hint=f"{path} is a file; Mounts:License names the directory it lies in"
        ) from error
    except OSError as error:
        raise Unreadable(
            f"cannot read the licence directory {path}: {error.strerror}",
            hint=hint(path, directory=True),
        ) from error
    if len(paths) > MAX_FILES:
        raise Malformed(f"{path} holds more than {MAX_FILES} notes", hint="move the old ones away")
    files: list[_File] = []
    refused: dict[Path, LicenseError] = {}
    for file in paths:
        try:
            data = read_limited(file, MAX_NOTE_BYTES)
            files.append(_File(file, kind_of(read_unverified(data)), data))
        except Unreadable as error:
            refused[file] = Unreadable(error.message, hint=hint(file, directory=False))
        except LicenseError as error:
            refused[file] = Malformed(f"{file}: {error.message}", hint=error.hint)
    return files, refused


def _best(
    file: _File, issuers: Sequence[_File], verify: Callable[[bytes, bytes], AuthenticLicense]
) -> AuthenticLicense:
    """Return the licence in `file` as the issuer note of the highest epoch proves it, or raise."""
    opened: list[AuthenticLicense] = []
    errors: list[LicenseError] = []
    for issuer in issuers:
        try:
            opened.append(verify(file.data, issuer.data))
        except LicenseError as error:
            errors.append(error)
    if not opened:
        raise _furthest(errors)
    return max(opened, key=lambda one: one.delegation.epoch)


def _furthest(errors: Collection[LicenseError]) -> LicenseError:
    return max(errors, key=lambda error: _PROGRESS.index(type(error)) if type(error) in _PROGRESS else -1)


def _misnamed(path: Path) -> str | None:
    """Return the command that helps if a licence lies in the directory under another name."""
    for file in sorted(path.iterdir())[:MAX_FILES]:
        with contextlib.suppress(LicenseError):
            if kind_of(read_unverified(read_limited(file, MAX_NOTE_BYTES))) == LICENSE_KIND:
                names = f"{quoted(file)} {quoted(path / LICENSE_FILE)}"
                return f"this file is a licence under another name: mv {names}"
    return None
