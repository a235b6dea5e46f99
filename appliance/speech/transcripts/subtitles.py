"""Subtitles of a transcript: SubRip (`srt`) and WebVTT (`vtt`).

A cue has at most two lines of 42 characters and stays for at most seven seconds. Long phrases are cut between
words: at the end of a sentence if there is one, else at a comma or a pause, and so that no cue is left with a
single word. Times are those of the words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

LINE_CHARACTERS: Final = 42
LINES: Final = 2
MAX_MS: Final = 7_000
MIN_MS: Final = 1_000
"""A shorter cue stays on until then, if no other begins before."""

_PAUSE_MS: Final = 300
_CUE, _UNEVEN, _MID_SENTENCE, _MID_CLAUSE = 4.0, 1.0, 0.3, 0.4  # costs: fewer cues first, then better cuts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What is shown at a time: from `start` up to `end`, in milliseconds of the recording."""

    start: int
    end: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    text: str
    start: int
    end: int


def cues(transcript: Mapping[str, Any]) -> list[Cue]:
    """Cut a transcript into cues.

    Args:
        transcript: As an answer to `:transcribe`.

    Returns:
        Cues in the order of their beginnings; where one channel was heard, none overlaps the next.
    """
    found: list[Cue] = []
    for phrase in transcript["phrases"]:
        words = [
            _Word(
                text=str(word["text"]),
                start=int(word["offsetMilliseconds"]),
                end=int(word["offsetMilliseconds"]) + int(word["durationMilliseconds"]),
            )
            for word in phrase["words"]
        ]
        end = int(phrase["offsetMilliseconds"]) + int(phrase["durationMilliseconds"])
        parts = _cut(words)
        for number, part in enumerate(parts):
            until = part[-1].end if number + 1 < len(parts) else max(end, part[-1].end)
            start = part[0].start
            text = [word.text for word in part]
            found.append(Cue(start=start, end=min(until, start + MAX_MS), lines=_lines(text)))
    found.sort(key=lambda cue: cue.start)
    return _apart(found, int(transcript["durationMilliseconds"]))


def _apart(found: Sequence[Cue], length: int) -> list[Cue]:
    """Let no cue reach into the next, and short ones stay as long as there is room."""
    limits = [*(cue.start for cue in found[1:]), length][: len(found)]
    return [
        replace(cue, end=max(cue.start + 1, min(max(cue.end, cue.start + MIN_MS), limit)))
        for cue, limit in zip(found, limits, strict=True)
    ]


def _cut(words: Sequence[_Word]) -> list[Sequence[_Word]]:
    """Cut the words of a phrase where the sum of the costs is least."""
    best: list[tuple[float, int]] = [
        (0.0, 0)
    ]  # cost of the words before each place, and where its cue begins
    for end in range(1, len(words) + 1):
        choices = []
        for start in range(end - 1, -1, -1):
            part = words[start:end]
            if end - start > 1 and not _fits(part):
                break
            choices.append((best[start][0] + _cost(part, words[end : end + 1]), start))
        best.append(min(choices))
    parts: list[Sequence[_Word]] = []
    end = len(words)
    while end:
        start = best[end][1]
        parts.append(words[start:end])
        end = start
    return parts[::-1]


def _fits(part: Sequence[_Word]) -> bool:
    texts = [word.text for word in part]
    length = sum(map(len, texts)) + len(texts) - 1
    if part[-1].end - part[0].start > MAX_MS or length > LINES * LINE_CHARACTERS + 1:
        return False
    return length <= LINE_CHARACTERS or any(
        max(map(len, lines)) <= LINE_CHARACTERS for lines in _two_lines(texts)
    )


def _cost(part: Sequence[_Word], following: Sequence[_Word]) -> float:
    """What a cue costs: itself, being full while others are empty, and a bad cut behind it."""
    filled = sum(len(word.text) + 1 for word in part) / (LINES * LINE_CHARACTERS)
    cost = _CUE + _UNEVEN * filled * filled
    if not following or part[-1].text.endswith((".", "?", "!")):
        return cost
    pause = following[0].start - part[-1].end >= _PAUSE_MS
    return cost + _MID_SENTENCE + (0 if pause or part[-1].text.endswith((",", ";", ":")) else _MID_CLAUSE)


def _lines(texts: Sequence[str]) -> tuple[str, ...]:
    """Wrap a cue's words: on one line if they fit, else on two as even as can be."""
    whole = " ".join(texts)
    if len(whole) <= LINE_CHARACTERS or len(texts) < LINES:
        return (whole,)
    return min(_two_lines(texts), key=lambda lines: (max(map(len, lines)), len(lines[0])))


def _two_lines(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(" ".join(texts[:at]), " ".join(texts[at:])) for at in range(1, len(texts))]


def srt(found: Sequence[Cue]) -> str:
    """Write cues as SubRip."""
    return "\n".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_text(cue)}"
        for number, cue in enumerate(found, start=1)
    )


def vtt(found: Sequence[Cue]) -> str:
    """Write cues as WebVTT (W3C)."""
    body = "".join(f"\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_escaped(cue)}" for cue in found)
    return f"WEBVTT\n{body}"


def _time(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{rest:03}"


def _text(cue: Cue) -> str:
    return "".join(f"{line}\n" for line in cue.lines)


def _escaped(cue: Cue) -> str:
    return _text(cue).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
