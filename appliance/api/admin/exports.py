"""The export of usage from the page: made in memory, shown in clear, given out exactly as it was shown."""

import contextlib
import io
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from appliance.api.admin.parts import AdminParts
from appliance.api.errors import Problem
from appliance.errors import UsageStoreUnavailable
from appliance.ledger.transfer.export_file import LeavingFile, member_text, note_export, summary_of
from license.errors import LicenseError

KEPT_SECONDS: Final = 1800
MOST_BYTES: Final = 16 << 20
FILE: Final = "usage.zip"
_COMMAND: Final = "appliance usage export -o usage.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """An export that an operator has seen."""

    leaving: LeavingFile
    until: float


class Exports:
    """Makes an export, and gives out the one that was made last.

    Args:
        parts: The service.
    """

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts
        self._shown: _Shown | None = None
        self._lock = threading.Lock()

    def make(self) -> dict[str, Any]:
        """Sign what is not signed yet, make a summary, and return it in clear; blocks.

        Raises:
            Problem: There is nothing to export, or it is too large for a page.
        """
        service, identity = self._parts.service, self._parts.identity
        with contextlib.suppress(UsageStoreUnavailable):  # a full disk: what is signed can leave all the same
            service.ledger.checkpoint()
        try:
            leaving = summary_of(service.ledger_directory, identity.signing)
        except (LicenseError, OSError) as error:
            said = error.message if isinstance(error, LicenseError) else error.strerror
            raise Problem(409, "NothingToExport", f"The usage cannot be exported: {said}.") from error
        if len(leaving.data) > MOST_BYTES:
            raise Problem(413, "ExportTooLarge", f"The export is too large for this page: {_COMMAND}")
        with self._lock:
            self._shown = _Shown(leaving=leaving, until=time.monotonic() + KEPT_SECONDS)
        return {
            "file": FILE,
            "bytes": len(leaving.data),
            "sha256": leaving.sha256,
            "text": member_text(io.BytesIO(leaving.data)),
        }

    def take(self, sha256: str, *, operator: str) -> bytes:
        """Return the bytes that were shown, and note in the journal of exports that they left; blocks.

        Raises:
            Problem: 404 for another export than the last one that was shown, or one that is too old.
        """
        with self._lock:
            shown = self._shown
        if shown is None or shown.leaving.sha256 != sha256 or time.monotonic() > shown.until:
            raise Problem(404, "ExportNotFound", "Look at the export again first: usage may have been added.")
        note_export(
            self._parts.service.ledger_directory, shown.leaving, FILE, f"from the page, by {operator}"
        )
        return shown.leaving.data
