"""What the appliance gives to a service, whichever it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.config.identity import Identity
from appliance.config.settings import Settings
from appliance.ledger.ledger import Ledger
from appliance.licensing.admission import AdmissionControl
from appliance.models.packages import ModelKeys
from appliance.observability.instruments import Instruments

if TYPE_CHECKING:
    from appliance.services.preload import ModelPreloader

STUCK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """What the appliance gives to a service.

    Attributes:
        settings: Start parameters.
        identity: Keys of this installation.
        gate: Decides by licence state and quota.
        ledger: Makes usage durable.
        ledger_directory: Where its logs lie.
        clock: Effective time, Unix seconds.
        model_keys: What opens encrypted models under the licence in force now.
        instruments: Counters and timers.
        ahead: The first model, if it is being prepared already.
    """

    settings: Settings
    identity: Identity
    gate: AdmissionControl
    ledger: Ledger
    ledger_directory: Path
    clock: Callable[[], int]
    model_keys: Callable[[], ModelKeys]
    instruments: Instruments
    ahead: "ModelPreloader | None" = None
