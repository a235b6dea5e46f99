"""The operators' page put together: only here everything that it asks is known."""

import logging
from typing import TYPE_CHECKING

from appliance.api.admin.parts import AdminParts
from appliance.api.operations.status import OperationsApi
from appliance.host.memory import resident_bytes
from appliance.observability.history import History, Sample, take_sample
from appliance.observability.recent_lines import RecentLines

if TYPE_CHECKING:
    from appliance.licensing.installation import Installation
    from appliance.server.app import Appliance


class Administration:
    """What the page needs of a running service beyond its parts.

    Args:
        appliance: The opened service.
        installation: Its settings and directories.
    """

    def __init__(self, appliance: "Appliance", installation: "Installation") -> None:
        self._appliance = appliance
        self._installation = installation
        self._lines = RecentLines()
        self.history = History(self._sample)
        logging.getLogger().addHandler(self._lines)

    def parts(self) -> AdminParts:
        """Return what the endpoints are made of."""
        appliance = self._appliance
        return AdminParts(
            service=appliance,
            installation=self._installation,
            identity=appliance.identity,
            report=OperationsApi(appliance).report,
            history=self.history,
            lines=self._lines,
            support=self._support,
            open_connections=appliance.open_connections,
            connected=appliance.metering is not None,
        )

    def close(self) -> None:
        """Keep no more lines."""
        logging.getLogger().removeHandler(self._lines)

    def _sample(self) -> Sample:
        appliance = self._appliance
        return take_sample(
            appliance.instruments,
            queue=appliance.service.waiting(),
            memory=resident_bytes(),
            connections=appliance.open_connections()[0],
        )

    def _support(self) -> bytes:
        """Examine the machine and return the archive; what it needs is loaded when somebody asks."""
        from appliance.doctor.examine import examine, system_time  # noqa: PLC0415
        from appliance.doctor.support_bundle import bundle_bytes  # noqa: PLC0415
        from appliance.host.effective_clock import system_sources  # noqa: PLC0415

        found = examine(self._installation, clock=system_sources())
        return bundle_bytes(self._installation.settings, found, now=system_time())
