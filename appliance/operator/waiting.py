"""A sign of life for people while something takes longer than a second."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Final

import click

FIRST_SECONDS: Final = 1.0
NEXT_SECONDS: Final = 5.0


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say on standard error what is being waited for: after one second, then every five."""
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
    """Reports how much of something large is done, at most once a second.

    Args:
        what: What is being done, such as `checking ner-en-3.age`.
        total: Bytes in all; 0 if unknown.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._said = time.monotonic()

    def __call__(self, done: int) -> None:
        """Tell how many bytes are done."""
        now = time.monotonic()
        if now - self._said >= FIRST_SECONDS:
            self._said = now
            share = f", {done * 100 // self._total} %" if self._total else ""
            click.echo(f"  {self._what}: {done >> 20} MiB{share}", err=True)
