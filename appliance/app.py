"""The composition root: builds every part from the settings, wires them together, and ends them in order.

Parts receive the few values they need; only this file knows all of them.
"""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.types import ASGIApp

from appliance.api import openapi, pages
from appliance.api.access import AccessControl
from appliance.api.documents import Limits
from appliance.api.envelope import Envelope
from appliance.api.jobviews import describe
from appliance.api.language import Language, LanguageApi, LanguageLimits
from appliance.api.legacy import LegacyApi
from appliance.api.models import ModelsApi
from appliance.api.operations import OperationsApi
from appliance.api.problems import HANDLERS
from appliance.api.work import DocumentWork
from appliance.clockword import take_word
from appliance.deployments import Deployments
from appliance.errors import OutputError, SettingsError, UsageStoreUnavailable
from appliance.gate import Gate
from appliance.identity import Identity
from appliance.inference.engine import NerEngine
from appliance.jobs.runner import Jobs
from appliance.jobs.store import JobStore
from appliance.jobs.turns import Turns
from appliance.licensing import LicenseKeeper
from appliance.metrics import page as metrics_page
from appliance.metrics.instruments import Instruments
from appliance.metrics.measured import MeasuredRequests, MeasuredStore
from appliance.metrics.standing import Parts, StandingCollector
from appliance.models import find_models, load_models
from appliance.packages import ModelKeys, open_model
from appliance.pipeline import TEXT_RECORDS, Pipeline
from appliance.settings import Settings
from appliance.standing import Accountant
from appliance.timing import open_clock, time_at_start, time_while_running
from appliance.usage.floor import recorded_floor
from appliance.usage.forks import Mismatch, check_heads
from appliance.usage.ledger import Ledger
from appliance.usage.lookup import recorded_requests
from appliance.version import SERVICE, VERSION
from license.roots import TrustRoots
from license.verify import AuthenticLicense

_log = logging.getLogger(__name__)

TEND_SECONDS: Final = 30
STUCK_SECONDS: Final = 5.0


class Appliance:
    """The service, opened and ready to be served; close it exactly once.

    Args:
        settings: Start parameters.
        identity: Keys of this installation.
        roots: Keys that may vouch for a licence.

    Raises:
        ApplianceError: A mount or the ledger is refused.
        LicenseError: The licence is missing, refused, expired or not yet valid.
    """

    def __init__(self, settings: Settings, *, identity: Identity, roots: TrustRoots) -> None:
        license_mount, output_mount = _mounts(settings)
        self.settings = settings
        self.identity = identity
        self._roots = roots
        self.output_mount = output_mount
        self.ledger_directory = output_mount / SERVICE / identity.instance
        floor = recorded_floor(self.ledger_directory)
        self.keeper = LicenseKeeper(
            license_mount,
            roots=roots,
            instance_vkey=identity.vkey,
            time_under=lambda license: time_at_start(license, floor),  # noqa: A006
            min_serial=floor.serial,
            min_epoch=floor.epoch,
        )
        licensed = self.keeper.current
        self.keeper.require_dates(time_at_start(licensed.license, floor))
        self.mismatches = self._compare_heads(licensed)
        self.clock = open_clock(licensed.license, floor)
        self.ledger = Ledger.open(
            self.ledger_directory,
            identity=identity.signing,
            state=identity.directory,
            clock=self.clock,
            license=licensed,
            software=f"offline-appliance {VERSION}",
            service=SERVICE,
        )
        self.accountant = Accountant(keeper=self.keeper, clock=self.clock, used=self.ledger.used)
        self.gate = Gate(keeper=self.keeper, now=self.clock.now, used=self.ledger.used, meter=TEXT_RECORDS)
        self.instruments = Instruments()
        self.pipeline = Pipeline(gate=self.gate, usage=MeasuredStore(self.ledger, self.instruments))
        self.deployments = Deployments(alias=settings.model_alias)
        self.engines: tuple[NerEngine, ...] = ()
        self.stopping = False
        try:
            self.jobs = self._open_jobs()
        except BaseException:
            self.ledger.close()
            raise

    def asgi(self) -> ASGIApp:
        """The ASGI application."""
        settings = self.settings
        language = Language(
            pipeline=self.pipeline,
            deployments=self.deployments,
            jobs=self.jobs,
            clock=self.clock.now,
            limits=LanguageLimits(
                body_bytes=settings.max_body_bytes,
                job=Limits(
                    documents=settings.documents_per_job, characters_in_all=settings.characters_per_job
                ),
                request=Limits(
                    documents=settings.documents_per_request,
                    characters_per_document=settings.characters_per_document,
                ),
            ),
        )
        operations = OperationsApi(self)
        self.instruments.registry.register(StandingCollector(self._parts(operations)))
        application = Starlette(
            routes=[
                *LanguageApi(language).routes(),
                *LegacyApi(language).routes(),
                *ModelsApi(self.deployments).routes(),
                *operations.routes(),
                *metrics_page.routes(self.instruments.registry),
                *openapi.routes(
                    project=settings.project_name,
                    deployment=settings.exported_model_name or settings.deployment_name,
                ),
                *pages.routes(),
            ],
            exception_handlers=HANDLERS,
        )
        # A path that differs by a slash is another path: clients do not repeat a POST elsewhere.
        application.router.redirect_slashes = False
        # Outside of Starlette's own last resort, so that a 500 has its request id too.
        guarded = Envelope(AccessControl(application, settings.api_keys))
        return MeasuredRequests(guarded, self.instruments)

    def _parts(self, operations: OperationsApi) -> Parts:
        return Parts(
            keeper=self.keeper,
            accountant=self.accountant,
            ledger=self.ledger,
            clock=self.clock,
            output=self.output_mount,
            waiting_tokens=lambda: sum(engine.waiting_tokens for engine in self.engines),
            models=lambda: len(self.deployments),
            ready=lambda: not operations.not_ready(),
        )

    def _open_jobs(self) -> Jobs:
        settings = self.settings
        self.job_store = JobStore.open(
            directory=self.identity.directory,
            url=settings.jobs_database,
            instance=self.identity.instance,
            capacity=settings.jobs_kept,
        )
        work = DocumentWork(
            pipeline=self.pipeline, deployments=self.deployments, turns=Turns(settings.job_turns)
        )
        return Jobs(
            store=self.job_store,
            work=work,
            describe=describe,
            clock=self.clock.now,
            mark=lambda: (self.ledger.origin, self.ledger.size),
            capacity=settings.jobs_kept,
            characters=settings.job_characters_waiting,
        )

    async def load_models(self) -> None:
        """Load the models and serve them; the event loop stays free.

        Raises:
            ModelError, LicenseError: Not one model can be served.
        """
        places = await asyncio.to_thread(find_models, self.settings)
        loaded = await asyncio.to_thread(load_models, places, self._load_model)
        self.engines = loaded.engines
        self.deployments.set(loaded.deployments, loaded.failed)
        await self.jobs.resume(lambda ids, since: recorded_requests(self.ledger_directory, ids, since=since))

    def _load_model(self, path: Path) -> NerEngine:
        settings = self.settings
        keys = ModelKeys(licensed=self.keeper.current, hpke=self.identity.hpke, roots=self._roots)
        return NerEngine.load(
            open_model(path, keys),
            sessions=settings.sessions,
            batch_tokens=settings.batch_tokens,
            queue_tokens=settings.queue_tokens,
            observe=self.instruments.batch,
        )

    async def tend(self) -> None:
        """Look after what changes with time: a new licence, announcements. Runs until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.reload)
            except Exception:  # whatever it is, the next look is half a minute away and must come
                _log.exception("licence and clock could not be looked after")
            await asyncio.sleep(TEND_SECONDS)

    def reload(self) -> None:
        """Look now for a newer licence and a word on the clock, and announce what is due.

        Blocks while a change is recorded, so not on the event loop.
        """
        take_word(self.identity.directory, self.clock)
        self.keeper.reload(
            self._accept,
            time_under=lambda license: time_while_running(  # noqa: A006
                license, self.clock, serial=self.keeper.current.license.serial
            ),
        )
        self.accountant.announce()

    def _accept(self, licensed: AuthenticLicense) -> None:
        """Put a licence in force, unless the logs are not those it names and it says to refuse."""
        found = self._compare_heads(licensed)
        self.ledger.change_license(licensed)
        self.mismatches = found

    def _compare_heads(self, licensed: AuthenticLicense) -> tuple[Mismatch, ...]:
        found = check_heads(self.ledger_directory, licensed.license, instance=self.identity.instance)
        for mismatch in found:
            _log.error("LedgerMismatch: %s: %s", mismatch.origin, mismatch.message)
        return tuple(found)

    def hang_up(self) -> None:
        """Do what SIGHUP asks for: look for a newer licence, and sign the ledger as it stands.

        Blocks while both are recorded, so not on the event loop.
        """
        self.reload()
        try:
            self.ledger.checkpoint()
        except UsageStoreUnavailable as error:
            _log.warning("no checkpoint could be signed: %s", error.message)

    def stuck(self) -> str | None:
        """Name the part that no longer moves, if there is one; the watchdog asks."""
        if any(engine.heartbeat_age() > STUCK_SECONDS for engine in self.engines):
            return "the model"
        if self.ledger.heartbeat_age() > STUCK_SECONDS:
            return "the ledger"
        return None

    async def close(self, drain_seconds: float) -> None:
        """End in order: jobs, model, then the ledger with its last checkpoint."""
        self.stopping = True
        await self.jobs.close(drain_seconds)
        for engine in self.engines:
            await asyncio.to_thread(engine.close)
        await asyncio.to_thread(self.ledger.close)

    def abandon(self) -> None:
        """Close what was opened when serving never began."""
        self.job_store.close()
        with contextlib.suppress(OSError):
            self.ledger.close()


def _mounts(settings: Settings) -> tuple[Path, Path]:
    if settings.license_mount is None:
        raise SettingsError(
            "Mounts:License is missing: it names the directory that holds the licence.",
            hint="add Mounts:License=/etc/appliance/license, or download a licence with DownloadLicense=True",
        )
    if settings.output_mount is None:
        raise SettingsError(
            "Mounts:Output is missing: without it no usage record can be kept and nothing may be answered.",
            hint="add Mounts:Output=/var/lib/appliance/output",
        )
    if not settings.output_mount.is_dir():
        raise OutputError(
            f"the output directory {settings.output_mount} does not exist",
            hint=f"create it for the service's user: sudo install -d -m 0700 {settings.output_mount}",
        )
    return settings.license_mount, settings.output_mount
