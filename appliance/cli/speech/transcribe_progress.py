"""What `appliance transcribe` says on standard error: a line for each recording, and one that moves."""

import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import click

from appliance.transcribing.batch import Outcome, Result
from appliance.transcribing.plan import Recording

_EVERY_SECONDS: Final = 0.2
_ENDINGS_NAMED: Final = 6


def shown(path: object) -> str:
    """Return a name as a terminal may show it, whatever it is made of."""
    return "".join(one if one.isprintable() else "?" for one in str(path))


def seconds_text(seconds: float) -> str:
    """Return a length as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def passed_line(passed: Counter[str]) -> str:
    """Say which files of directories were left out, by their endings."""
    most = passed.most_common(_ENDINGS_NAMED)
    named = ", ".join(f"{count} {shown(ending) or 'without an ending'}" for ending, count in most)
    more = ", …" if len(passed) > len(most) else ""
    return f"left out, since their names are not those of recordings: {named}{more}"


class Progress:
    """Looks on, and tells.

    Args:
        total: Recordings in all.
        live: Whether a person looks at standard error.
    """

    def __init__(self, total: int, *, live: bool | None = None) -> None:
        self._total = total
        self._live = sys.stderr.isatty() if live is None else live
        self._under_way: dict[Path, float] = {}
        self._ended = 0
        self._heard = 0.0
        self._begun = time.monotonic()
        self._last = 0.0
        self._drawn = False

    def began(self, recording: Recording) -> None:
        """One is under way."""
        self._under_way[recording.path] = 0.0
        self._draw()

    def heard(self, recording: Recording, seconds: float) -> None:
        """So much of it was heard."""
        self._heard += seconds - self._under_way[recording.path]
        self._under_way[recording.path] = seconds
        self._draw()

    def ended(self, outcome: Outcome) -> None:
        """One is over."""
        self._under_way.pop(outcome.recording.path, None)
        self._ended += 1
        self.clear()
        click.echo(_line(outcome), err=True)
        self._last = 0.0
        if self._ended < self._total:
            self._draw()

    def clear(self) -> None:
        """Take the moving line away."""
        if self._drawn:
            click.echo("\r\033[K", err=True, nl=False)
            self._drawn = False

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._live or now - self._last < _EVERY_SECONDS:
            return
        self._last = now
        line = f"{self._ended} of {self._total} over, {len(self._under_way)} under way"
        if self._heard:
            speed = self._heard / max(now - self._begun, 0.001)
            line += f", {seconds_text(self._heard)} heard, {speed:.0f} times as fast as spoken"
        line += f": {shown(next(iter(self._under_way), ''))}"
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\033[K{line[:width]}", err=True, nl=False)
        self._drawn = True


def _line(outcome: Outcome) -> str:
    name = shown(outcome.recording.path)
    match outcome.result:
        case Result.MADE:
            return f"transcribed {name} ({seconds_text(outcome.seconds)})"
        case Result.DONE_BEFORE:
            return f"done before {name}"
        case Result.INTERRUPTED:
            return f"interrupted {name} ({seconds_text(outcome.seconds)} heard and counted)"
        case _:
            return f"failed      {name}: {shown(outcome.message)}"


def summary(outcomes: list[Outcome], total: int) -> str:
    """Return the last line: how many of each, and what was counted."""
    counts = Counter(outcome.result for outcome in outcomes)
    words = (
        (Result.MADE, "transcribed"),
        (Result.DONE_BEFORE, "done before"),
        (Result.FAILED, "failed"),
        (Result.INTERRUPTED, "interrupted"),
    )
    parts = [f"{counts[result]} {word}" for result, word in words if counts[result]]
    if rest := total - len(outcomes):
        parts.append(f"{rest} not begun")
    counted = sum(outcome.seconds for outcome in outcomes)
    noun = "recording" if total == 1 else "recordings"
    return f"{total} {noun}: {', '.join(parts)}; {counted:,} seconds of audio counted"
