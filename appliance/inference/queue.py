"""What waits for the model: texts that nobody has tokenised yet, and windows in the order of their turn.

Every method may be called from any thread. The owners of the model (`worker`) block in `take`; the event
loop only ever calls `put`, which tries for room and never waits for it.
"""

import asyncio
import heapq
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.errors import Busy, Stopping
from appliance.inference.batching import next_batch
from appliance.inference.decode import Entity
from appliance.inference.session import Logits
from appliance.inference.tokens import Document, Window

_LOOKAHEAD: Final = 64  # waiting windows that are searched for mates of the same length
_CHARACTERS_AT_ONCE: Final = (
    32_768  # tokenised in one go, so that one owner does not keep all new texts to itself
)
_CHARACTERS_PER_TOKEN: Final = 4  # in English; an estimate for texts that nobody has tokenised yet


@dataclass(slots=True, eq=False, kw_only=True)
class Call:
    """One caller's texts on their way; `left` is set once nobody waits for the answer any more."""

    texts: Sequence[str]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[list[list[Entity]]]"
    left: bool = False
    found: list[list[Entity]] = field(default_factory=list)
    open_texts: int = 0
    charge: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Text:
    """One text of a call; the scores of a long one are gathered here until its last window is done."""

    call: Call
    index: int
    document: Document
    open_windows: int
    scores: Logits | None


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """One waiting window and the text it belongs to."""

    text: Text
    window: Window


class Queue:
    """The one queue in front of a model.

    Windows are served by turns: a text's n-th window comes n turns after its arrival, so that a long document
    does not hold up the short ones behind it, and they not it.

    Args:
        capacity_tokens: New texts are taken while fewer tokens than this are waiting, so that a text larger
        than
            the whole queue is served as well.
        batch_tokens: The most tokens of one batch, padding included; 0 means one window a batch.
    """

    def __init__(self, *, capacity_tokens: int, batch_tokens: int) -> None:
        self._capacity_tokens = capacity_tokens
        self._batch_tokens = batch_tokens
        self._changed = threading.Condition(threading.Lock())
        self._calls: deque[Call] = deque()
        self._windows: list[tuple[int, int, Entry]] = []  # a heap by turn, then by arrival
        self._tokens = 0
        self._turn = 0
        self._arrivals = itertools.count()
        self._taken = 0
        self._closed = False

    @property
    def tokens(self) -> int:
        """Tokens that wait, estimated for texts not yet tokenised."""
        return self._tokens

    def put(self, call: Call) -> None:
        """Queue a call.

        Raises:
            Busy: There is no room now.
            Stopping: The queue was closed.
        """
        charge = sum(map(len, call.texts)) // _CHARACTERS_PER_TOKEN + len(call.texts)
        with self._changed:
            if self._closed:
                raise Stopping("the service is stopping")
            if self._tokens >= self._capacity_tokens:
                raise Busy("the model's queue is full")
            call.charge = charge
            self._tokens += charge
            self._calls.append(call)
            self._changed.notify()

    def put_windows(self, texts: Iterable[Text]) -> None:
        """Queue the windows of texts that were taken as calls."""
        with self._changed:
            before = len(self._windows)
            for text in texts:
                for turn, window in enumerate(text.document.windows, self._turn + 1):
                    item = turn, next(self._arrivals), Entry(text=text, window=window)
                    heapq.heappush(self._windows, item)
                    self._tokens += len(window.ids)
            others = len(self._windows) - before - 1  # the owner that brings them takes one itself
            if others > 0:
                self._changed.notify(others)

    def take(self) -> tuple[list[Call], list[Entry]]:
        """Wait for work and take it: either calls to tokenise, or the windows of one batch.

        What was taken is handed back by `done`. Nothing at all means that no more will come.
        """
        with self._changed:
            while True:
                calls = self._take_calls()
                entries = [] if calls else self._take_entries()
                if calls or entries:
                    self._taken += 1
                    return calls, entries
                if self._closed and not self._taken:
                    return [], []
                self._changed.wait()

    def done(self, calls: Iterable[Call]) -> None:
        """Say that what was taken last is finished, well or badly."""
        with self._changed:
            for call in calls:
                self._tokens -= call.charge
            self._taken -= 1
            if self._closed:
                self._changed.notify_all()

    def window_done(self, text: Text) -> bool:
        """Count a finished window; return whether it was its text's last."""
        with self._changed:
            text.open_windows -= 1
            return text.open_windows == 0

    def text_done(self, call: Call) -> bool:
        """Count a finished text; return whether it was its call's last."""
        with self._changed:
            call.open_texts -= 1
            return call.open_texts == 0

    def close(self, *, drain: bool) -> list[Call]:
        """Take nothing new; return the calls that will not be finished, which are none when draining."""
        with self._changed:
            self._closed = True
            dropped = []
            if not drain:
                dropped = [*self._calls, *(entry.text.call for _, _, entry in self._windows)]
                self._calls.clear()
                self._windows.clear()
                self._tokens = 0
            self._changed.notify_all()
            return dropped

    def _take_calls(self) -> list[Call]:
        calls = []
        characters = 0
        while self._calls and characters < _CHARACTERS_AT_ONCE:
            call = self._calls.popleft()
            if call.left:
                self._tokens -= call.charge
            else:
                characters += call.charge * _CHARACTERS_PER_TOKEN
                calls.append(call)
        return calls

    def _take_entries(self) -> list[Entry]:
        """Take the window whose turn it is and those that fit to it; drop those that nobody waits for."""
        candidates: list[tuple[int, int, Entry]] = []
        while self._windows and len(candidates) < (_LOOKAHEAD if self._batch_tokens else 1):
            item = heapq.heappop(self._windows)
            if item[2].text.call.left:
                self._tokens -= len(item[2].window.ids)
            else:
                candidates.append(item)
        if not candidates:
            return []
        self._turn = candidates[0][0]
        lengths = [len(entry.window.ids) for _, _, entry in candidates]
        chosen = set(next_batch(lengths, budget_tokens=self._batch_tokens))
        entries = []
        for index, item in enumerate(candidates):
            if index in chosen:
                self._tokens -= lengths[index]
                entries.append(item[2])
            else:
                heapq.heappush(self._windows, item)
        return entries
