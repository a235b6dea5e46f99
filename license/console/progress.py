"""A sign of life while something takes longer than a second: on standard error, and only for people."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

import click

FIRST_SECONDS: Final = 1.0
NEXT_SECONDS: Final = 5.0


def _watched() -> bool:
    """Whether a person looks at standard error."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say what is being done: after one second, then every five; only on a terminal."""
    if not _watched():
        yield
        return
    ended = threading.Event()
    started = time.monotonic()

    def tell() -> None:
        pause = FIRST_SECONDS
        while not ended.wait(pause):
            click.echo(f"  {what}: {time.monotonic() - started:.0f} s", err=True)
            pause = NEXT_SECONDS

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Bytes:
    """Reports how much of something large is here: after one second, then every five.

    Args:
        what: What is being done, such as `downloading ner-en/3`.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + FIRST_SECONDS

    def __call__(self, done: int, total: int) -> None:
        """Tell how many bytes are here, and of how many."""
        now = time.monotonic()
        if now >= self._next and _watched():
            self._next = now + NEXT_SECONDS
            share = done * 100 // max(total, 1)
            click.echo(f"  {self._what}: {done >> 20} of {total >> 20} MiB, {share} %", err=True)
