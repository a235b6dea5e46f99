"""Anchors: files that others keep, often on another machine's disk, and that receive each signed head.

A mount that hangs must hold up nothing: each anchor has a thread of its own with room for one head, the
newest, and reading at a start has a limit. A head is durable in the log before it comes here, so what an
anchor misses is lost to the anchor alone.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TypeVar

from license.files import read_limited, write_atomic

_log = logging.getLogger("appliance.usage")

READ_SECONDS = 2.0
"""Longest wait for all anchors at a start; one that answers later is not asked."""
CLOSE_SECONDS = 2.0
"""Longest wait at the stop for all anchors to receive the last head."""
SLOW_SECONDS = 60.0
"""An anchor that has been at one head for so long is told of in the log, once."""

T = TypeVar("T")


class Anchor:
    """One file that receives heads; its thread begins with the first one and ends with `close`.

    Args:
        path: The file.
        write: Replaces a file by bytes; raises `OSError`.
        read: Returns a file of at most so many bytes; raises `LicenseError`.
    """

    def __init__(
        self,
        path: Path,
        *,
        write: Callable[[Path, bytes], None] = write_atomic,
        read: Callable[[Path, int], bytes] = read_limited,
    ) -> None:
        self.path = path
        self.read = read
        self._write = write
        self._changed = threading.Condition()
        self._next: bytes | None = None
        self._since: float | None = None
        self._is_told_slow = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def offer(self, note: bytes) -> None:
        """Have a head written soon, in place of one that still waits; returns at once."""
        with self._changed:
            if self._closed:
                return
            self._next = note
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="usage-anchor", daemon=True)
                self._thread.start()
            self._tell_slow()

    def close(self, seconds: float) -> None:
        """Wait so long at most for what was offered, then end; safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is None:
            return
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive():
            with self._changed:
                self._next = None  # another process may write newer heads by the time this one is let go
            _log.warning("the anchor %s did not receive the last checkpoint: it does not answer", self.path)

    def _run(self) -> None:
        while (note := self._take()) is not None:
            try:
                self._write(self.path, note)
            except OSError as error:
                _log.warning("the checkpoint could not be copied to %s: %s", self.path, error.strerror)

    def _take(self) -> bytes | None:
        """Return the newest head as soon as there is one; None at the end."""
        with self._changed:
            self._since, self._is_told_slow = None, False
            self._changed.wait_for(lambda: self._next is not None or self._closed)
            note, self._next = self._next, None
            self._since = time.monotonic()
            return note

    def _tell_slow(self) -> None:
        if (
            self._since is not None
            and not self._is_told_slow
            and time.monotonic() - self._since > SLOW_SECONDS
        ):
            self._is_told_slow = True
            _log.warning(
                "the anchor %s does not answer; it receives the newest checkpoint if it comes back", self.path
            )


def close_all(anchors: Sequence[Anchor], seconds: float = CLOSE_SECONDS) -> None:
    """Close several anchors within one limit."""
    end = time.monotonic() + seconds
    for anchor in anchors:
        anchor.close(end - time.monotonic())


def read_all(
    anchors: Sequence[Anchor], read: Callable[[Anchor], T], seconds: float = READ_SECONDS
) -> list[T]:
    """Return what was read from each anchor that answered in time; of the others there is a warning.

    Args:
        anchors: The anchors, read at the same time.
        read: Reads one of them, on a thread of its own; raises nothing.
        seconds: Longest wait for all of them.
    """
    reading = [(anchor, _start(anchor, read)) for anchor in anchors]
    wait([future for _, future in reading], timeout=seconds)
    for anchor, future in reading:
        if not future.done():
            _log.warning("the anchor %s does not answer; what it holds is not compared", anchor.path)
    return [future.result() for _, future in reading if future.done()]


def _start(anchor: Anchor, read: Callable[[Anchor], T]) -> "Future[T]":
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(read(anchor))
        except BaseException as error:  # nobody else would hear of it
            future.set_exception(error)

    threading.Thread(target=run, name="usage-anchor-read", daemon=True).start()
    return future
