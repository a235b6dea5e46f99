"""What waits for the model: texts that are not tokenised yet, and windows in the order of their turn.

Every method may be called from any thread. The owners of the model (`worker`) block in `take`; the event
loop only ever calls `put`, which tries for room and never waits for it.
"""

import asyncio
import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.errors import Busy, Stopping
from appliance.ner.batching import next_batch
from appliance.ner.decoding import Recognized
from appliance.ner.session import Logits
from appliance.ner.text_request import TextRequest
from appliance.ner.tokenizer import Document, Window

TURN_TOKENS: Final = 128
"""Tokens that an owner computes before it answers, where windows do not share calls and others wait."""

_LONGEST_TURN: Final = 4  # batches
_LOOKAHEAD: Final = 64  # waiting windows that are searched for mates of the same length
_CHARACTERS_AT_ONCE: Final = (
    32_768  # tokenised in one go, so that one owner does not keep all new texts to itself
)
_KEPT_FREE_SECONDS: Final = 1.0  # how long after a request an owner is kept for the next
_LOW_WATER: Final = 0.9  # share of the room at which an overload is over
_MEMORY: Final = 0.98  # what a turn counts after another one; after fifty a third
_FIRST_TOKENS: Final = 32_768  # room before the first turn
_CHARACTERS_PER_TOKEN: Final = 4  # in English; an estimate for texts that nobody has tokenised yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much may wait before new texts are refused.

    Attributes:
        tokens: In any case.
        seconds: As long as the owners would need for it, at the speed of their last turns.
    """

    tokens: int = 1 << 18
    seconds: float = math.inf


class Pace:
    """How fast the owners are, by the turns of late; what is long ago counts little."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """Count a turn of one owner."""
        self._tokens = self._tokens * _MEMORY + tokens
        self._seconds = self._seconds * _MEMORY + seconds

    def tokens_in(self, seconds: float, owners: int) -> float:
        """Return how many tokens so many owners do in that time; a guess before the first turn."""
        if self._seconds <= 0:
            return _FIRST_TOKENS if seconds < math.inf else math.inf
        return owners * seconds * self._tokens / self._seconds


@dataclass(slots=True, eq=False, kw_only=True)
class Call:
    """One caller's texts on their way; `left` is set once nobody waits for the answer any more.

    `background` texts wait until nobody else does, and leave an owner free while others ask.
    """

    requests: Sequence[TextRequest]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[list[Recognized]]"
    background: bool = False
    left: bool = False
    found: list[Recognized] = field(default_factory=list)
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


class Windows:
    """Windows of one urgency in the order of their turn; guarded by the queue's lock.

    Attributes:
        tokens: Tokens of all of them.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Entry]] = []  # by turn, then by arrival
        self._arrivals = itertools.count()
        self._turn = 0
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_length(self) -> int:
        """Tokens of the window whose turn it is; there has to be one."""
        return len(self._heap[0][2].window.ids)

    def push(self, text: Text) -> int:
        """Add the windows of a text, the n-th for n turns from now; return their tokens."""
        for turn, window in enumerate(text.document.windows, self._turn + 1):
            heapq.heappush(self._heap, (turn, next(self._arrivals), Entry(text=text, window=window)))
        tokens = sum(len(window.ids) for window in text.document.windows)
        self.tokens += tokens
        return tokens

    def take(self, batch_tokens: int, owners: int = 1) -> tuple[list[Entry], int]:
        """Take the window whose turn it is and those that fit to it; drop those that nobody waits for.

        Args:
            batch_tokens: The most tokens of the batch, padding included; 0 means one window.
            owners: How many owners share what waits: none takes more than its part of it.

        Returns:
            The batch, and the tokens of everything that left.
        """
        candidates: list[tuple[int, int, Entry]] = []
        tokens = 0
        while self._heap and len(candidates) < (_LOOKAHEAD if batch_tokens else 1):
            item = heapq.heappop(self._heap)
            if item[2].text.call.left:
                tokens += len(item[2].window.ids)
            else:
                candidates.append(item)
        if not candidates:
            self.tokens -= tokens
            return [], tokens
        self._turn = candidates[0][0]
        lengths = [len(entry.window.ids) for _, _, entry in candidates]
        part = -(-sum(lengths) // owners)
        chosen = set(next_batch(lengths, budget_tokens=min(batch_tokens, part)))
        entries = []
        for index, item in enumerate(candidates):
            if index in chosen:
                tokens += lengths[index]
                entries.append(item[2])
            else:
                heapq.heappush(self._heap, item)
        self.tokens -= tokens
        return entries, tokens

    def clear(self) -> list[Call]:
        """Drop everything; return the calls it belonged to."""
        calls = [entry.text.call for _, _, entry in self._heap]
        self._heap.clear()
        self.tokens = 0
        return calls


@dataclass(slots=True, eq=False)
class _Lane:
    """What waits of one urgency; `tokens` are estimated for texts not yet tokenised."""

    calls: deque[Call] = field(default_factory=deque)
    windows: Windows = field(default_factory=Windows)
    tokens: int = 0


class Queue:
    """The one queue in front of a model.

    Windows are served by turns: a text's n-th window comes n turns after its arrival, so that a long document
    does not hold up the short ones behind it, and they not it. Background texts come after all others, one
    window at a time; while others ask, one owner is kept for them. They have room of their own: a long job
    does not make the queue full for others.

    Args:
        room: New texts are taken while less than this is waiting, of their urgency, so that a text larger
            than the whole queue is served as well.
        batch_tokens: The most tokens of one batch, padding included; 0 means one window a batch.
        owners: How many threads take from it.
    """

    def __init__(self, *, room: Room, batch_tokens: int, owners: int = 1) -> None:
        self._room = room
        self._pace = Pace()
        self._turns: dict[int, tuple[float, int]] = {}
        self._batch_tokens = batch_tokens
        self._owners = owners
        self._changed = threading.Condition(threading.Lock())
        self._prompt = _Lane()
        self._background = _Lane()
        self._background_owners: set[int] = set()
        self._asked = -math.inf
        self._taken = 0
        self._overloaded = False
        self._closed = False

    @property
    def tokens(self) -> int:
        """Tokens that wait, estimated for texts not yet tokenised."""
        return self._prompt.tokens + self._background.tokens

    def is_overloaded(self) -> bool:
        """Whether requests are best refused before they are read: from a full queue until a tenth is free.

        Requests come many at a time and are queued a little after they were asked about. Were it only about
        the one free place, each of them would be let in for it, read in full and refused by `put`.
        """
        least = _LOW_WATER if self._overloaded else 1.0
        self._overloaded = self._prompt.tokens >= least * self._prompt_tokens()
        return self._overloaded

    def _prompt_tokens(self) -> float:
        return min(self._room.tokens, self._pace.tokens_in(self._room.seconds, self._owners))

    def put(self, call: Call) -> None:
        """Queue a call.

        Raises:
            Busy: There is no room now.
            Stopping: The queue was closed.
        """
        charge = sum(len(one.text) for one in call.requests) // _CHARACTERS_PER_TOKEN + len(call.requests)
        with self._changed:
            if self._closed:
                raise Stopping("the service is stopping")
            lane = self._lane(call)
            if lane.tokens >= (self._room.tokens if call.background else self._prompt_tokens()):
                raise Busy("the model's queue is full")
            call.charge = charge
            lane.tokens += charge
            lane.calls.append(call)
            if not call.background:
                self._asked = time.monotonic()
            self._changed.notify()

    def put_windows(self, texts: Iterable[Text]) -> None:
        """Queue the windows of texts that were taken as calls."""
        with self._changed:
            others = -1  # the owner that brings them takes one itself
            for text in texts:
                lane = self._lane(text.call)
                lane.tokens += lane.windows.push(text)
                others += len(text.document.windows)
            if others > 0:
                self._changed.notify(others)

    def take(self) -> tuple[list[Call], list[list[Entry]]]:
        """Wait for work and take it: either calls to tokenise, or windows in the batches to compute.

        What was taken is handed back by `done`. Nothing at all means that no more will come.
        """
        with self._changed:
            while True:
                calls = self._take_calls(self._prompt)
                batches = [] if calls else self._take_turn(self._prompt)
                if not calls and not batches:
                    calls, batches = self._take_background()
                if calls or batches:
                    self._taken += 1
                    tokens = sum(len(entry.window.ids) for batch in batches for entry in batch)
                    self._turns[threading.get_ident()] = time.monotonic(), tokens
                    return calls, batches
                if self._closed and not self._taken:
                    return [], []
                self._changed.wait(self._held_back())

    def done(self, calls: Iterable[Call]) -> None:
        """Say that what was taken last is finished, well or badly."""
        with self._changed:
            for call in calls:
                self._lane(call).tokens -= call.charge
            self._taken -= 1
            began, tokens = self._turns.pop(threading.get_ident())
            if tokens:
                self._pace.add(tokens, time.monotonic() - began)
            self._background_owners.discard(threading.get_ident())
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
                for lane in (self._prompt, self._background):
                    dropped += [*lane.calls, *lane.windows.clear()]
                    lane.calls.clear()
                    lane.tokens = 0
            self._changed.notify_all()
            return dropped

    def _lane(self, call: Call) -> _Lane:
        return self._background if call.background else self._prompt

    def _take_calls(self, lane: _Lane) -> list[Call]:
        calls = []
        characters = 0
        while lane.calls and characters < _CHARACTERS_AT_ONCE:
            call = lane.calls.popleft()
            if call.left:
                lane.tokens -= call.charge
            else:
                characters += call.charge * _CHARACTERS_PER_TOKEN
                calls.append(call)
        return calls

    def _take_turn(self, lane: _Lane) -> list[list[Entry]]:
        """Take batches that are answered together: one wake-up of the loop and one commit serve them all.

        Windows of different lengths are computed by themselves, but where several wait, none is answered
        before a batch's worth of tokens is done, and in a deep queue several batches.
        """
        part = -(-lane.windows.tokens // self._owners)
        least = self._batch_tokens or TURN_TOKENS
        # A deep queue makes long turns: a quarter of what an owner has before it delays nobody by much.
        budget = min(part, max(least, min(part // 4, _LONGEST_TURN * least)))
        batches: list[list[Entry]] = []
        while lane.windows and (not batches or lane.windows.next_length <= budget):
            batch = self._take_batch(lane, self._batch_tokens)
            if not batch:  # nobody waits for the rest
                break
            batches.append(batch)
            budget -= sum(len(entry.window.ids) for entry in batch)
        return batches

    def _take_batch(self, lane: _Lane, batch_tokens: int) -> list[Entry]:
        entries, tokens = lane.windows.take(batch_tokens, self._owners)
        lane.tokens -= tokens
        return entries

    def _take_background(self) -> tuple[list[Call], list[list[Entry]]]:
        """Take background work if this owner may: what is tokenised goes first, so that little is."""
        if len(self._background_owners) >= self._background_limit():
            return [], []
        batch = self._take_batch(self._background, 0)
        calls = [] if batch else self._take_calls(self._background)
        if batch or calls:
            self._background_owners.add(threading.get_ident())
        return calls, [batch] if batch else []

    def _background_limit(self) -> int:
        """How many owners background work may keep: all but one while others ask."""
        recent = time.monotonic() - self._asked < _KEPT_FREE_SECONDS
        return max(1, self._owners - 1) if recent and not self._closed else self._owners

    def _held_back(self) -> float | None:
        """Seconds after which an idle owner looks again, if background work waits that it may not take."""
        return _KEPT_FREE_SECONDS if self._background.calls or len(self._background.windows) else None
