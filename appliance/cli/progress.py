"""Progress of long commands, on standard error."""

import sys
import time

import click


class Progress:
    """Says what is being done: each new step, at most once a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, step: str, share: float) -> None:
        """Hear of a step, and the share of all that is done."""
        now = time.monotonic()
        if share >= 1 or now - self._last >= 1:
            self._last = now
            end = "\r" if sys.stderr.isatty() and share < 1 else "\n"
            click.echo(f"{100 * share:3.0f} %  {step:70}", err=True, nl=False)
            click.echo(end, err=True, nl=False)
