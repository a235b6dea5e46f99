"""The composition root: builds every part from the settings, wires them together, and ends them in order.

Parts receive the few values they need; only this file knows all of them.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from appliance.config.directories import ledger_directory, required_mounts
from appliance.config.identity import Identity
from appliance.config.products import SPEECH_TO_TEXT, Product
from appliance.config.settings import Settings
from appliance.ledger.ledger import Ledger
from appliance.ledger.log.anchors import Anchor
from appliance.ledger.read.fork_check import ForkFinding
from appliance.ledger.read.high_water import recorded_high_water
from appliance.licensing.admission import AdmissionControl
from appliance.licensing.effective_time import open_clock, time_at_start
from appliance.licensing.lasting_output import require_disposable, require_lasting_output
from appliance.licensing.maintenance import Maintenance, log_fork_findings
from appliance.licensing.manager import LicenseManager
from appliance.licensing.status import LicenseStatus
from appliance.models.packages import ModelKeys
from appliance.observability.instruments import Instruments
from appliance.pipeline.deployments import Deployments
from appliance.server.asgi import build_application
from appliance.server.workers import check_workers
from appliance.services.base import STUCK_SECONDS, Service, ServiceContext
from appliance.version import VERSION
from license.trust.roots import TrustRoots

if TYPE_CHECKING:
    from appliance.licensing.installation import Installation
    from appliance.metering.lease import Connection
    from appliance.metering.reporter import Reporter
    from appliance.server.admin import Administration
    from appliance.services.preload import ModelPreloader


def _open(product: Product, context: ServiceContext) -> Service:
    """Open what a service adds; each brings libraries that the others do without."""
    if product is SPEECH_TO_TEXT:
        from appliance.services.speech import SpeechService  # noqa: PLC0415  (loaded where it is wanted)

        return SpeechService(context)
    from appliance.services.text import TextService  # noqa: PLC0415  (loaded where it is wanted)

    return TextService(context)


class Appliance:
    """The service, opened and ready to be served; close it exactly once.

    Args:
        settings: Start parameters.
        identity: Keys of this installation.
        roots: Keys that may vouch for a licence.
        connection: The way to the metering endpoint in a connected run.
        preloader: The first model, if it is being prepared already.
        installation: Settings and directories as the commands know them; for the operators' page.

    Attributes:
        admin: What the operators' page needs; None where there is none.
        open_connections: Returns how many connections are open, and how many there may be.
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
        connection: "Connection | None" = None,
        preloader: "ModelPreloader | None" = None,
        installation: "Installation | None" = None,
    ) -> None:
        license_mount, self.output_mount = required_mounts(settings)
        require_lasting_output(settings)
        self.settings = settings
        self.identity = identity
        self.open_connections: Callable[[], tuple[int, int]] = lambda: (0, settings.connections)
        self.product = settings.service
        self.ledger_directory = ledger_directory(self.output_mount, self.product, identity.instance)
        high_water = recorded_high_water(self.ledger_directory)
        self.licenses = LicenseManager(
            license_mount,
            roots=roots,
            product=self.product.product,
            instance_vkey=identity.vkey,
            time_under=lambda license: time_at_start(license, high_water),
            min_serial=high_water.serial,
            min_epoch=high_water.epoch,
            lease=settings.lease,
        )
        licensed = self.licenses.current
        self.licenses.require_startable(time_at_start(licensed.license, high_water))
        require_disposable(settings, licensed.license)
        check_workers(settings, licensed.license)
        fork_findings = log_fork_findings(self.ledger_directory, licensed, identity.instance)
        self.clock = open_clock(licensed.license, high_water)
        self.ledger = Ledger.open(
            self.ledger_directory,
            identity=identity.signing,
            state=identity.state,
            keys=identity.directory,
            clock=self.clock,
            license=licensed,
            software=f"offline-appliance {VERSION}",
            service=self.product.name,
            anchors=[Anchor(path) for path in settings.ledger_anchors],
        )
        self.status = LicenseStatus(
            manager=self.licenses, clock=self.clock, used=self.ledger.used, meter=self.product.meter
        )
        self.admission = AdmissionControl(
            manager=self.licenses, now=self.clock.now, used=self.ledger.used, meter=self.product.meter
        )
        self.maintenance = Maintenance(
            manager=self.licenses,
            ledger=self.ledger,
            ledger_directory=self.ledger_directory,
            instance=identity.instance,
            clock=self.clock,
            status=self.status,
            state=identity.state,
            fork_findings=fork_findings,
        )
        self.metering = None if connection is None else self._open_metering(connection)
        self.instruments = Instruments()
        self.stopping = False
        context = ServiceContext(
            settings=settings,
            identity=identity,
            admission=self.admission,
            ledger=self.ledger,
            ledger_directory=self.ledger_directory,
            clock=self.clock.now,
            model_keys=lambda: ModelKeys(licensed=self.licenses.current, hpke=identity.hpke, roots=roots),
            instruments=self.instruments,
            preloader=preloader,
        )
        try:
            self.service: Service = _open(self.product, context)
        except BaseException:
            self.ledger.close()
            raise
        self.admin: Administration | None = None
        if settings.operator_keys and installation is not None:
            self.admin = self._open_administration(installation)
        if self.metering is not None:
            self.metering.start()

    def _open_administration(self, installation: "Installation") -> "Administration":
        from appliance.server.admin import Administration  # noqa: PLC0415  (loaded where it is wanted)

        return Administration(self, installation)

    def _open_metering(self, connection: "Connection") -> "Reporter":
        from appliance.metering.reporter import Reporter  # noqa: PLC0415  (loaded where it is wanted)

        reporter = Reporter(
            connection,
            ledger=self.ledger,
            directory=self.ledger_directory,
            manager=self.licenses,
            now=self.clock.now,
            reload=self.maintenance.reload,
        )
        self.admission.metering = reporter
        return reporter

    @property
    def deployments(self) -> Deployments:
        """The models that are served."""
        return self.service.deployments

    @property
    def mismatches(self) -> tuple[ForkFinding, ...]:
        """What differs from the heads in the licence in force."""
        return self.maintenance.fork_findings

    def asgi(self) -> ASGIApp:
        """The ASGI application."""
        return build_application(self)

    def stuck(self) -> str | None:
        """Name the part that has stopped making progress, if there is one; the watchdog asks."""
        if self.service.stuck():
            return "the model"
        if self.ledger.heartbeat_age() > STUCK_SECONDS:
            return "the ledger"
        return None

    async def begin_shutdown(self) -> None:
        """The service is about to stop: end what would go on for long."""
        self.stopping = True
        await self.service.begin_shutdown()

    async def close(self, drain_seconds: float) -> None:
        """End in order: what answers, the last report, then the ledger with its last checkpoint."""
        self.stopping = True
        await self.service.close(drain_seconds)
        if self.metering is not None:
            await asyncio.to_thread(self.metering.close)
        await asyncio.to_thread(self.ledger.close)
        if self.admin is not None:
            self.admin.close()

    def close_unstarted(self) -> None:
        """Close what was opened when serving never began."""
        self.service.close_unstarted()
        if self.metering is not None:
            self.metering.abandon()
        with contextlib.suppress(OSError):
            self.ledger.close()
