"""The vendor's answer, uploaded: looked at, then installed, by the checks of `appliance license install`."""

import logging
from dataclasses import dataclass
from typing import Any, Final

from appliance.api.admin.parts import AdminParts
from appliance.api.admin.words import license_changes, license_sentences
from appliance.api.errors import Problem
from appliance.licensing.install import compare_logs, install_license, split_notes, verify_delivery
from license.errors import LicenseError, Unwritable
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.admin")

MOST_BYTES: Final = 1 << 20
"""Of an upload: two notes have a few kilobytes."""
_COMMAND: Final = "sudo appliance license install license.note issuer.note"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A delivery that may be used here."""

    licensed: AuthenticLicense
    begun: bool
    findings: tuple[str, ...]


def check_answer(parts: AdminParts, upload: bytes) -> dict[str, Any]:
    """Say what an uploaded licence would change; writes nothing, and may block.

    Args:
        parts: The service.
        upload: The notes, one after the other in any order.

    Raises:
        Problem: It may not be used here; the message says why and what to do.
    """
    try:
        return _told(parts, _check(parts, upload))
    except LicenseError as error:
        raise _problem(error) from error


def install_answer(parts: AdminParts, upload: bytes, *, operator: str) -> dict[str, Any]:
    """Check an uploaded licence, save it, and put it in force if its first day has come; may block.

    Args:
        parts: The service.
        upload: As for `check_answer`.
        operator: Who did this, for the log.

    Raises:
        Problem: It may not be used here, or cannot be saved.
    """
    try:
        checked = _check(parts, upload)
        told = _told(parts, checked)
        path = install_license(
            parts.installation.license_directory(),
            checked.licensed,
            begun=checked.begun,
            present=parts.installation.in_place(),
        )
    except LicenseError as error:
        raise _problem(error) from error
    _log.warning("licence serial %d was installed by operator %s", checked.licensed.license.serial, operator)
    parts.service.maintenance.reload()
    in_force = parts.service.licenses.current.sha256 == checked.licensed.sha256
    return {**told, "saved": str(path), "inForce": in_force}


def _check(parts: AdminParts, upload: bytes) -> _Checked:
    if parts.connected:
        raise Problem(
            409,
            "WrongMode",
            "This service runs connected: its lease is renewed by itself, and no licence is installed.",
        )
    notes = [("the upload", note) for note in split_notes(upload)]
    licensed = verify_delivery(parts.installation, notes)
    findings = compare_logs(parts.installation, licensed)
    return _Checked(
        licensed=licensed,
        begun=parts.installation.has_begun(licensed),
        findings=tuple(f"{finding.origin}: {finding.message}" for finding in findings),
    )


def _told(parts: AdminParts, checked: _Checked) -> dict[str, Any]:
    offered = checked.licensed.license
    current = parts.service.licenses.current
    return {
        "same": checked.licensed.sha256 == current.sha256,
        "begun": checked.begun,
        "changes": license_changes(current.license, offered),
        "words": license_sentences(offered, parts.installation.time_under(offered)),
        "mismatches": list(checked.findings),
    }


def _problem(error: LicenseError) -> Problem:
    if isinstance(error, Unwritable):
        return Problem(
            409,
            error.code,
            f"{error.message}. The checks were passed, but the service may not write there, or has no room. "
            f"Install it on the machine: {_COMMAND}",
        )
    return Problem(400, error.code, f"{error.message} ({error.hint})" if error.hint else error.message)
