"""The speech service: what is said, over WebSocket as it is said, or from files by HTTP."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute

from appliance.api.openapi_route import Document, document_route
from appliance.api.operations.models import ModelsApi
from appliance.api.speech import listening
from appliance.api.speech.admission import SpeechAdmission, SpeechLimits
from appliance.api.speech.routes import SpeechApi
from appliance.config.settings import Settings
from appliance.errors import ModelError
from appliance.models.files import OnDisk
from appliance.models.folder_reader import MAX_MODEL_BYTES, read_facts
from appliance.models.locations import models_below
from appliance.models.packages import open_any
from appliance.observability.middleware import MeasuredStore
from appliance.pipeline.deployments import Deployment, Deployments, FailedDeployment
from appliance.pipeline.pipeline import Pipeline
from appliance.services.base import STUCK_SECONDS, ServiceContext
from appliance.speech.audio.voice_activity import Activity, load_onnx_activity
from appliance.speech.display.loading import load_forms
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import SPEECH, served_folders
from appliance.speech.recognition.engine import SpeechEngine
from license.errors import LicenseError

_log = logging.getLogger("appliance.speech.service")

_SHUTDOWN_SECONDS: Final = 5.0
_STUCK_FACTOR: Final = (
    6  # one piece of a long phrase may take a model without bounded context this much longer
)


class SpeechService:
    """Speech to text, opened and without its model yet.

    Args:
        context: The appliance's parts.

    Attributes:
        pipeline: Admits and records.
        admission: Who is served, and by what.
        deployments: The models, once they are loaded.
    """

    speaks_websocket = True

    def __init__(self, context: ServiceContext) -> None:
        settings = context.settings
        self._context = context
        self.pipeline = Pipeline(
            admission=context.admission,
            usage=MeasuredStore(context.ledger, context.instruments),
            meter=settings.service.meter,
        )
        self.deployments = Deployments(alias=settings.model_alias)
        self.admission = SpeechAdmission(
            pipeline=self.pipeline,
            deployments=self.deployments,
            limits=SpeechLimits(
                connections=settings.speech_connections,
                turns=settings.speech_turns,
                idle_seconds=settings.speech_idle_seconds,
                transcribe_bytes=settings.transcribe_bytes,
            ),
        )
        self._engines: list[SpeechEngine] = []

    def routes(self) -> Sequence[BaseRoute]:
        """The speech protocol, short audio, transcription, the model, and the description of them all."""
        return [
            *listening.routes(self._context.settings.transcribe_bytes),
            *SpeechApi(self.admission).routes(),
            *ModelsApi(self.deployments).routes(),
            document_route(_openapi_document),
        ]

    async def load(self) -> None:
        """Load the models and serve them; the event loop stays free.

        Raises:
            ModelError, LicenseError: It cannot be served.
        """
        settings = self._context.settings
        places = served_folders(settings.model_mount, settings.bundled_speech)
        engine = await asyncio.to_thread(self._load_engine, *places)
        self._engines.append(engine)
        first = self._deployment(settings.project_name, settings.deployment_name, engine)
        others, failed = await self._load_others(first)
        locales = {
            (item.project, item.name): (other, item.language)
            for item, other in zip(others, self._engines[1:], strict=True)
        }
        self.admission.open(engine, locale=first.language, others=locales)
        self.deployments.set([first, *others], failed)

    def _deployment(self, project: str, name: str, engine: SpeechEngine) -> Deployment:
        folder = engine.folder
        locale = folder.language or self._context.settings.speech_locale
        for loaded in engine.folders:
            _log.info("model %s %s for %s is loaded", loaded.name, loaded.release, locale)
        return Deployment(
            project=project,
            name=name,
            model=folder.name,
            release=folder.release,
            language=locale,
            languages=(locale,),
            description=folder.description,
            path=folder.path,
        )

    async def _load_others(self, first: Deployment) -> tuple[list[Deployment], list[FailedDeployment]]:
        """Load the models below `Models:Path`; one that cannot be served stops no other."""
        found, failed = list[Deployment](), list[FailedDeployment]()
        for place in models_below(self._context.settings):
            project, name = place.project, place.names[0]
            try:
                if (project, name) == (first.project, first.name):
                    hint = "give its folder another name, or the first one another DeploymentName"
                    raise ModelError(f"{project}/{name} is the name of the first model", hint=hint)
                engine = await asyncio.to_thread(self._load_engine, place.path)
            except (ModelError, LicenseError) as error:
                _log.warning("the model %s/%s is not served: %s", project, name, error.message)
                failed.append(
                    FailedDeployment(project=project, name=name, reason=error.message, hint=error.hint)
                )
                continue
            self._engines.append(engine)
            found.append(self._deployment(project, name, engine))
        return found, failed

    def _load_engine(self, place: Path, *closed: Path) -> SpeechEngine:
        settings = self._context.settings
        folder = open_any(place, self._context.model_keys(), SPEECH)
        return SpeechEngine.load(
            folder,
            *map(SpeechFolder.open, closed),
            threads=settings.sessions,
            activity=_activity(settings, rate=folder.rate),
            forms=load_forms(place, self._context.model_keys(), settings.display_types, rate=folder.rate),
            least=settings.speech_least_percent / 100,
        )

    def in_memory(self) -> int:
        """All that are served."""
        return len(self.deployments)

    async def look(self) -> None:
        """Nothing is looked for: a recognition goes on for long, and a new model begins with a start."""

    def waiting(self) -> int:
        """Pieces of audio that wait for the model."""
        return sum(engine.waiting for engine in self._engines)

    def is_overloaded(self, path: str) -> bool:  # noqa: ARG002 (a connection has a limit of its own)
        """Recognitions are refused where they begin."""
        return False

    def stuck(self) -> bool:
        """Whether a model has stopped making progress."""
        return any(engine.heartbeat_age() > STUCK_SECONDS * _STUCK_FACTOR for engine in self._engines)

    async def begin_shutdown(self) -> None:
        """End connections: single recognitions may finish, the others' clients go on elsewhere."""
        await self.admission.begin_shutdown(min(_SHUTDOWN_SECONDS, self._context.settings.drain_seconds))

    async def close(self, drain_seconds: float) -> None:  # noqa: ARG002 (connections have ended already)
        """End the models."""
        for engine in self._engines:
            await asyncio.to_thread(engine.close)

    def close_unstarted(self) -> None:
        """Nothing was opened yet."""


def _openapi_document() -> Document:
    # Loaded when it is asked for: it needs the schemas of every reply.
    from appliance.api.speech.openapi import document  # noqa: PLC0415

    return document()


def _activity(settings: Settings, *, rate: int) -> Callable[[], Activity] | None:
    """The detector of speech that a setting names; None for the usual one."""
    place = settings.speech_activity
    if place is None:
        return None
    files = OnDisk(place)
    names = [name for name in files.names() if name.endswith(".onnx")]
    if len(names) != 1:
        raise ModelError(
            f"{place} holds {len(names)} .onnx files instead of one",
            hint="Speech:ActivityModel names a folder with one model, such as Silero VAD's",
        )
    files.check(names[0], MAX_MODEL_BYTES)
    read_facts(files, names[0])
    return load_onnx_activity((place / names[0]).read_bytes(), rate=rate)
