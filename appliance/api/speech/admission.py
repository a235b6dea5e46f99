"""Admission to the speech service: what is checked before audio is heard, and how many are heard at once."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
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
        deployments: Names of the model that is served.
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
        self.spoken = Spoken(locale="")
        self._deployments = deployments
        self._engine: SpeechEngine | None = None
        self._connections: set[OpenConnection] = set()
        self._turns: set[object] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def open(self, engine: SpeechEngine, *, locale: str) -> None:
        """Serve with this engine from now on."""
        self._engine, self.spoken = engine, Spoken(locale=locale, languages=engine.languages)

    @property
    def engine(self) -> SpeechEngine:
        """The engine.

        Raises:
            Stopping: It is not loaded yet, or the service stops.
        """
        if self._stopping:
            raise Stopping("The service is stopping.")
        if self._engine is None:
            raise Stopping("The model is still loading.", hint="wait until GET /ready answers 200")
        return self._engine

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
        if model:
            self._check_model(model)
        self.check_language(options)

    def check_language(self, options: RecognitionOptions) -> None:
        """Refuse what cannot be done: a language that the model does not speak, or translation, say.

        Raises:
            Problem: It names what.
        """
        if options.unsupported:
            raise Problem(400, "InvalidArgument", f"{options.unsupported} is not supported here.")
        if options.wanted and not any(map(self.spoken.includes, options.wanted)):
            named = ", ".join(repr(name[:40]) for name in options.wanted[:4])
            raise Problem(
                400,
                "InvalidLanguage",
                f"The language {named} is not served here; the model speaks {self.spoken}.",
            )

    def _check_model(self, model: str) -> None:
        known = {name for item in self._deployments for name in (item.model, item.name, item.project)}
        if model in known or _GUID.fullmatch(model):
            return
        raise Problem(
            400,
            "InvalidModel",
            f"The endpoint id {model[:60]!r} names no model that is served here.",
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
