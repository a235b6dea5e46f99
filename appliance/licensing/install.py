"""Putting a carried licence into place: read whatever came over the gap, verify it, save it atomically.

Files may have passed a Windows machine (carriage returns, byte order mark), lie in a directory, come in any
order, or all on standard input. Nothing is written before it is verified. A renewal whose first day lies
ahead does not take the present licence away: that one stays beside it until then.
"""

import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.host.ownership import give_to_owner
from appliance.ledger.read.fork_check import ForkFinding, check_heads
from appliance.licensing.installation import Installation, InstalledLicenses
from license.encoding.strict import format_time
from license.errors import (
    LicenseError,
    LicenseNotFound,
    Malformed,
    SerialTooLow,
    Unreadable,
    Unwritable,
    WrongType,
)
from license.files import read_limited, write_atomic
from license.licenses.directory import ISSUER_FILE, LICENSE_FILE, load_all, save_license
from license.licenses.license import LICENSE_KIND
from license.licenses.validity import State, check_dates, state_at
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import DELEGATION_KIND
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import kind_of, parse_statement

_MAX_FILES: Final = 64
_KINDS: Final = {
    LICENSE_KIND: "a licence",
    DELEGATION_KIND: "an issuer note",
    "request": "a licence request, which goes to the vendor",
    "model": "the manifest of a model package, which goes beside the package",
}
_BOUNDARY: Final = re.compile(rb"(?m)^(?=(?:\xef\xbb\xbf)?offline-appliance/[a-z-]+/v[0-9]+\r?$)")


def read_delivery(names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return the notes in files, directories or standard input (`-`), each with where it was found.

    Raises:
        Unreadable, Malformed: A file cannot be read, or is too large.
    """
    found: list[tuple[str, bytes]] = []
    for name in names:
        if name == "-":
            found += [("standard input", note) for note in split_notes(_standard_input())]
            continue
        path = Path(name)
        paths = sorted(path.glob("*.note")) if path.is_dir() else [path]
        if not paths:
            raise LicenseNotFound(
                f"there is no .note file in {path}", hint=f"copy {LICENSE_FILE} and {ISSUER_FILE} there"
            )
        for one in paths[:_MAX_FILES]:
            data = read_limited(one, _MAX_FILES * MAX_NOTE_BYTES)
            found += [(str(one), note) for note in split_notes(data)]
    return found


def split_notes(data: bytes) -> list[bytes]:
    """Return the notes of a file that may hold several, one after the other."""
    parts = [part for part in _BOUNDARY.split(data) if part.strip()]
    return parts[:_MAX_FILES] or [data]


def verify_delivery(
    site: Installation, delivery: Sequence[tuple[str, bytes]]
) -> tuple[InstalledLicenses, AuthenticLicense]:
    """Return the best licence of a delivery, and what this installation already has.

    The issuer note may be left out where the one in place proves the new licence as well.

    Raises:
        ApplianceError: The installation has no keys or names no directory.
        LicenseError: No licence in it may be used here; the reason of the last one.
    """
    notes: dict[str, list[bytes]] = {LICENSE_KIND: [], DELEGATION_KIND: []}
    for where, data in delivery:
        kind = _kind(where, data)
        if kind not in notes:
            raise WrongType(
                f"{where} is {_KINDS.get(kind or '', 'no licence')}",
                hint=f"install {LICENSE_FILE} and {ISSUER_FILE}, as the vendor sent them",
            )
        notes[kind].append(data)
    if not notes[LICENSE_KIND]:
        raise LicenseNotFound(
            "there is no licence among the files given", hint=f"{LICENSE_FILE} is missing: give both files"
        )
    # A bearer licence may arrive where nobody ever asked for one; any other names keys that must be here.
    identity = site.identity(create=all(map(_is_bearer, notes[LICENSE_KIND])))
    licenses = InstalledLicenses(identity=identity, floor=site.floor(identity), found=_in_place(site))
    issuers = notes[DELEGATION_KIND] or _issuers_in_place(site)
    if not issuers:
        raise LicenseNotFound(
            "the licence came without the issuer note that proves it",
            hint=f"give both files: {LICENSE_FILE} and {ISSUER_FILE} were delivered together",
        )
    opened = _open_best(site, licenses, notes[LICENSE_KIND], issuers)
    _check_newer(licenses, opened)
    now = licenses.now(opened.license)
    if state_at(opened.license, now) is State.EXPIRED:
        check_dates(opened.license, now)
    return licenses, opened


def compare_logs(
    site: Installation, licenses: InstalledLicenses, licensed: AuthenticLicense
) -> list[ForkFinding]:
    """Compare the usage logs here with the heads that a licence carries.

    Returns:
        The logs that differ, where the licence says to go on and flag them; nothing without an output mount.

    Raises:
        LedgerMismatch: One differs, and the licence says to refuse.
    """
    output = site.settings.output_mount
    if output is None:
        return []
    instance = licenses.identity.instance
    return check_heads(output / site.settings.service.name / instance, licensed.license, instance=instance)


def put_in_place(site: Installation, licenses: InstalledLicenses, licensed: AuthenticLicense) -> Path:
    """Save a verified licence in the licence directory, and return its path.

    The files belong to whoever owns the directory. A bound licence is no secret: it is as readable as the
    directory, so that a service with a user of its own can read what root put there. A bearer licence is a
    key: mode 0600. While the new licence has not begun, the one before it stays beside it under another name.

    Raises:
        Unwritable: The directory does not allow it.
    """
    directory = site.license_directory()
    begun = state_at(licensed.license, licenses.now(licensed.license)) is not State.NOT_YET_VALID
    kept = [] if begun else _keep_present(directory, _in_place(site), licensed)
    paths = [*save_license(directory, licensed), *kept]
    try:
        if begun:
            _clear_away(directory, licensed)
        for path in paths:
            if licensed.license.instance.binding == "instance":
                path.chmod(0o600 | stat.S_IMODE(directory.stat().st_mode) & 0o044)
            give_to_owner(path)
    except OSError as error:
        raise Unwritable(f"cannot finish the files in {directory}: {error.strerror}") from error
    return paths[0]


def _in_place(site: Installation) -> tuple[AuthenticLicense, ...]:
    """Return the licences that are already there; none if the directory is empty or holds only bad ones."""
    try:
        return tuple(
            load_all(
                site.license_directory(),
                roots=site.roots(),
                product=site.settings.service.product,
                instance_vkey=site.identity().vkey,
            )
        )
    except LicenseError:
        return ()


def _keep_present(directory: Path, present: Sequence[AuthenticLicense], new: AuthenticLicense) -> list[Path]:
    """Copy the licences before the new one to names of their own, so that saving does not take them away."""
    kept = []
    try:
        for one in present:
            if one.license.serial < new.license.serial:
                issuer = directory / f"issuer-{one.license.serial}.note"
                note = directory / f"license-{one.license.serial}.note"
                write_atomic(issuer, one.issuer_note)
                write_atomic(note, one.note)
                kept += [note, issuer]
    except OSError as error:
        raise Unwritable(f"cannot write to {directory}: {error.strerror}") from error
    return kept


def _clear_away(directory: Path, licensed: AuthenticLicense) -> None:
    """Remove what `_keep_present` once left: the licence in force has followed it."""
    for path in directory.glob("*-*.note"):
        match = re.fullmatch(r"(?:license|issuer)-([0-9]{1,18})\.note", path.name)
        if match is not None and int(match[1]) < licensed.license.serial:
            path.unlink(missing_ok=True)


def _issuers_in_place(site: Installation) -> list[bytes]:
    return [one.issuer_note for one in _in_place(site)]


def _open_best(
    site: Installation, licenses: InstalledLicenses, notes: Sequence[bytes], issuers: Sequence[bytes]
) -> AuthenticLicense:
    roots = site.roots()
    opened: list[AuthenticLicense] = []
    refused: LicenseError | None = None
    for note in notes:
        for issuer in issuers:
            try:
                opened.append(
                    open_license(
                        note,
                        issuer,
                        roots=roots,
                        product=site.settings.service.product,
                        instance_vkey=licenses.identity.vkey,
                        min_serial=licenses.floor.serial,
                        min_epoch=licenses.floor.epoch,
                    )
                )
            except LicenseError as error:
                refused = error
    if not opened:
        raise refused or Malformed("there is no licence")
    return max(opened, key=lambda one: (one.license.serial, one.delegation.epoch))


def _check_newer(licenses: InstalledLicenses, opened: AuthenticLicense) -> None:
    """Refuse a licence that would never be in force beside the one that is in place."""
    if not licenses.found:
        return
    present = licenses.current.license
    if opened.license.serial < present.serial and state_at(present, licenses.now(present)).serves:
        raise SerialTooLow(
            f"the licence has serial {opened.license.serial}, but serial {present.serial} is in place"
            f" and serves until {format_time(present.terminates)}"
        )


def _is_bearer(note: bytes) -> bool:
    """Return what an unverified licence says of itself; only whether keys are made depends on it."""
    try:
        binding = parse_statement(read_unverified(note), LICENSE_KIND)["instance"]["binding"]
    except (LicenseError, KeyError, TypeError):
        return False
    return bool(binding == "any")


def _kind(where: str, data: bytes) -> str | None:
    try:
        return kind_of(read_unverified(data))
    except LicenseError as error:
        raise Malformed(f"{where} is not a signed note: {error.message}", hint=error.hint) from error


def _standard_input() -> bytes:
    if sys.stdin.isatty():
        raise Unreadable(
            "standard input is a terminal",
            hint="pipe the files in: cat license.note issuer.note | appliance license install -",
        )
    return sys.stdin.buffer.read(_MAX_FILES * MAX_NOTE_BYTES)
