"""The text service: entities in documents, at once or as jobs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.routing import BaseRoute

from appliance.api.authoring import label_page
from appliance.api.language.documents import Limits
from appliance.api.language.execution import DocumentWork
from appliance.api.language.job_responses import describe
from appliance.api.language.jobs import LanguageJobs
from appliance.api.language.legacy_routes import GENERAL, LegacyApi
from appliance.api.language.routes import ANALYZE, LanguageApi, LanguageLimits
from appliance.api.openapi_route import Document, document_route
from appliance.api.operations.models import ModelsApi
from appliance.host.cpus import usable_cores
from appliance.host.memory import MIB, MODEL_FACTOR, memory_for_models
from appliance.jobs.fair_turns import Turns
from appliance.jobs.runner import Jobs, Pace
from appliance.jobs.store import JobStore
from appliance.jobs.usage_id import UsageIds
from appliance.ledger.floor.recorded import recorded_requests
from appliance.models.locations import Place, find_models
from appliance.ner.calibration import Calibrations, this_machine
from appliance.ner.engine import NerEngine, Prepared, prepare
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.model_kind import open_model
from appliance.ner.queue import Room
from appliance.observability.middleware import MeasuredStore
from appliance.pipeline.deployments import Deployments
from appliance.pipeline.pipeline import Pipeline
from appliance.pipeline.resident_models import ResidentModels, ServedModel
from appliance.services.base import STUCK_SECONDS, ServiceContext
from appliance.services.live_models import LiveModels
from appliance.services.publisher import RegistryPublisher
from appliance.services.text_models import Loaded

if TYPE_CHECKING:
    from appliance.authoring.service import AuthoringService

CALIBRATION_FILE: Final = "calibration.json"


class TextService:
    """Custom named entity recognition, opened and without its models yet.

    Args:
        context: The appliance's parts.
    """

    speaks_websocket = False

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._pipeline = Pipeline(
            admission=context.admission, usage=MeasuredStore(context.ledger, context.instruments)
        )
        self.deployments = Deployments(alias=context.settings.model_alias)
        self._prepared: dict[Path, Prepared] = {}
        self._residents = ResidentModels(
            read=self._open_model,
            start=self._start_model,
            most_bytes=context.settings.model_mib * MIB or memory_for_models(),
            taken=lambda graph_bytes: MODEL_FACTOR * graph_bytes,
        )
        self._models = LiveModels(
            find=self._find_models,
            load=self._residents.load,
            license=lambda: context.model_keys().licensed.sha256,
        )
        self._loaded: Loaded | None = None
        self._authoring = self._open_authoring() if context.settings.authoring_enabled else None
        self._jobs = self._open_jobs()
        cores = usable_cores()
        self._calibrations = Calibrations(
            context.identity.state / CALIBRATION_FILE, machine=lambda: this_machine(cores)
        )

    def _open_authoring(self) -> "AuthoringService | None":
        from appliance.authoring.service import open_authoring  # noqa: PLC0415  (loaded where it is wanted)

        return open_authoring(
            self._context.settings,
            state=self._context.identity.state,
            deployments=self.deployments,
            load=self._residents.load,
            clock=self._context.clock,
            publisher=RegistryPublisher.of(self._context.settings),
        )

    def _find_models(self) -> list[Place]:
        """Where models are, but for those that are deployed here and were put there for other replicas."""
        places = find_models(self._context.settings)
        authoring = self._authoring
        if authoring is None:
            return places
        return [place for place in places if not authoring.serves(place.project, place.names[0])]

    def _open_jobs(self) -> Jobs:
        context, settings = self._context, self._context.settings
        self._job_store = JobStore.open(
            directory=context.identity.state,
            url=settings.jobs_database,
            instance=context.identity.instance,
            capacity=settings.jobs_kept,
            fleet=settings.jobs_fleet,
            lapse=settings.jobs_lapse_seconds,
        )
        work = DocumentWork(
            pipeline=self._pipeline,
            deployments=self.deployments,
            turns=Turns(settings.job_turns),
            ids=UsageIds(context.identity.secret()),
            warned=context.instruments.warned,
        )
        return Jobs(
            store=self._job_store,
            work=work,
            describe=describe,
            clock=context.clock,
            mark=lambda: (context.ledger.origin, context.ledger.size),
            capacity=settings.jobs_kept,
            characters=settings.job_characters_waiting,
            pace=Pace.of(settings.jobs_lapse_seconds),
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Language, the older paths, the models, and the description of them all."""
        settings = self._context.settings
        pipeline, deployments = self._pipeline, self.deployments
        jobs = LanguageJobs(
            pipeline=pipeline,
            deployments=deployments,
            jobs=self._jobs,
            limits=Limits(
                documents=settings.documents_per_job,
                characters_in_all=settings.characters_per_job,
                some_text=True,
            ),
            clock=self._context.clock,
        )
        limits = LanguageLimits(
            body_bytes=settings.max_body_bytes,
            request=Limits(
                documents=settings.documents_per_request,
                characters_per_document=settings.characters_per_document,
            ),
        )
        warned = self._context.instruments.warned
        current = LanguageApi(
            pipeline=pipeline, deployments=deployments, jobs=jobs, limits=limits, warned=warned
        )
        legacy = LegacyApi(
            pipeline=pipeline, deployments=deployments, jobs=jobs, limits=limits, warned=warned
        )
        return [
            *current.routes(),
            *legacy.routes(),
            *ModelsApi(self.deployments).routes(),
            *_authoring_routes(self._authoring),
            *label_page.routes(),
            document_route(self._openapi_document),
        ]

    def _openapi_document(self) -> Document:
        # Loaded when it is asked for: it needs the schemas of every reply.
        from appliance.api.language.openapi import document  # noqa: PLC0415

        settings = self._context.settings
        return document(
            project=settings.project_name,
            deployment=settings.exported_model_name or settings.deployment_name,
        )

    async def load(self) -> None:
        """Load the models and serve them, then resume interrupted jobs; the event loop stays free.

        Raises:
            ModelError, LicenseError: Not one model can be served.
        """
        self._loaded = loaded = await asyncio.to_thread(self._models.begin)
        self.deployments.set(loaded.deployments, loaded.failed)
        if self._authoring is not None:
            await self._authoring.resume()
            await self.look()
        directory = self._context.ledger_directory
        await self._jobs.resume(lambda ids, since: recorded_requests(directory, ids, since=since))

    async def look(self) -> None:
        """Serve models that were added or changed, and no more those that were taken away."""
        if self._loaded is None:
            return
        loaded = await asyncio.to_thread(self._models.look)
        if loaded is not None:
            self.deployments.renew(self._loaded.deployments, loaded.deployments, loaded.failed)
            self._loaded = loaded

    def _open_model(self, path: Path) -> ModelFolder:
        preloader = self._context.preloader
        prepared = None if preloader is None else preloader.take(path)
        if prepared is None:
            return open_model(path, self._context.model_keys())
        self._prepared[path] = prepared
        return prepared.folder

    def _start_model(self, folder: ModelFolder, quick: bool) -> NerEngine:
        settings = self._context.settings
        measures = not quick or self._calibrations.knows(folder.digests[MODEL])
        prepared = self._prepared.pop(folder.path) if folder.path in self._prepared else prepare(folder)
        return NerEngine.start(
            prepared,
            sessions=settings.sessions,
            batch_tokens=settings.batch_tokens,
            room=Room(tokens=settings.queue_tokens, seconds=settings.queue_seconds),
            observe=self._context.instruments.batch,
            calibrations=self._calibrations if measures else None,
        )

    def in_memory(self) -> int:
        """Models that are in memory."""
        return self._residents.in_memory()

    def waiting(self) -> int:
        """Tokens in the queues of all models."""
        return sum(engine.waiting_tokens for engine in self._all_engines())

    def is_overloaded(self, path: str) -> bool:
        """Whether every model has too much to do, for the paths that are answered at once; jobs wait."""
        at_once = path == ANALYZE or path.endswith(GENERAL)
        return (
            at_once
            and bool(self._models.engines)
            and all(engine.is_overloaded() for engine in self._all_engines())
        )

    def stuck(self) -> bool:
        """Whether a model has stopped making progress."""
        return any(engine.heartbeat_age() > STUCK_SECONDS for engine in self._all_engines())

    def _all_engines(self) -> list[ServedModel]:
        return [*self._models.engines, *(self._authoring.engines if self._authoring else ())]

    async def begin_shutdown(self) -> None:
        """Nothing goes on for long here."""

    async def close(self, drain_seconds: float) -> None:
        """End jobs, then models."""
        await self._jobs.close(drain_seconds)
        if self._authoring is not None:
            await self._authoring.close()
        await asyncio.to_thread(self._models.close)

    def close_unstarted(self) -> None:
        """Close the job store when serving never began."""
        self._job_store.close()
        if self._authoring is not None:
            self._authoring.store.close()


def _authoring_routes(authoring: "AuthoringService | None") -> Sequence[BaseRoute]:
    if authoring is None:
        return ()
    from appliance.api.authoring.document_routes import DocumentsApi  # noqa: PLC0415  (loaded where it is wanted)
    from appliance.api.authoring.routes import AuthoringApi  # noqa: PLC0415  (loaded where it is wanted)

    return [*AuthoringApi(authoring).routes(), *DocumentsApi(authoring).routes()]
