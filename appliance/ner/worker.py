"""The threads that own the model: texts in through one shared queue, entities out through futures.

An owner that is free takes what is waiting: texts to tokenise first, then windows to compute. There is no
timer; an idle service answers at once and a busy one batches by itself.

Whatever fails between taking work and answering it becomes the error of those who asked, and the thread lives
on. Which windows go together is decided by `queue` and `batching`, what the scores mean by `decode`.
"""

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from appliance.errors import ApplianceError, InferenceFailed, Stopping
from appliance.ner.decoding import Decoder, Recognized
from appliance.ner.queue import Call, Entry, Queue, Room, Text
from appliance.ner.session import Logits, Session, TokenNumbers
from appliance.ner.text_request import TextRequest
from appliance.ner.tokenizer import TextTokenizer, Window

_GIVE_WAY: Final = 5  # steps of nice: a third of the processor time of another busy thread
_SHORT_SWITCH_SECONDS: Final = 0.001
_log = logging.getLogger("appliance.inference.worker")


class Worker:
    """Owner threads around one model, and the queue they share.

    Args:
        sessions: One per owner thread; a session that bears concurrent calls may stand there several times.
        tokenizer: Cuts texts into windows.
        decoder: Makes entities from scores.
        room: New texts are taken while less than this is waiting.
        batch_tokens: The most tokens in one call of the model, padding included; 0 means one window a call.
        pad_token: Fills shorter rows of a batch.
        clock: Seconds that never run backwards.
        observe: Told windows and tokens of each call of the model, padding included, on an owner thread.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        *,
        tokenizer: TextTokenizer,
        decoder: Decoder,
        room: Room,
        batch_tokens: int,
        pad_token: int = 0,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[int, int], None] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._decoder = decoder
        self._pad_token = pad_token
        self._clock = clock
        self._observe = observe
        self._queue = Queue(room=room, batch_tokens=batch_tokens, owners=len(sessions))
        self._closing = False
        self._busy_since: list[float | None] = [None] * len(sessions)
        self._threads = [
            threading.Thread(target=self._own, args=(number, session), name=f"model-{number}", daemon=True)
            for number, session in enumerate(sessions)
        ]
        for thread in self._threads:
            thread.start()

    async def answer(self, requests: Sequence[TextRequest], *, background: bool = False) -> list[Recognized]:
        """Queue texts and wait for the entities of each, in order; background texts come after all others.

        Raises:
            Busy: The queue is full; nothing was queued.
            Stopping: The worker is being closed.
            InferenceFailed: The model failed on these texts or on a batch that they were part of.
        """
        if not requests:
            return []
        loop = asyncio.get_running_loop()
        call = Call(requests=requests, loop=loop, future=loop.create_future(), background=background)
        self._queue.put(call)
        try:
            return await call.future
        finally:
            call.left = True

    @property
    def waiting_tokens(self) -> int:
        """Tokens that wait for an owner, estimated for texts not yet tokenised."""
        return self._queue.tokens

    def is_overloaded(self) -> bool:
        """Whether requests are best refused before they are read."""
        return self._queue.is_overloaded()

    def heartbeat_age(self) -> float:
        """Return for how many seconds the slowest owner has been at its present work; 0 when all are idle.

        Infinite if an owner thread has died, which no failure of model or tokenizer can cause.
        """
        if not self._closing and not all(thread.is_alive() for thread in self._threads):
            return float("inf")
        now = self._clock()
        return max((now - since for since in self._busy_since if since is not None), default=0.0)

    def close(self, *, drain: bool, timeout_seconds: float | None = None) -> bool:
        """Refuse new texts, finish what waits (`drain`) or refuse it as well, and end the threads.

        A batch that has begun is finished either way. Blocks; answers reach their callers as their loop runs.

        Returns:
            Whether all threads ended in time.
        """
        self._closing = True
        self._refuse(self._queue.close(drain=drain), Stopping("the service is stopping"))
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    # What follows runs on the owner threads.

    def _own(self, number: int, session: Session) -> None:
        _give_way()
        while True:
            self._busy_since[number] = None
            calls, batches = self._queue.take()
            if not calls and not batches:
                return
            finished: list[Call] = []
            try:
                with _background_work.during(_is_background(calls, batches)):
                    if calls:
                        self._busy_since[number] = self._clock()
                        self._guard(calls, self._tokenize, calls)
                    for batch in batches:
                        self._busy_since[number] = self._clock()
                        asked = [entry.text.call for entry in batch]
                        self._guard(asked, self._compute, session, batch, finished)
            finally:
                _answer(finished)
                self._queue.done(calls)
            del calls, batches, finished  # an idle owner keeps no text in memory

    def _guard(self, calls: Sequence[Call], work: Callable[..., None], *arguments: object) -> None:
        """Do a piece of work; if it fails, that is the answer to the calls it was for, and to no others."""
        try:
            work(*arguments)
        except BaseException as error:  # a panic inside the Rust library is no Exception
            _log.exception("a batch failed")
            self._refuse(calls, InferenceFailed(f"the model failed on this input ({type(error).__name__})"))

    def _tokenize(self, calls: Sequence[Call]) -> None:
        documents = iter(self._tokenizer.cut([one.text for call in calls for one in call.requests]))
        fresh: list[Text] = []
        for call in calls:
            call.found = [Recognized() for _ in call.requests]
            for index, request in enumerate(call.requests):
                document = next(documents)
                windows = len(document.windows)
                if windows:
                    scores = self._decoder.blank(len(document.starts)) if windows > 1 else None
                    text = Text(
                        call=call, index=index, document=document, open_windows=windows, scores=scores
                    )
                    call.open_texts += 1
                    fresh.append(text)
                else:
                    call.found[index] = Recognized(self._decoder.without_words(request))
            if not call.open_texts:
                _answer([call])
        self._queue.put_windows(fresh)

    def _compute(self, session: Session, entries: Sequence[Entry], finished: list[Call]) -> None:
        """Compute a batch, and add the calls that end with it to those that are finished."""
        ids, mask, types = stack([entry.window for entry in entries], self._pad_token)
        logits = session.run(ids, mask, types)
        if self._observe is not None:
            self._observe(len(entries), ids.size)
        for row, entry in zip(logits, entries, strict=True):
            if self._finish(entry, row):
                finished.append(entry.text.call)

    def _finish(self, entry: Entry, row: Logits) -> bool:
        """Keep a window's scores, decode a text with its last window; return whether that ended its call."""
        text, window, document = entry.text, entry.window, entry.text.document
        scores = row[window.positions]
        if text.scores is not None:
            text.scores[window.first_word : window.first_word + len(scores)] = scores
            if not self._queue.window_done(text):
                return False
            scores = text.scores
        request = text.call.requests[text.index]
        entities = self._decoder.entities(request, document.starts, document.ends, scores)
        text.call.found[text.index] = Recognized(entities, unknown_share=document.unknown_share)
        return self._queue.text_done(text.call)

    def _refuse(self, calls: Sequence[Call], error: ApplianceError) -> None:
        for call in dict.fromkeys(calls):
            call.left = True  # its other windows need not be computed
            _on_loop(call.loop, _set_error, call, error)


class _BackgroundWork:
    """Whether background texts are read now, on any thread of this process.

    A text of 125,000 characters is tens of milliseconds of Python. Python lets another thread have its lock
    after 5 ms, and a short request asks for it some five times on its way; meanwhile it is 1 ms. Not always:
    where many threads are busy, more changes between them cost more than they give.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = 0
        self._usual = sys.getswitchinterval()

    @contextlib.contextmanager
    def during(self, background: bool) -> Iterator[None]:
        if not background:
            yield
            return
        with self._lock:
            self._busy += 1
            if self._busy == 1:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, _SHORT_SWITCH_SECONDS))
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                if not self._busy:
                    sys.setswitchinterval(self._usual)


_background_work = _BackgroundWork()


def _is_background(calls: Sequence[Call], batches: Sequence[Sequence[Entry]]) -> bool:
    return calls[0].background if calls else batches[0][0].text.call.background


def _give_way() -> None:
    """Let the event loop and the ledger go first: they need little, and everybody waits for them.

    With more threads than cores, a loop that has to wait for its turn on a core answers late and refuses
    late, however little there is to do.
    """
    with contextlib.suppress(OSError):
        lower = os.getpriority(os.PRIO_PROCESS, 0) + _GIVE_WAY
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lower)


def stack(
    windows: Sequence[Window], pad_token: int
) -> tuple[TokenNumbers, TokenNumbers, TokenNumbers | None]:
    """Return ids, mask and types of a batch, [windows, tokens]; types are None if the model wants zeros.

    Shorter windows are filled at their end. A window on its own is not copied.
    """
    if len(windows) == 1:
        window = windows[0]
        ids = window.ids[None]
        return ids, np.ones_like(ids), None if window.types is None else window.types[None]
    shape = len(windows), max(len(window.ids) for window in windows)
    ids, mask = np.full(shape, pad_token, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    types = None if windows[0].types is None else np.zeros(shape, dtype=np.int64)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size] = window.ids
        mask[row, :size] = 1
        if types is not None and window.types is not None:
            types[row, :size] = window.types
    return ids, mask, types


def _answer(calls: Sequence[Call]) -> None:
    """Hand what was found to those who wait, with one wake-up for each event loop."""
    for loop in dict.fromkeys(call.loop for call in calls):
        _on_loop(loop, _set_results, [call for call in calls if call.loop is loop])


def _on_loop(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], *arguments: object) -> None:
    try:
        loop.call_soon_threadsafe(settle, *arguments)
    except RuntimeError:  # the loop is closed: nobody is left to hear
        _log.debug("an answer came after its loop was closed")


def _set_results(calls: Sequence[Call]) -> None:
    for call in calls:
        if not call.future.done():
            call.future.set_result(call.found)


def _set_error(call: Call, error: ApplianceError) -> None:
    if not call.future.done():
        call.future.set_exception(error)
