"""What changes while a service runs: a new licence, a confirmed clock, notices that become due."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from appliance.errors import UsageStoreUnavailable
from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.fork_check import ForkFinding, check_heads
from appliance.licensing.clock_confirmation import consume_confirmation
from appliance.licensing.effective_time import time_while_running
from appliance.licensing.manager import LicenseManager
from appliance.licensing.status import LicenseStatus
from license.evidence.verify.witness import with_proven_heads
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.tending")

RELOAD_SECONDS: Final = 30


def log_fork_findings(ledger: Path, licensed: AuthenticLicense, instance: str) -> tuple[ForkFinding, ...]:
    """Compare the logs in a directory with the heads that a licence carries, and log what differs.

    Raises:
        LedgerMismatch: One differs, and the licence says to refuse.
    """
    findings = check_heads(ledger, with_proven_heads(licensed), instance=instance)
    for finding in findings:
        _log.error("LedgerMismatch: %s: %s", finding.origin, finding.message)
    return tuple(findings)


class Maintenance:
    """Looks after the licence, the clock and the notices of a running service.

    Args:
        manager: The licence in force.
        ledger: Records what changes.
        ledger_directory: Where its logs lie.
        instance: Identifier of this installation.
        clock: Effective time.
        status: Says what is due.
        state: State directory, where operators leave a confirmation of the clock.
        fork_findings: What differed from the heads in the licence at start.

    Attributes:
        fork_findings: What differs from the heads in the licence in force.
    """

    def __init__(
        self,
        *,
        manager: LicenseManager,
        ledger: Ledger,
        ledger_directory: Path,
        instance: str,
        clock: EffectiveClock,
        status: LicenseStatus,
        state: Path,
        fork_findings: tuple[ForkFinding, ...],
    ) -> None:
        self._manager = manager
        self._ledger = ledger
        self._ledger_directory = ledger_directory
        self._instance = instance
        self._clock = clock
        self._status = status
        self._state = state
        self.fork_findings = fork_findings

    async def run(self) -> None:
        """Reload every half minute. Runs until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.reload)
            except Exception:  # whatever it is, the next look is half a minute away and must come
                _log.exception("licence and clock could not be checked")
            await asyncio.sleep(RELOAD_SECONDS)

    def reload(self) -> None:
        """Look now for a newer licence and a confirmation of the clock, and announce what is due.

        Blocks while a change is recorded, so not on the event loop.
        """
        consume_confirmation(self._state, self._clock)
        self._manager.reload(
            self._accept,
            time_under=lambda license: time_while_running(
                license, self._clock, serial=self._manager.current.license.serial
            ),
        )
        self._status.announce()

    def _accept(self, licensed: AuthenticLicense) -> None:
        """Put a licence in force, unless the logs are not those it names and it says to refuse."""
        findings = log_fork_findings(self._ledger_directory, licensed, self._instance)
        self._ledger.change_license(licensed)
        self.fork_findings = findings

    def on_sighup(self) -> None:
        """Do what SIGHUP asks for: look for a newer licence, and sign the ledger as it stands.

        Blocks while both are recorded, so not on the event loop.
        """
        self.reload()
        try:
            self._ledger.checkpoint()
        except UsageStoreUnavailable as error:
            _log.warning("no checkpoint could be signed: %s", error.message)
