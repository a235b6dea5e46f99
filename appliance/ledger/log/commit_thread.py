"""One thread that writes the log, and its queue: all that waits when it is free becomes one transaction.

No timer: an idle ledger commits at once, a busy one groups by itself. A request's future is resolved only
after the commit returned. Whatever fails between taking a group and answering it becomes that group's error;
then the log is read anew from disk, each second, until a commit succeeds again, and requests are refused at
once meanwhile. A log that turns out damaged is succeeded by another one, just as at a start.
"""

import asyncio
import contextlib
import errno
import logging
import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from appliance.errors import UsageStoreUnavailable
from appliance.ledger.log.directory_lock import Lock
from appliance.ledger.log.disk_reserve import Reserve
from appliance.ledger.log.journal import Journal
from appliance.ledger.log.sqlite_store import Damaged, is_corruption
from appliance.ledger.log.usage_record import UsageRecord
from license.errors import LicenseError

_log = logging.getLogger("appliance.usage")

GROUP_REQUESTS = 1024
PULSE_SECONDS = 1.0
RETRY_SECONDS = 1.0
DUE_SECONDS = 0.25


# Origin of a log and the index of an entry in it.
Written = tuple[str, int]


class Promise(asyncio.Future[Written]):
    """Where a record will stand. It cannot be taken back: the writer may have it on disk already.

    A task that is cancelled while it awaits one is told so when the record is durable, or has failed.
    """

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ARG002
        """Decline; asyncio then raises `CancelledError` in the task that waits, once this is resolved."""
        return False


class _Waiting(NamedTuple):
    """A request that awaits its commit; a tuple, since one is made for every request."""

    loop: asyncio.AbstractEventLoop
    future: Promise
    uses: Sequence[UsageRecord]


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """Something else to do on the writer's thread; the last one ends it."""

    do: Callable[[Journal], None]
    done: Future[None]
    last: bool = False


class CommitThread:
    """The writer thread of one log; started at once, ended by `close`.

    Args:
        journal: The open log.
        reserve: The room that is freed when the disk is full.
        succeed: Makes the successor of a damaged log, ready for use.
        committed: Called after each commit, before the answers to it; what it raises withholds them.
        lock: Lock of the directory.
    """

    def __init__(
        self,
        journal: Journal,
        reserve: Reserve,
        *,
        succeed: Callable[[Journal, Damaged], Journal],
        committed: Callable[[Journal], None],
        lock: Lock,
    ) -> None:
        self._journal = journal
        self._reserve = reserve
        self._succeed = succeed
        self._committed = committed
        self._lock = lock
        self._damage: Damaged | None = None
        self._queue: queue.SimpleQueue[_Waiting | _Call] = queue.SimpleQueue()
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._beat = time.monotonic()
        self._due_at = 0.0
        self._closed = False
        self._ended = False
        self._full = False
        self._failed_at = 0
        self._fault = ""
        self._lost = 0
        self._last_message = ""
        self.healthy = True
        self._thread = threading.Thread(target=self._run, name="usage-writer", daemon=True)
        self._thread.start()

    @property
    def journal(self) -> Journal:
        """The log as the thread sees it; read only what is a single value."""
        return self._journal

    def heartbeat_age(self) -> float:
        """Seconds since the thread last came round."""
        return time.monotonic() - self._beat

    def submit(self, uses: Sequence[UsageRecord]) -> Promise:
        """Queue uses of the running event loop's caller; the future says where the first is, once durable.

        It fails with `UsageStoreUnavailable` if they are not durable and will not be.

        Raises:
            UsageStoreUnavailable: Nothing can be recorded now.
        """
        if self._closed or not self.healthy:
            self._lost += 1
            raise _unavailable(self._fault if not self._closed else "the ledger is closed")
        loop = asyncio.get_running_loop()
        future = Promise(loop=loop)
        # A batch of the model ends many requests in one turn of the loop: they share a commit, where the
        # first of them alone would otherwise wake the thread.
        gathered = self._gathered.get(loop)
        if gathered is None:
            gathered = self._gathered[loop] = []
            loop.call_soon(self._hand_over, loop)
        gathered.append(_Waiting(loop, future, uses))
        return future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        for item in self._gathered.pop(loop):
            self._put(item)

    def call(self, do: Callable[[Journal], None]) -> None:
        """Run something on the writer's thread between two groups, and wait for it.

        Raises:
            UsageStoreUnavailable: It could not be written.
            LicenseError: It was refused.
        """
        if self._closed or not self.healthy:
            raise _unavailable(self._fault if not self._closed else "the ledger is closed")
        done: Future[None] = Future()
        self._put(_Call(do, done))
        done.result()

    def report_damage(self, damage: Damaged) -> None:
        """Have the log succeeded: somebody found that it is not what was written. From any thread."""

        def fail(_: Journal) -> None:
            raise damage

        if not self._closed:
            self._put(_Call(fail, Future()))

    def close(self) -> None:
        """Write what waits, then the last words, and end the thread; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._queue.put(_Call(Journal.stop, Future(), last=True))
        self._thread.join()

    def _put(self, item: "_Waiting | _Call") -> None:
        self._queue.put(item)
        if self._ended:  # the thread has looked for the last time; nobody else would answer
            self._refuse_rest()

    def _run(self) -> None:
        while True:
            self._beat = time.monotonic()
            items = self._take()
            waiting = [item for item in items if isinstance(item, _Waiting)]
            if not self.healthy:
                self._recover()
            if waiting:
                self._commit(waiting)
            for item in items:
                if isinstance(item, _Call):
                    self._call(item)
                    if item.last:
                        self._ended = True
                        self._refuse_rest()
                        return
            # Between two commits that follow at once, nothing can be due that was not a moment before.
            if self.healthy and (len(items) > len(waiting) or not items or self._beat >= self._due_at):
                self._due_at = self._beat + DUE_SECONDS
                self._guard(self._do_what_is_due)

    def _do_what_is_due(self) -> None:
        self._lock.check()
        self._journal.do_what_is_due()

    def _take(self) -> list[_Waiting | _Call]:
        """Return what waits, up to and including the first call; nothing if nothing came for a while."""
        items: list[_Waiting | _Call] = []
        with contextlib.suppress(queue.Empty):
            items.append(self._queue.get(timeout=PULSE_SECONDS if self.healthy else RETRY_SECONDS))
            while isinstance(items[-1], _Waiting) and len(items) < GROUP_REQUESTS:
                items.append(self._queue.get_nowait())
        return items

    def _commit(self, waiting: Sequence[_Waiting]) -> None:
        firsts: list[int] = []
        origin = self._journal.state.origin

        def write() -> None:
            self._lock.check()
            firsts.extend(self._journal.commit([item.uses for item in waiting]))
            self._committed(self._journal)

        error = self._guard(write)
        if error is not None:
            self._lost += len(waiting)
        by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = defaultdict(list)
        for position, item in enumerate(waiting):
            by_loop[item.loop].append((item.future, (origin, firsts[position] if error is None else -1)))
        for loop, answers in by_loop.items():
            # A caller whose loop has gone needs no answer.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_answer, answers, error)

    def _call(self, item: _Call) -> None:
        refusal: list[LicenseError] = []

        def do() -> None:
            try:
                item.do(self._journal)
            except LicenseError as error:
                refusal.append(error)

        error = self._guard(do)
        if error is not None or refusal:
            item.done.set_exception(error or refusal[0])
        else:
            item.done.set_result(None)

    def _guard(self, do: Callable[[], None]) -> UsageStoreUnavailable | None:
        """Do something that writes; a failure makes the ledger unhealthy and is returned, not raised."""
        if not self.healthy:
            return _unavailable(self._fault)
        try:
            do()
        except Exception as error:
            # Broad on purpose: the thread must outlive whatever a disk, or a mistake of ours, may raise.
            self._fail(error)
            return _unavailable(self._fault)
        return None

    def _fail(self, error: Exception) -> None:
        self._fault = _fault_name(error)
        if isinstance(error, Damaged):
            self._damage = error
        elif is_corruption(error):
            self._damage = Damaged("corrupt", f"SQLite cannot use it: {error}")
        self._full = self._fault in ("SQLITE_FULL", "ENOSPC")
        self._failed_at = self._journal.now()
        self.healthy = False
        _log.error("usage cannot be recorded (%s: %s); no answer is given until it can", self._fault, error)
        if self._full:
            self._say_full()

    def _say_full(self) -> None:
        """Free the reserve and write, into the room this makes, that the disk is full."""
        with contextlib.suppress(Exception):
            self._reserve.free()
            journal = self._journal.reload()
            journal.note_fault(self._fault, since=self._failed_at, lost=self._lost)
            self._journal = journal

    def _recover(self) -> None:
        """Try to write again; on success requests are served from here on."""
        try:
            self._lock.renew()
            self._reserve.hold()
            journal = self._reload()
            self._committed(journal)
            journal.note_fault("back" if self._full else self._fault, since=self._failed_at, lost=self._lost)
        except Exception as error:
            # Broad for the same reason as above; the next attempt is a second away.
            if str(error) != self._last_message:
                self._last_message = str(error)
                _log.error("usage can still not be recorded: %s", error)
            self._let_go()
            return
        self._journal = journal
        self._damage = None
        self._lost, self._full, self._last_message, self.healthy = 0, False, "", True
        _log.warning("usage can be recorded again")

    def _let_go(self) -> None:
        """Hold no file open between two attempts: the disk may have to be unmounted to be put right."""
        with contextlib.suppress(Exception):
            self._journal.close()
        self._lock.release()

    def _reload(self) -> Journal:
        """Return the log as it is on disk, or its successor."""
        if self._damage is None:
            try:
                journal = self._journal.reload()
                journal.settle()
            except Damaged as damage:
                self._damage = damage
            else:
                return journal
        return self._succeed(self._journal, self._damage)

    def _refuse_rest(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._queue.get_nowait()
                error = _unavailable("the ledger is closed")
                if isinstance(item, _Call):
                    item.done.set_exception(error)
                else:
                    with contextlib.suppress(RuntimeError):
                        item.loop.call_soon_threadsafe(_answer, [(item.future, ("", -1))], error)


_Answer = tuple[Promise, Written]


def _answer(answers: Sequence[_Answer], error: Exception | None) -> None:
    """Resolve futures on their own loop."""
    for future, written in answers:
        if error is None:
            future.set_result(written)
        else:
            future.set_exception(_unavailable(str(error.args[0])))


def _fault_name(error: Exception) -> str:
    """Name an error in a word: SQLite's own, the system's, a damage's reason, or its class."""
    if isinstance(error, Damaged):
        return error.reason
    if isinstance(error, sqlite3.Error):
        return str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "OSError")
    return type(error).__name__


def _unavailable(fault: str) -> UsageStoreUnavailable:
    return UsageStoreUnavailable(f"the usage of this request could not be recorded: {fault}")
