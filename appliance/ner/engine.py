"""The NER engine: a checked folder becomes a running model, texts become entities.

    folder ─► session, tokenizer, decoder ─► worker (owner threads) ─► await engine.recognize(requests)

The event loop only queues texts and receives answers; tokenising, computing and decoding happen on the
owners.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from appliance.errors import ModelError
from appliance.host.cpus import thread_counts
from appliance.host.memory import sessions_that_fit
from appliance.ner.calibration import USUAL_BATCH_TOKENS, Calibration, Calibrations, measure
from appliance.ner.decoding import Decoder, Entity, Recognized
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.queue import Room
from appliance.ner.session import LOGITS, OnnxSession
from appliance.ner.text_request import TextRequest
from appliance.ner.tokenizer import TextTokenizer, tokenizer_of
from appliance.ner.worker import Worker, stack
from appliance.onnx_tools.outputs import with_outputs

__all__ = ["Entity", "NerEngine", "Recognized"]

_ANY_WAIT: Final = Room()

_log = logging.getLogger("appliance.inference.engine")

MAX_SESSIONS: Final = 16
"""The most owner threads chosen without being asked: about as many as one Python process can feed."""

WARM_UP: Final = "Ada Lovelace wrote to Charles Babbage from London in 1843."

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model that has answered its first sentence and has no threads yet.

    Attributes:
        folder: What the model says about itself, without the content of its files.
        tokenizer: Texts to windows.
        decoder: Label scores to entities.
        session: The graph in onnxruntime.
        graph_bytes: Size of the graph.
    """

    folder: ModelFolder
    tokenizer: TextTokenizer
    decoder: Decoder
    session: OnnxSession
    graph_bytes: int


def prepare(
    folder: ModelFolder,
    *,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    progress: Progress | None = None,
) -> Prepared:
    """Read tokenizer and graph and try them on one sentence: most of the time that loading takes. Blocks.

    onnxruntime reads the graph without Python's lock, so other threads go on meanwhile.

    Args:
        folder: The checked folder.
        providers: onnxruntime execution providers in order of preference.
        progress: Called with what is being done and the share already done, 0…1.

    Raises:
        ModelError: The model cannot be loaded, or fails on the first sentence.
    """
    report = progress or _silent
    report("reading tokenizer", 0.0)
    tokenizer = tokenizer_of(folder)
    complete = _completing(folder) if folder.components else None
    decoder = Decoder(folder.labels, folder.scheme, borders=folder.borders, complete=complete)
    report("reading model", 0.2)
    graph = folder.read(MODEL)
    session = OnnxSession(
        with_outputs(graph, {LOGITS}), labels=len(folder.labels), providers=providers
    )  # other outputs cost time: hidden layers that custom models build on
    if folder.case_classes and not session.wants_types:
        raise ModelError("model.json promises case classes, but model.onnx has no input token_type_ids")
    report("trying model", 0.8)
    _try(session, tokenizer, decoder)
    return Prepared(
        folder=folder.released(),
        tokenizer=tokenizer,
        decoder=decoder,
        session=session,
        graph_bytes=len(graph),
    )


class NerEngine:
    """A loaded model that answers texts; made by `NerEngine.load`."""

    def __init__(self, folder: ModelFolder, worker: Worker, *, sessions: int) -> None:
        self.folder = folder
        self.sessions = sessions
        self._worker = worker

    @classmethod
    def load(
        cls,
        folder: ModelFolder,
        *,
        sessions: int = 0,
        room: Room = _ANY_WAIT,
        batch_tokens: int = 0,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        progress: Progress | None = None,
        observe: Callable[[int, int], None] | None = None,
        calibrations: Calibrations | None = None,
    ) -> "NerEngine":
        """Load a model and try it on one sentence. Blocks for a good part of a second, or two the first time.

        Args:
            folder: The checked folder.
            sessions: Owner threads, each keeping one core busy; 0 means as calibrated, up to `MAX_SESSIONS`.
            room: New texts are refused while this much is waiting.
            batch_tokens: The most tokens in one call of the model, if it is batch-invariant; 0 means as
                calibrated. Any other model gets one window a call, so that an answer never depends on what
                shares its batch.
            providers: onnxruntime execution providers in order of preference.
            progress: Called with what is being done and the share already done, 0…1.
            observe: Told windows and tokens of each call of the model; from any thread.
            calibrations: Where what suits this machine is kept, and measured the first time; without it, one
                thread for each usable core and the usual number of tokens.

        Raises:
            ModelError: The model cannot be loaded, or fails on the first sentence.
        """
        prepared = prepare(folder, providers=providers, progress=progress)
        report = progress or _silent
        report("calibrating", 0.9)
        engine = cls.start(
            prepared,
            sessions=sessions,
            room=room,
            batch_tokens=batch_tokens,
            observe=observe,
            calibrations=calibrations,
        )
        report("ready", 1.0)
        return engine

    @classmethod
    def start(
        cls,
        prepared: Prepared,
        *,
        sessions: int = 0,
        room: Room = _ANY_WAIT,
        batch_tokens: int = 0,
        observe: Callable[[int, int], None] | None = None,
        calibrations: Calibrations | None = None,
    ) -> "NerEngine":
        """Start the threads of a prepared model; arguments as of `load`. Blocks while it is calibrated."""
        folder, session = prepared.folder, prepared.session
        batches = folder.batch_invariant and not session.one_row
        fit = sessions_that_fit(prepared.graph_bytes)
        if not sessions or (batches and not batch_tokens):
            found = _calibrated(folder, session, calibrations, batches=batches, most=fit)
            sessions, batch_tokens = sessions or found.sessions, batch_tokens or found.batch_tokens
        if sessions > fit:
            _log.warning("%d sessions may need more memory than there is; %d fit", sessions, fit)
        worker = Worker(
            [session] * sessions,
            tokenizer=prepared.tokenizer,
            decoder=prepared.decoder,
            room=room,
            batch_tokens=batch_tokens if batches else 0,
            pad_token=folder.pad_token,
            observe=observe,
        )
        return cls(folder, worker, sessions=sessions)

    async def recognize(
        self, requests: Sequence[TextRequest], *, background: bool = False
    ) -> list[Recognized]:
        """Return the entities of each text, in the order of the texts; positions are code points of the text.

        Background texts are computed when nobody else waits, and leave one core to those who might.

        Raises:
            Busy: The queue is full now.
            Stopping: The engine is being closed.
            InferenceFailed: The model failed.
        """
        return await self._worker.answer(requests, background=background)

    @property
    def waiting_tokens(self) -> int:
        """Tokens in the queue."""
        return self._worker.waiting_tokens

    def is_overloaded(self) -> bool:
        """Whether requests are best refused before they are read."""
        return self._worker.is_overloaded()

    def heartbeat_age(self) -> float:
        """Return for how many seconds an owner thread has been at one piece of work; 0 when idle."""
        return self._worker.heartbeat_age()

    def close(self, *, drain: bool = True, timeout_seconds: float | None = None) -> bool:
        """Stop the engine; see `Worker.close`. Blocks, so call it off the event loop."""
        return self._worker.close(drain=drain, timeout_seconds=timeout_seconds)

    def close_when_unused(self) -> None:
        """Stop the engine when the last reference to it is gone; nobody who holds one is refused."""
        end = partial(self._worker.close, drain=True)  # holds the threads and not the engine
        ending = threading.Thread(target=end, name="model-end", daemon=True)
        weakref.finalize(self, ending.start).atexit = False


def _try(session: OnnxSession, tokenizer: TextTokenizer, decoder: Decoder) -> None:
    """Walk one sentence through everything: the first call is slow, and a wrong model shows itself here."""
    (document,) = tokenizer.cut([WARM_UP])
    if not document.windows:
        raise ModelError("tokenizer.json finds no words in an English sentence")
    window = document.windows[0]
    try:
        logits = session.run(*stack([window], 0))
        decoder.entities(TextRequest(WARM_UP), document.starts, document.ends, logits[0][window.positions])
    except Exception as error:  # anything onnxruntime or a wrong shape may raise
        raise ModelError(f"model.onnx fails on a first sentence: {error}") from error


def _completing(folder: ModelFolder) -> Callable[[TextRequest, list[Entity]], list[Entity]]:
    from appliance.ner.components.matcher import ComponentMatcher  # noqa: PLC0415  (few models have any)

    return ComponentMatcher(folder.components, language=folder.language).apply


def _calibrated(
    folder: ModelFolder, session: OnnxSession, kept: Calibrations | None, *, batches: bool, most: int
) -> Calibration:
    """Return how a model is asked here, with at most so many sessions."""
    threads = list(dict.fromkeys(min(count, MAX_SESSIONS, most) for count in thread_counts()))
    if kept is None:
        return Calibration(sessions=threads[0], batch_tokens=USUAL_BATCH_TOKENS)

    def measured() -> Calibration:
        return measure(session, threads=threads, batches=batches, window_tokens=folder.window_tokens)

    # What was measured before may have had more memory.
    found = kept.of(folder.digests[MODEL], measured)
    return replace(found, sessions=min(found.sessions, most))


def _silent(_step: str, _share: float) -> None:
    """Report nothing."""
