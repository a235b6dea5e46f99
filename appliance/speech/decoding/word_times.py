"""Times of words: from where a model put its labels to where the sound of the word is.

A CTC model marks a letter with a frame or two near its middle or its end, and leaves the rest blank. A word
reaches from its labels out over the sound around them, up to a pause or to its neighbour.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import HeardWord

FRAME_SECONDS: Final = 0.02
"""Frames of `levels` where no other length is given."""
REACH_SECONDS: Final = 0.3
"""How far a word may reach beyond its labels: longer sound without labels is none of its own."""

BELOW_DECIBELS: Final = 30.0
"""Sound this much below the loudest moment of a word's labels is none of it."""
ABOVE_ROOM_DECIBELS: Final = 6.0
"""Nor is sound that stands out of the room, the quietest tenth of the segment, by less than this."""
STOP_SECONDS: Final = 0.1
"""Silence inside a word."""
SHARE: Final = 0.4
"""Of unbroken sound between two words, what belongs to the first: labels come late."""


def levels(samples: Samples, frame: int) -> list[float]:
    """Loudness of each whole frame in decibels below full scale, without its mean."""
    wide = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.square(wide - wide.mean(axis=1, keepdims=True)).mean(axis=1)
    return [float(value) for value in 10 * np.log10(power + 1e-12)]


def to_sound(
    words: Sequence[HeardWord], loud: Sequence[float], *, frame: int, rate: int
) -> tuple[HeardWord, ...]:
    """Extend words to the sound around their labels.

    Args:
        words: In order, times in samples of the segment.
        loud: Level of each frame of the segment, in decibels.
        frame: Samples of such a frame.
        rate: Samples a second.
    """
    reach, bridge = int(REACH_SECONDS * rate), int(STOP_SECONDS * rate) // frame
    found: list[HeardWord] = []
    low = 0
    room = float(np.percentile(loud, 10)) if len(loud) else 0.0
    for number, word in enumerate(words):
        last = number + 1 == len(words)
        high = len(loud) * frame if last else max(word.end, words[number + 1].start)
        own = loud[word.start // frame : -(-word.end // frame)]
        least = max(max(own, default=0.0) - BELOW_DECIBELS, room + ABOVE_ROOM_DECIBELS)
        voiced = [level > least for level in loud]
        first, until = max(low, word.start - reach), min(high, word.end + reach)
        # A stop inside a word (`s-tart`, `si-x`) is bridged where the sound behind it can be no other word's.
        near = number > 0 and first == low, not last and until == high
        start = _edge(voiced, word.start, first, frame, step=-1, bridge=0 if near[0] else bridge)
        end = _edge(voiced, word.end, until, frame, step=1, bridge=0 if near[1] else bridge)
        if not last and end >= high:  # no pause before the next word
            end = word.end + int((high - word.end) * SHARE)
        start, end = min(start, word.start), max(end, word.end)
        found.append(replace(word, start=max(start, low), end=max(end, start, low)))
        low = found[-1].end
    return tuple(found)


def trim_to_sound(words: Sequence[HeardWord], loud: Sequence[float], *, frame: int) -> tuple[HeardWord, ...]:
    """Take the pauses before and behind off words that follow one another without a gap.

    Args:
        words: In order, times in samples of the segment.
        loud: Level of each frame of the segment, in decibels.
        frame: Samples of such a frame.
    """
    room = float(np.percentile(loud, 10)) if len(loud) else 0.0
    found: list[HeardWord] = []
    for word in words:
        first = word.start // frame
        own = loud[first : -(-word.end // frame)]
        least = max(max(own, default=0.0) - BELOW_DECIBELS, room + ABOVE_ROOM_DECIBELS)
        voiced = [at for at, level in enumerate(own) if level > least]
        if not voiced:
            found.append(word)
            continue
        start, end = (first + voiced[0]) * frame, (first + voiced[-1] + 1) * frame
        found.append(replace(word, start=max(word.start, start), end=min(word.end, end)))
    return tuple(found)


def _edge(voiced: Sequence[bool], start: int, limit: int, frame: int, *, step: int, bridge: int) -> int:
    """Go from a place up to a limit for as long as there is sound; return where it ends.

    Args:
        voiced: Whether each frame has sound.
        start: Where to begin, in samples.
        limit: Where to end at the latest.
        frame: Samples of a frame.
        step: 1 forwards, -1 backwards.
        bridge: Frames of silence to step over where sound follows.
    """
    at = start // frame if step > 0 else -(-start // frame) - 1  # the next frame to look at
    edge, silent = start, 0
    while 0 <= at < len(voiced) and silent <= bridge and (limit - edge) * step > 0:
        if voiced[at]:
            edge, silent = (at + 1) * frame if step > 0 else at * frame, 0
        else:
            silent += 1
        at += step
    return min(edge, limit) if step > 0 else max(edge, limit)
