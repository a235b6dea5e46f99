"""Text models of which those in use are in memory: a service may have more of them than memory holds.

A model that is asked for and is not there is read, checked and tried first, as at a start; where there is no
room, the one that was not asked for the longest goes. One that answers, or is waited for, never goes.
Nor does one whose folder is not what was read any more: it could not come back.
"""

import asyncio
import ctypes
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from appliance.errors import ModelError, Stopping, UnknownDeployment
from appliance.models.files import Appearance, appearance
from appliance.ner.engine import NerEngine, Recognized
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.text_request import TextRequest
from license.errors import LicenseError

_log = logging.getLogger("appliance.models")

_LOOK_AGAIN_SECONDS: Final = 1.0


class ServedModel(Protocol):
    """A text model that is served: an engine, or one that comes when it is asked for."""

    folder: ModelFolder

    async def recognize(
        self, requests: Sequence[TextRequest], *, background: bool = False
    ) -> list[Recognized]:
        """Return the entities of each text."""
        ...

    @property
    def waiting_tokens(self) -> int:
        """Tokens in its queue."""
        ...

    def is_overloaded(self) -> bool:
        """Whether requests are best refused before they are read."""
        ...

    def heartbeat_age(self) -> float:
        """Return for how many seconds a thread has been at one piece of work."""
        ...

    def close(self, *, drain: bool = True, timeout_seconds: float | None = None) -> bool:
        """Serve it no more; blocks."""
        ...

    def close_when_unused(self) -> None:
        """Serve it no more once the last reference to it is gone."""
        ...


class ResidentModels:
    """Loads models and keeps those in memory that fit.

    Args:
        read: Reads and checks a model that a path names.
        start: Makes it answer; told whether somebody waits for it.
        most_bytes: Memory that models may take in all; one alone may take more.
        taken: Memory that one takes, in bytes, by the size of its graph.
    """

    def __init__(
        self,
        *,
        read: Callable[[Path], ModelFolder],
        start: Callable[[ModelFolder, bool], NerEngine],
        most_bytes: int,
        taken: Callable[[int], int],
    ) -> None:
        self._read = read
        self._start = start
        self._most_bytes = most_bytes
        self._taken = taken
        self._loading = threading.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="model-loader")
        self._changed = threading.Condition(threading.Lock())
        self._models: list[ResidentModel] = []

    def load(self, path: Path) -> "ResidentModel":
        """Load a model, or only read and check it where it does not fit beside those that are there. Blocks.

        Raises:
            ModelError, LicenseError: It cannot be served.
        """
        read_from = (path, appearance(path))  # before it is read: what changes meanwhile is seen
        folder = self._read(path)
        size = self._taken(_graph_bytes(folder))
        model = ResidentModel(self, folder.released(), size=size, read_from=read_from)
        with self._loading:
            if self._resident_bytes() + model.size <= self._most_bytes or not self._models:
                model.engine = self._start(folder, False)
                model.sessions = model.engine.sessions
            else:
                _log.info("model %s is read when it is asked for: memory is full", folder.name)
            with self._changed:
                self._models.append(model)
        return model

    def bring(self, model: "ResidentModel") -> None:
        """Have a model in memory, and others not where there is no room. Blocks.

        Raises:
            ModelError, LicenseError: It cannot be served any more.
            Stopping: It was closed meanwhile.
        """
        with self._loading:
            if model.engine is not None:
                return
            folder = self._read(model.folder.path)
            if folder.digests != model.folder.digests:
                raise ModelError(
                    f"{folder.path} was changed while it was not in memory",
                    hint="SIGHUP has the service look again",
                )
            while self._resident_bytes() + model.size > self._most_bytes and self._let_one_go():
                pass
            engine = self._start(folder, True)
            with self._changed:
                if not model.closed:
                    model.engine, model.sessions = engine, engine.sessions
                    if model.retired:
                        engine.close_when_unused()
                    return
        engine.close()
        raise Stopping("the model is not served any more")

    async def on_loader(self, work: Callable[[], None]) -> None:
        """Do something on the one thread that loads.

        It may wait there until a model is idle. Were it one of the threads that all share, those who wait for
        room could take them all, and nobody would be left to make a model idle.
        """
        await asyncio.get_running_loop().run_in_executor(self._loader, work)

    def in_memory(self) -> int:
        """Return how many models are in memory."""
        return sum(model.engine is not None for model in list(self._models))

    def forget(self, model: "ResidentModel") -> NerEngine | None:
        """Take a model that is not served any more out; return what has to be closed."""
        with self._changed:
            model.closed = True
            if model in self._models:
                self._models.remove(model)
            engine, model.engine = model.engine, None
            self._changed.notify_all()
            return engine

    def retire(self, model: "ResidentModel") -> None:
        """Neither count nor close a model any more; who holds it may use it to the end."""
        with self._changed:
            model.retired = True
            if model in self._models:
                self._models.remove(model)
            if model.engine is not None:
                model.engine.close_when_unused()

    def enter(self, model: "ResidentModel") -> NerEngine | None:
        """Begin to use a model; until `leave` it stays where it is."""
        with self._changed:
            model.users += 1
            return model.engine

    def leave(self, model: "ResidentModel") -> None:
        """End what `enter` began."""
        with self._changed:
            model.users -= 1
            model.used = time.monotonic()
            if not model.users:
                self._changed.notify_all()

    def _resident_bytes(self) -> int:
        with self._changed:
            return sum(model.size for model in self._models if model.engine is not None)

    def _let_one_go(self) -> bool:
        """Close the model that was not used the longest; wait while all are. False if none may go."""
        while True:
            with self._changed:
                there = [model for model in self._models if model.engine is not None]
            # Outside the lock, which requests wait for: the folder may lie on a slow disk.
            may_go = [model for model in there if model.can_come_back()]
            if not may_go:
                return False
            with self._changed:
                idle = [model for model in may_go if model.engine is not None and not model.users]
                if not idle:
                    self._changed.wait(_LOOK_AGAIN_SECONDS)
                    continue
                oldest = min(idle, key=lambda model: model.used)
                engine, oldest.engine = oldest.engine, None
            if engine is not None:
                engine.close()
            _log.info("model %s leaves memory to another", oldest.folder.name)
            del engine
            _give_back()
            return True


class ResidentModel:
    """One served model, in memory or not; made by `ResidentModels.load`.

    Attributes:
        folder: What it says about itself.
        size: Memory in bytes that it takes while it is there.
        engine: What answers, while it is in memory.
        sessions: Threads that compute, as of the last time it was there.
        users: Requests that hold it.
        used: When it was last used, by the monotonic clock.
        closed: Whether it is not served any more.
        retired: Whether it is served only to those who hold it.
    """

    def __init__(
        self, models: ResidentModels, folder: ModelFolder, *, size: int, read_from: tuple[Path, Appearance]
    ) -> None:
        self.folder = folder
        self.size = size
        self.engine: NerEngine | None = None
        self.sessions = 0
        self.users = 0
        self.used = 0.0
        self.closed = False
        self.retired = False
        self._read_from = read_from
        self._models = models
        self._arrival: asyncio.Future[None] | None = None

    async def recognize(
        self, requests: Sequence[TextRequest], *, background: bool = False
    ) -> list[Recognized]:
        """Return the entities of each text; see `NerEngine.recognize`.

        Raises:
            Busy, Stopping, InferenceFailed: As there.
            UnknownDeployment: It was not in memory, and cannot be read any more.
        """
        engine = self._models.enter(self)
        try:
            while engine is None and not self.closed:
                # One that arrived for somebody who has left may be gone again before it is asked.
                await self._arrive()
                engine = self.engine
            if engine is None or self.closed:
                raise Stopping("the model is not served any more")
            return await engine.recognize(requests, background=background)
        finally:
            self._models.leave(self)

    def can_come_back(self) -> bool:
        """Whether what it was read from still looks as it did."""
        path, looked = self._read_from
        return appearance(path) == looked

    async def _arrive(self) -> None:
        """Wait until the model is in memory; whoever asks first has it brought."""
        if self._arrival is None:
            self._arrival = asyncio.ensure_future(self._models.on_loader(self._bring))
            self._arrival.add_done_callback(self._arrived)
        await asyncio.shield(self._arrival)  # the others go on waiting where one leaves

    def _arrived(self, done: "asyncio.Future[None]") -> None:
        self._arrival = None
        if not done.cancelled():
            done.exception()  # those who waited have it

    def _bring(self) -> None:
        try:
            self._models.bring(self)
        except (ModelError, LicenseError) as error:
            _log.error("model %s cannot be read again: %s", self.folder.name, error.message)
            raise UnknownDeployment(
                "The model of this deployment could not be loaded.", hint="the service's log says why"
            ) from None

    @property
    def waiting_tokens(self) -> int:
        """Tokens in the queue."""
        engine = self.engine
        return 0 if engine is None else engine.waiting_tokens

    def is_overloaded(self) -> bool:
        """Whether requests are best refused before they are read."""
        engine = self.engine
        return engine is not None and engine.is_overloaded()

    def heartbeat_age(self) -> float:
        """Return for how many seconds a thread has been at one piece of work; 0 when idle or not there."""
        engine = self.engine
        return 0.0 if engine is None else engine.heartbeat_age()

    def close(self, *, drain: bool = True, timeout_seconds: float | None = None) -> bool:
        """Serve it no more; see `NerEngine.close`. Blocks."""
        engine = self._models.forget(self)
        return engine is None or engine.close(drain=drain, timeout_seconds=timeout_seconds)

    def close_when_unused(self) -> None:
        """Serve it no more once the last reference to it is gone; see `NerEngine.close_when_unused`."""
        self._models.retire(self)


def _graph_bytes(folder: ModelFolder) -> int:
    if folder.content is not None:
        return len(folder.content[MODEL])
    return (folder.path / MODEL).stat().st_size


def _give_back() -> None:
    """Have the allocator return what a model took; it keeps it otherwise, and nothing is gained."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        return
