"""Installing a licence from files: read them, verify them, save them atomically.

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

from appliance.host.container import access_hint
from appliance.host.filesystem import give_to_owner
from appliance.ledger.read.fork_check import ForkFinding, check_heads
from appliance.ledger.read.high_water import HighWater
from appliance.licensing.installation import Installation
from appliance.licensing.manager import TimeUnder, choose
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
from license.evidence.verify.witness import with_proven_heads
from license.files import read_limited, write_atomic
from license.licenses.directory import ISSUER_FILE, LICENSE_FILE, check_mode, save_license
from license.licenses.license import LICENSE_KIND
from license.licenses.validity import State, check_dates, state_at
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import DELEGATION_KIND
from license.trust.roots import TrustRoots
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
    notes: list[tuple[str, bytes]] = []
    for name in names:
        if name == "-":
            notes += [("standard input", note) for note in split_notes(_standard_input())]
            continue
        path = Path(name)
        paths = sorted(path.glob("*.note")) if path.is_dir() else [path]
        if not paths:
            raise LicenseNotFound(
                f"there is no .note file in {path}", hint=f"copy {LICENSE_FILE} and {ISSUER_FILE} there"
            )
        for file in paths[:_MAX_FILES]:
            data = read_limited(file, _MAX_FILES * MAX_NOTE_BYTES)
            notes += [(str(file), note) for note in split_notes(data)]
    return notes


def split_notes(data: bytes) -> list[bytes]:
    """Return the notes of a file that may hold several, one after the other."""
    parts = [part for part in _BOUNDARY.split(data) if part.strip()]
    return parts[:_MAX_FILES] or [data]


def verify_delivery(installation: Installation, delivery: Sequence[tuple[str, bytes]]) -> AuthenticLicense:
    """Return the best licence of a delivery; nothing is saved.

    The issuer note may be left out where the one in place proves the new licence as well.

    Args:
        installation: Where it is to be used.
        delivery: Notes, each with where it was found, as `read_delivery` returns them.

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
    identity = installation.identity(create=all(map(_is_bearer, notes[LICENSE_KIND])))
    high_water = installation.high_water()
    present = installation.in_place()
    issuers = notes[DELEGATION_KIND] or [licensed.issuer_note for licensed in present]
    if not issuers:
        raise LicenseNotFound(
            "the licence came without the issuer note that proves it",
            hint=f"give both files: {LICENSE_FILE} and {ISSUER_FILE} were delivered together",
        )
    licensed = _open_best(
        notes[LICENSE_KIND],
        issuers,
        roots=installation.roots(),
        product=installation.settings.service.product,
        instance_vkey=identity.vkey,
        high_water=high_water,
    )
    check_mode(licensed.license, site=installation.site)
    if present:
        _check_newer(licensed, choose(present, installation.time_under), installation.time_under)
    now = installation.time_under(licensed.license)
    if state_at(licensed.license, now) is State.EXPIRED:
        check_dates(licensed.license, now)
    return licensed


def compare_logs(installation: Installation, licensed: AuthenticLicense) -> list[ForkFinding]:
    """Compare the usage logs here with the heads that a licence carries.

    Returns:
        The logs that differ, where the licence says to go on and flag them; nothing without an output mount.

    Raises:
        LedgerMismatch: One differs, and the licence says to refuse.
    """
    instance = installation.identity().instance
    directory = installation.ledger_directory(instance)
    return [] if directory is None else check_heads(directory, with_proven_heads(licensed), instance=instance)


def install_license(
    directory: Path, licensed: AuthenticLicense, *, begun: bool, present: Sequence[AuthenticLicense]
) -> Path:
    """Save a verified licence in the licence directory, and return its path.

    The files belong to whoever owns the directory. A bound licence is not secret: it is as readable as the
    directory, so that a service with a user of its own can read what root put there. A bearer licence is a
    key: mode 0600.

    Args:
        directory: What `Mounts:License` names.
        licensed: The licence.
        begun: Whether its first day has come. If not, those before it stay beside it under other names.
        present: The licences that are in the directory now.

    Raises:
        Unwritable: The directory does not allow it.
    """
    kept = [] if begun else _keep_present(directory, present, licensed)
    paths = [*save_license(directory, licensed, hint=access_hint), *kept]
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


def _keep_present(directory: Path, present: Sequence[AuthenticLicense], new: AuthenticLicense) -> list[Path]:
    """Copy the licences before the new one to names of their own, so that saving does not take them away."""
    kept = []
    try:
        for licensed in present:
            serial = licensed.license.serial
            if serial < new.license.serial:
                issuer = directory / f"issuer-{serial}.note"
                note = directory / f"license-{serial}.note"
                write_atomic(issuer, licensed.issuer_note)
                write_atomic(note, licensed.note)
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


def _open_best(
    notes: Sequence[bytes],
    issuers: Sequence[bytes],
    *,
    roots: TrustRoots,
    product: str,
    instance_vkey: str,
    high_water: HighWater,
) -> AuthenticLicense:
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
                        product=product,
                        instance_vkey=instance_vkey,
                        min_serial=high_water.serial,
                        min_epoch=high_water.epoch,
                    )
                )
            except LicenseError as error:
                refused = error
    if not opened:
        raise refused or Malformed("there is no licence")
    return max(opened, key=lambda licensed: (licensed.license.serial, licensed.delegation.epoch))


def _check_newer(new: AuthenticLicense, present: AuthenticLicense, time_under: TimeUnder) -> None:
    """Refuse a licence that would never be in force beside the one that is in place."""
    before = present.license
    if new.license.serial < before.serial and state_at(before, time_under(before)).serves:
        raise SerialTooLow(
            f"the licence has serial {new.license.serial}, but serial {before.serial} is in place"
            f" and serves until {format_time(before.terminates)}"
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
