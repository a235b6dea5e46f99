"""The parts of a running service that the operators' page asks, and changes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from appliance.config.identity import Identity
from appliance.config.products import Product
from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.licensing.installation import Installation
from appliance.licensing.maintenance import Maintenance
from appliance.licensing.manager import LicenseManager
from appliance.licensing.status import LicenseStatus
from appliance.observability.history import History
from appliance.observability.recent_lines import RecentLines
from appliance.pipeline.deployments import Deployments


class Administered(Protocol):
    """An opened service."""

    product: Product
    licenses: LicenseManager
    status: LicenseStatus
    clock: EffectiveClock
    ledger: Ledger
    ledger_directory: Path
    output_mount: Path
    maintenance: Maintenance

    @property
    def deployments(self) -> Deployments:
        """The models that are served."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """What the page is made of.

    Attributes:
        service: The opened service.
        installation: Its settings and directories, as the commands know them.
        identity: Its keys.
        report: Returns what `/status` answers to a caller with a key.
        history: The last hour.
        lines: The last lines of the log.
        support: Makes the support archive; takes as long as an examination of the machine.
        open_connections: Returns how many connections are open, and how many there may be.
        connected: Whether a lease takes the place of a licence.
    """

    service: Administered
    installation: Installation
    identity: Identity
    report: Callable[[], dict[str, Any]]
    history: History
    lines: RecentLines
    support: Callable[[], bytes]
    open_connections: Callable[[], tuple[int, int]]
    connected: bool
