"""What the rest of a service needs of the reporter of a connected run, which is in a higher layer.

`appliance.metering.reporter` is the one that does it; a disconnected run has none.
"""

from typing import Any, Protocol


class Metering(Protocol):
    """A connected run's side of admission and status: no metering, no answers."""

    def check(self, now: int) -> None:
        """Return if a query may be answered at an effective time, as far as metering goes.

        Raises:
            NotMetered, LicenseRefusal: It may not.
        """
        ...

    def on_quota_exhausted(self) -> None:
        """Learn that the plan had no units left for a query."""
        ...

    def limit(self, meter: str, term: int, units: int, taken: int) -> int:
        """Return up to how many of the plan's units may be used here, where a site's desk divides the plan.

        Args:
            meter: The meter.
            term: First second of the term.
            units: Units of the plan.
            taken: Units that are recorded and reserved, with those of the request at hand.
        """
        ...

    def take(self, meter: str, term: int, units: int, taken: int) -> int:
        """Return the same for a request that is answered if it fits: what it takes is not given back."""
        ...

    def on_slice_used_up(self, meter: str, need: int) -> None:
        """Learn that a request needed `need` units beyond those recorded, and the slice has less."""
        ...

    def report(self) -> dict[str, Any]:
        """Return how metering stands, with a `status` word and its `message`."""
        ...

    @property
    def failed_attempts(self) -> int:
        """Failed reports since the last successful one."""
        ...

    def answers_until(self) -> int | None:
        """Return the last second in which a query is answered without further word; None for none."""
        ...
