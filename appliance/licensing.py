"""The licence in force: loaded at start, looked at again while the service runs, never lost to a bad file."""

import logging
from collections.abc import Callable
from pathlib import Path

from appliance.version import PRODUCT
from license.directory import load_directory
from license.errors import LicenseError
from license.roots import TrustRoots
from license.validity import check_dates, warnings
from license.verify import AuthenticLicense

_log = logging.getLogger(__name__)


class LicenseKeeper:
    """Keeps the licence in force.

    Args:
        directory: What `Mounts:License` names.
        roots: Keys that may vouch for it.
        instance_vkey: This installation's key, as licences name it.
        min_serial: Highest licence serial this installation has had in force.
        min_epoch: Highest issuer epoch it has seen.

    Raises:
        LicenseError: No licence there may be used here; the error says why and what to do.
    """

    def __init__(
        self,
        directory: Path,
        *,
        roots: TrustRoots,
        instance_vkey: str,
        min_serial: int = 0,
        min_epoch: int = 0,
    ) -> None:
        self._directory = directory
        self._roots = roots
        self._instance_vkey = instance_vkey
        self._said: set[tuple[str, str, int]] = set()
        self.current = self._load(min_serial=min_serial, min_epoch=min_epoch)
        self.problem: LicenseError | None = None

    def require_dates(self, now: int) -> None:
        """Refuse to start under a licence that would answer nothing.

        Raises:
            LicenseError: `NotYetValid` or `Expired`.
        """
        check_dates(self.current.license, now)

    def reload(self, accept: Callable[[AuthenticLicense], None]) -> None:
        """Look at the directory again; a better licence is put in force once `accept` has recorded it.

        A directory that is missing, unreadable or holds only worse licences changes nothing: the licence in
        force stays so until its own dates. The reason is kept in `problem` and logged once.
        """
        try:
            known = self.current
            found = self._load(min_serial=known.license.serial, min_epoch=known.delegation.epoch)
            if found.sha256 != known.sha256:
                accept(found)
                _log.info("licence %s (serial %d) is in force", found.license.id, found.license.serial)
                self.current = found
            self.problem = None
        except LicenseError as error:
            if self.problem is None or self.problem.message != error.message:
                _log.warning("the licence directory was not taken over: %s (%s)", error.message, error.hint)
            self.problem = error

    def announce(self, now: int) -> None:
        """Log what the operator should know in advance, once for each day that is announced."""
        for notice in warnings(self.current.license, now):
            key = (self.current.sha256, notice.code, notice.mark)
            if key not in self._said:
                self._said.add(key)
                _log.warning("%s: %s", notice.message, notice.hint)

    def _load(self, *, min_serial: int, min_epoch: int) -> AuthenticLicense:
        return load_directory(
            self._directory,
            roots=self._roots,
            product=PRODUCT,
            instance_vkey=self._instance_vkey,
            min_serial=min_serial,
            min_epoch=min_epoch,
        )
