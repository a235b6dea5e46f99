"""What a service adds to the appliance: routes that answer, and models behind them.

The appliance around it is the same for every service: licence, clock, ledger, operations, start and stop.
"""

from collections.abc import Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from appliance.pipeline.deployments import Deployments


class Service(Protocol):
    """One service's own part, from its opening to its end.

    Attributes:
        deployments: The models it serves, empty until they are loaded.
    """

    deployments: Deployments

    def routes(self) -> Sequence[BaseRoute]:
        """Routes of this service, mounted before the common ones."""
        ...

    async def load(self) -> None:
        """Load the models and go on with what a crash interrupted.

        Raises:
            ModelError, LicenseError: Not one model can be served.
        """
        ...

    def waiting(self) -> int:
        """Work that waits for a model, in the unit of its queue."""
        ...

    def is_overloaded(self, path: str) -> bool:
        """Whether a request to that path would only be refused, since too much waits."""
        ...

    def stuck(self) -> bool:
        """Whether a model no longer moves."""
        ...

    async def leave(self) -> None:
        """End what would go on for long; the service stops, and its sockets are about to be closed."""
        ...

    async def close(self, drain_seconds: float) -> None:
        """End what runs, then the models."""
        ...

    def abandon(self) -> None:
        """Close what was opened when serving never began."""
        ...
