"""The speech service: what is said, over WebSocket as it is said, or from files by HTTP."""

import asyncio
import logging
from collections.abc import Callable, Sequence
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
from appliance.models.packages import open_any
from appliance.observability.middleware import MeasuredStore
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.pipeline.pipeline import Pipeline
from appliance.services.base import STUCK_SECONDS, ServiceContext
from appliance.speech.audio.voice_activity import Activity, load_onnx_activity
from appliance.speech.display.loading import load_forms
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import SPEECH, served_folders
from appliance.speech.recognition.engine import SpeechEngine

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
        deployments: The model, once it is loaded.
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
        self._engine: SpeechEngine | None = None

    def routes(self) -> Sequence[BaseRoute]:
        """The speech protocol, short audio, transcription, the model, and the description of them all."""
        return [
            *listening.routes(),
            *SpeechApi(self.admission).routes(),
            *ModelsApi(self.deployments).routes(),
            document_route(_openapi_document),
        ]

    async def load(self) -> None:
        """Load the model and serve it; the event loop stays free.

        Raises:
            ModelError, LicenseError: It cannot be served.
        """
        self._engine = engine = await asyncio.to_thread(self._load_engine)
        settings, folder = self._context.settings, engine.folder
        locale = folder.language or settings.speech_locale
        self.admission.open(engine, locale=locale)
        self.deployments.set(
            [
                Deployment(
                    project=settings.project_name,
                    name=settings.deployment_name,
                    model=folder.name,
                    release=folder.release,
                    language=locale,
                    languages=(locale,),
                    description=folder.description,
                    path=folder.path,
                )
            ]
        )
        for loaded in engine.folders:
            _log.info("model %s %s for %s is loaded", loaded.name, loaded.release, locale)

    def _load_engine(self) -> SpeechEngine:
        settings = self._context.settings
        place, *closed = served_folders(settings.model_mount, settings.bundled_speech)
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
        return 0 if self._engine is None else self._engine.waiting

    def is_overloaded(self, path: str) -> bool:  # noqa: ARG002 (a connection has a limit of its own)
        """Recognitions are refused where they begin."""
        return False

    def stuck(self) -> bool:
        """Whether the model has stopped making progress."""
        return self._engine is not None and self._engine.heartbeat_age() > STUCK_SECONDS * _STUCK_FACTOR

    async def begin_shutdown(self) -> None:
        """End connections: single recognitions may finish, the others' clients go on elsewhere."""
        await self.admission.begin_shutdown(min(_SHUTDOWN_SECONDS, self._context.settings.drain_seconds))

    async def close(self, drain_seconds: float) -> None:  # noqa: ARG002 (connections have ended already)
        """End the model."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)

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
