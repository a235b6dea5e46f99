"""The contract between the appliance and a service: what each gives to the other.

The appliance is the same for every service: licence, clock, ledger, operations, start and stop. A service
adds routes that answer, and the models behind them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from starlette.routing import BaseRoute

from appliance.config.identity import Identity
from appliance.config.settings import Settings
from appliance.ledger.ledger import Ledger
from appliance.licensing.admission import AdmissionControl
from appliance.models.packages import ModelKeys
from appliance.observability.instruments import Instruments
from appliance.pipeline.deployments import Deployments

if TYPE_CHECKING:
    from appliance.services.preload import ModelPreloader

STUCK_SECONDS: Final = 5.0
"""Age of a heartbeat at which what should beat counts as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """What the appliance gives to a service.

    Attributes:
        settings: Start parameters.
        identity: Keys of this installation.
        admission: Decides by licence state and quota.
        ledger: Makes usage durable.
        ledger_directory: Where its logs lie.
        clock: Effective time, Unix seconds.
        model_keys: What opens encrypted models under the licence in force now.
        instruments: Counters and timers.
        preloader: The first model, if it is being prepared already.
    """

    settings: Settings
    identity: Identity
    admission: AdmissionControl
    ledger: Ledger
    ledger_directory: Path
    clock: Callable[[], int]
    model_keys: Callable[[], ModelKeys]
    instruments: Instruments
    preloader: "ModelPreloader | None" = None


class Service(Protocol):
    """One service's own part, from its opening to its end.

    Attributes:
        deployments: The models it serves, empty until they are loaded.
        speaks_websocket: Whether any of its paths does.
    """

    deployments: Deployments
    speaks_websocket: bool

    def routes(self) -> Sequence[BaseRoute]:
        """Routes of this service, mounted before the common ones."""
        ...

    async def load(self) -> None:
        """Load the models and go on with what a crash interrupted.

        Raises:
            ModelError, LicenseError: Not one model can be served.
        """
        ...

    def in_memory(self) -> int:
        """Models that are in memory; the others come when they are asked for."""
        ...

    async def look(self) -> None:
        """Serve what has changed in the place of the models; asked each minute and at SIGHUP."""
        ...

    def waiting(self) -> int:
        """Work that waits for a model, in the unit of its queue."""
        ...

    def is_overloaded(self, path: str) -> bool:
        """Whether a request to that path would only be refused, since too much waits."""
        ...

    def stuck(self) -> bool:
        """Whether a model has stopped making progress."""
        ...

    async def begin_shutdown(self) -> None:
        """End what would go on for long: the process stops, and its sockets are about to be closed."""
        ...

    async def close(self, drain_seconds: float) -> None:
        """End what runs, then the models."""
        ...

    def close_unstarted(self) -> None:
        """Close what was opened when serving never began."""
        ...
