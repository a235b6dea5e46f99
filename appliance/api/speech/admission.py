"""Admission to the speech service: what is checked before audio is heard, and how many are heard at once."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

from appliance.api.errors import Problem
from appliance.api.speech.parameters import RecognitionOptions
from appliance.errors import Busy, Stopping
from appliance.pipeline.deployments import Deployments
from appliance.pipeline.pipeline import Pipeline
from appliance.speech.model.spoken import Spoken
from appliance.speech.recognition.engine import SpeechEngine

_GUID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


class OpenConnection(Protocol):
    """A connection that can be asked to end."""

    async def shut_down(self, seconds: float) -> None:
        """End within so many seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSpeech:
    """A model that hears, and what it speaks."""

    engine: SpeechEngine
    spoken: Spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLimits:
    """Bounds of what one service takes.

    Attributes:
        connections: Open connections.
        turns: Recognitions under way.
        idle_seconds: Silence of a client after which it is cut off.
        transcribe_bytes: Largest file to transcribe.
    """

    connections: int = 1_000
    turns: int = 64
    idle_seconds: int = 300
    transcribe_bytes: int = 64 * 1024 * 1024


class SpeechAdmission:
    """Admits callers of the speech service; used from one event loop.

    Args:
        pipeline: Admits by licence, and records.
        deployments: Names of the models that are served; the first is the default.
        limits: Bounds.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        deployments: Deployments,
        limits: SpeechLimits,
    ) -> None:
        self.pipeline = pipeline
        self.limits = limits
        self._deployments = deployments
        self._default: ServedSpeech | None = None
        self._others: dict[tuple[str, str], ServedSpeech] = {}
        self._connections: set[OpenConnection] = set()
        self._turns: set[object] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def open(
        self,
        engine: SpeechEngine,
        *,
        locale: str,
        others: Mapping[tuple[str, str], tuple[SpeechEngine, str]] = MappingProxyType({}),
    ) -> None:
        """Serve with this engine from now on, and with others where a request names them.

        Args:
            engine: The default.
            locale: What it speaks where nothing tells another.
            others: By project and name of their deployments: further engines, each with its locale.
        """
        self._default = _served(engine, locale)
        self._others = {key: _served(*other) for key, other in others.items()}

    @property
    def engine(self) -> SpeechEngine:
        """The engine of the default model.

        Raises:
            Stopping: It is not loaded yet, or the service stops.
        """
        return self.find().engine

    @property
    def spoken(self) -> Spoken:
        """What the default model speaks; raises as `engine`."""
        return self.find().spoken

    def find(self, model: str = "") -> ServedSpeech:
        """Return the model that a request names.

        Args:
            model: `cid` of its query, which the SDK calls endpoint id: `PROJECT/NAME`, a name, or what the
                model calls itself. Empty, or an id of the cloud, for the default.

        Raises:
            Stopping: No model is loaded yet, or the service stops.
            Problem: No model of that name is served.
        """
        if self._stopping:
            raise Stopping("The service is stopping.")
        if self._default is None:
            raise Stopping("The model is still loading.", hint="wait until GET /ready answers 200")
        if not model or _GUID.fullmatch(model):
            return self._default
        items = list(self._deployments)
        for names in (
            {f"{item.project}/{item.name}": item for item in reversed(items)},
            {item.name: item for item in reversed(items)},
            {item.model: item for item in reversed(items)},
            {item.project: item for item in reversed(items)},
        ):
            if (item := names.get(model)) is not None:
                return self._others.get((item.project, item.name), self._default)
        raise Problem(
            400,
            "InvalidModel",
            f"The endpoint id {model[:60]!r} names no model that is served here.",
        )

    @property
    def idle_seconds(self) -> int:
        """Silence of a client after which it is cut off."""
        return self.limits.idle_seconds

    def check(self, options: RecognitionOptions, *, model: str = "") -> None:
        """Refuse what would be refused anyway, before any audio is sent.

        Args:
            options: What the query asks.
            model: `cid` of the query, if any.

        Raises:
            Stopping: No model is loaded, or the service stops.
            LicenseRefusal: The licence does not allow an answer now.
            Problem: The language or the model is not served.
        """
        _ = self.engine
        self.pipeline.check(1)
        self.check_language(options, model=model)

    def check_language(self, options: RecognitionOptions, *, model: str = "") -> None:
        """Refuse what cannot be done: a language that the model does not speak, or translation, say.

        Args:
            options: What is asked.
            model: As of `find`.

        Raises:
            Stopping, Problem: As `find`; or it names what cannot be done.
        """
        spoken = self.find(model).spoken
        if options.unsupported:
            raise Problem(400, "InvalidArgument", f"{options.unsupported} is not supported here.")
        if options.wanted and not any(map(spoken.includes, options.wanted)):
            named = ", ".join(repr(name[:40]) for name in options.wanted[:4])
            raise Problem(
                400,
                "InvalidLanguage",
                f"The language {named} is not served here; the model speaks {spoken}.",
            )

    @contextlib.contextmanager
    def connect(self, connection: OpenConnection) -> Iterator[None]:
        """Hold a place for a connection.

        Raises:
            Busy: There is none.
        """
        if len(self._connections) >= self.limits.connections:
            raise Busy("too many speech connections are open")
        self._connections.add(connection)
        try:
            yield
        finally:
            self._connections.discard(connection)

    def take_turn(self, turn: object) -> None:
        """Count a recognition that begins.

        Raises:
            Busy: Too many are under way.
        """
        if len(self._turns) >= self.limits.turns:
            raise Busy("too many speech recognitions are under way")
        self._turns.add(turn)

    def end_turn(self, turn: object) -> None:
        """A recognition is over."""
        self._turns.discard(turn)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Count a recognition for as long as it takes; raises as `take_turn`."""
        turn = object()
        self.take_turn(turn)
        try:
            yield
        finally:
            self.end_turn(turn)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something short that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def begin_shutdown(self, seconds: float) -> None:
        """The service stops: no new turns, and every connection ends within so many seconds."""
        self._stopping = True
        ending = [asyncio.create_task(item.shut_down(seconds)) for item in list(self._connections)]
        if ending:
            await asyncio.wait(ending, timeout=seconds + 1)


def _served(engine: SpeechEngine, locale: str) -> ServedSpeech:
    return ServedSpeech(engine=engine, spoken=Spoken(locale=locale, languages=engine.languages))
