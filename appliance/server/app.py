"""The composition root: builds every part from the settings, wires them together, and ends them in order.

Parts receive the few values they need; only this file knows all of them.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from appliance.config.directories import required_mounts
from appliance.config.identity import Identity
from appliance.config.products import SPEECH_TO_TEXT, Product
from appliance.config.settings import Settings
from appliance.ledger.ledger import Ledger
from appliance.ledger.log.anchors import Anchor
from appliance.ledger.read.fork_check import ForkFinding
from appliance.ledger.read.high_water import recorded_floor
from appliance.licensing.admission import AdmissionControl
from appliance.licensing.effective_time import open_clock, time_at_start
from appliance.licensing.maintenance import Maintenance, log_fork_findings
from appliance.licensing.manager import LicenseManager
from appliance.licensing.status import LicenseStatus
from appliance.metering.lease import Connection
from appliance.metering.reporter import Reporter
from appliance.models.packages import ModelKeys
from appliance.observability.instruments import Instruments
from appliance.pipeline.deployments import Deployments
from appliance.server.asgi import build_application
from appliance.services.base import STUCK_SECONDS, Service, ServiceContext
from appliance.version import VERSION
from license.trust.roots import TrustRoots

if TYPE_CHECKING:
    from appliance.services.preload import ModelPreloader


def _open(service: Product, on: ServiceContext) -> Service:
    """Open what a service adds; each brings libraries that the others do without."""
    if service is SPEECH_TO_TEXT:
        from appliance.services.speech import SpeechService  # noqa: PLC0415  (loaded where it is wanted)

        return SpeechService(on)
    from appliance.services.text import TextService  # noqa: PLC0415  (loaded where it is wanted)

    return TextService(on)


class Appliance:
    """The service, opened and ready to be served; close it exactly once.

    Args:
        settings: Start parameters.
        identity: Keys of this installation.
        roots: Keys that may vouch for a licence.
        connection: The way to the metering endpoint in a connected run.
        ahead: The first model, if it is being prepared already.

    Attributes:
        metering: What reports to it; None in a disconnected run.

    Raises:
        ApplianceError: A mount or the ledger is refused.
        LicenseError: The licence is missing, refused, expired or not yet valid.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        identity: Identity,
        roots: TrustRoots,
        connection: Connection | None = None,
        ahead: "ModelPreloader | None" = None,
    ) -> None:
        license_mount, self.output_mount = required_mounts(settings)
        self.settings = settings
        self.service = settings.service
        self.ledger_directory = self.output_mount / self.service.name / identity.instance
        floor = recorded_floor(self.ledger_directory)
        self.keeper = LicenseManager(
            license_mount,
            roots=roots,
            product=self.service.product,
            instance_vkey=identity.vkey,
            time_under=lambda license: time_at_start(license, floor),
            min_serial=floor.serial,
            min_epoch=floor.epoch,
            lease=settings.lease,
        )
        licensed = self.keeper.current
        self.keeper.require_startable(time_at_start(licensed.license, floor))
        mismatches = log_fork_findings(self.ledger_directory, licensed, identity.instance)
        self.clock = open_clock(licensed.license, floor)
        self.ledger = Ledger.open(
            self.ledger_directory,
            identity=identity.signing,
            state=identity.directory,
            clock=self.clock,
            license=licensed,
            software=f"offline-appliance {VERSION}",
            service=self.service.name,
            anchors=[Anchor(path) for path in settings.ledger_anchors],
        )
        self.accountant = LicenseStatus(keeper=self.keeper, clock=self.clock, used=self.ledger.used)
        self.gate = AdmissionControl(
            keeper=self.keeper, now=self.clock.now, used=self.ledger.used, meter=self.service.meter
        )
        self.tender = Maintenance(
            keeper=self.keeper,
            ledger=self.ledger,
            ledger_directory=self.ledger_directory,
            instance=identity.instance,
            clock=self.clock,
            accountant=self.accountant,
            state=identity.directory,
            mismatches=mismatches,
        )
        self.metering = None if connection is None else self._open_metering(connection)
        self.instruments = Instruments()
        self.stopping = False
        foundation = ServiceContext(
            settings=settings,
            identity=identity,
            gate=self.gate,
            ledger=self.ledger,
            ledger_directory=self.ledger_directory,
            clock=self.clock.now,
            model_keys=lambda: ModelKeys(licensed=self.keeper.current, hpke=identity.hpke, roots=roots),
            instruments=self.instruments,
            ahead=ahead,
        )
        try:
            self.answering: Service = _open(self.service, foundation)
        except BaseException:
            self.ledger.close()
            raise
        if self.metering is not None:
            self.metering.start()

    def _open_metering(self, connection: Connection) -> Reporter:
        reporter = Reporter(
            connection,
            ledger=self.ledger,
            directory=self.ledger_directory,
            keeper=self.keeper,
            now=self.clock.now,
            reload=self.tender.reload,
        )
        self.gate.metering = reporter
        return reporter

    @property
    def deployments(self) -> Deployments:
        """The models that are served."""
        return self.answering.deployments

    @property
    def mismatches(self) -> tuple[ForkFinding, ...]:
        """What differs from the heads in the licence in force."""
        return self.tender.mismatches

    def asgi(self) -> ASGIApp:
        """The ASGI application."""
        return build_application(self)

    def stuck(self) -> str | None:
        """Name the part that no longer moves, if there is one; the watchdog asks."""
        if self.answering.stuck():
            return "the model"
        if self.ledger.heartbeat_age() > STUCK_SECONDS:
            return "the ledger"
        return None

    async def leave(self) -> None:
        """The service is about to stop: end what would go on for long."""
        self.stopping = True
        await self.answering.leave()

    async def close(self, drain_seconds: float) -> None:
        """End in order: what answers, the last report, then the ledger with its last checkpoint."""
        self.stopping = True
        await self.answering.close(drain_seconds)
        if self.metering is not None:
            await asyncio.to_thread(self.metering.close)
        await asyncio.to_thread(self.ledger.close)

    def abandon(self) -> None:
        """Close what was opened when serving never began."""
        self.answering.abandon()
        if self.metering is not None:
            self.metering.abandon()
        with contextlib.suppress(OSError):
            self.ledger.close()
