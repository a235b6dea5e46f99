"""Gauges at the moment of a scrape: licence, plan, ledger, clock, queue and disk."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.host.effective_clock import EffectiveClock
from appliance.host.filesystem import free_bytes
from appliance.licensing.manager import LicenseManager
from appliance.licensing.metering import Metering
from appliance.licensing.status import LicenseStatus
from appliance.version import VERSION
from license.licenses.validity import State, days_left, grace_days_left

_STATES: Final = (State.NOT_YET_VALID, State.VALID, State.EXPIRING, State.GRACE, State.EXPIRED)


class LedgerFacts(Protocol):
    """What the ledger tells without touching the disk."""

    @property
    def size(self) -> int:
        """Durable entries."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether usage can be recorded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that are asked.

    Attributes:
        manager: The licence in force.
        status: Plan and usage.
        ledger: The ledger.
        clock: Effective time.
        output: The output mount.
        waiting_tokens: Tokens in the queues of all models.
        models: Number of models that are served.
        models_in_memory: Number of them that are in memory.
        ready: Whether a request would be answered.
        used_up: Why the plan refuses every request; empty if it does not.
        metering: How a connected run stands with its endpoint; None in a disconnected use.
    """

    manager: LicenseManager
    status: LicenseStatus
    ledger: LedgerFacts
    clock: EffectiveClock
    output: Path
    waiting_tokens: Callable[[], int]
    models: Callable[[], int]
    models_in_memory: Callable[[], int]
    ready: Callable[[], bool]
    used_up: Callable[[], str]
    metering: Metering | None = None


class StatusCollector(Collector):
    """Asks the parts at each scrape.

    Args:
        parts: Whom to ask.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked when the collector is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield every metric."""
        parts = self._parts
        yield InfoMetricFamily("appliance_build", "This software", {"version": VERSION})
        yield _gauge("appliance_ready", "Whether a request would be answered", parts.ready())
        yield _gauge("appliance_models", "Models served", parts.models())
        yield _gauge("appliance_models_in_memory", "Models in memory", parts.models_in_memory())
        yield _gauge("appliance_queue_tokens", "Tokens that wait for a model", parts.waiting_tokens())
        yield from self._license()
        yield from self._plan()
        yield _gauge("appliance_ledger_entries", "Entries of the usage ledger", parts.ledger.size)
        yield _gauge("appliance_ledger_healthy", "Whether usage can be recorded", parts.ledger.healthy)
        yield from self._clock()
        with contextlib.suppress(OSError):
            free = free_bytes(parts.output)
            yield _gauge("appliance_output_free_bytes", "Space left for usage records", free)

    def _license(self) -> Iterable[Metric]:
        parts = self._parts
        now = parts.clock.now()
        license = parts.manager.current.license
        state = parts.status.snapshot().state
        states = GaugeMetricFamily(
            "appliance_license_state", "State of the licence: 1 for the current state", labels=["state"]
        )
        for known in _STATES:
            states.add_metric([str(known)], float(known is state))
        yield states
        if parts.metering is None:  # a lease lasts days and is renewed by itself
            yield _gauge(
                "appliance_license_days_left", "Days until the licence expires", days_left(license, now)
            )
            yield _gauge(
                "appliance_license_grace_days_left",
                "Days until requests are refused",
                grace_days_left(license, now),
            )
        else:
            yield from _metering(parts.metering, now)
        yield _gauge("appliance_license_serial", "Serial of the licence", license.serial)
        yield _gauge("appliance_license_refused_files", "Files that were refused", len(parts.manager.refused))

    def _plan(self) -> Iterable[Metric]:
        included = GaugeMetricFamily(
            "appliance_plan_included_units", "Units that the plan includes in its period", labels=["meter"]
        )
        used = GaugeMetricFamily(
            "appliance_plan_used_units", "Units used of them in this period", labels=["meter"]
        )
        for use in self._parts.status.snapshot().plan:
            included.add_metric([use.meter], float(use.included))
            used.add_metric([use.meter], float(use.used))
        yield included
        yield used
        yield _gauge(
            "appliance_plan_used_up",
            "Whether requests are refused because a plan that blocks has no units left",
            bool(self._parts.used_up()),
        )

    def _clock(self) -> Iterable[Metric]:
        clock = self._parts.clock
        offset = clock.now() - clock.reading().wall
        yield _gauge("appliance_clock_offset_seconds", "Effective time minus the machine's clock", offset)
        yield _gauge("appliance_clock_held", "Whether the machine's clock is not believed", clock.held)


def _metering(metering: Metering, now: int) -> Iterable[Metric]:
    until = metering.answers_until()
    yield _gauge(
        "appliance_metering_failed_attempts",
        "Failed reports since the last successful one",
        metering.failed_attempts,
    )
    yield _gauge(
        "appliance_metering_seconds_left",
        "Seconds until queries are refused unless a report succeeds",
        0 if until is None else max(0, until - now + 1),
    )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))
