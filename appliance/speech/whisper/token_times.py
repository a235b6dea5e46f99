"""Where in the sound each word is: dynamic time warping over where the decoder looked.

As openai/whisper `timing.py` does it: the attention of the alignment heads is normalised over the tokens,
smoothed over the frames, averaged, and the cheapest way through it gives each token its time.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.whisper.tokens import Word

_MEDIAN_FRAMES: Final = 7


def token_starts(attention: NDArray[np.float32]) -> NDArray[np.int64]:
    """The first frame of each token.

    Args:
        attention: [tokens, heads, frames], how much the decoder looked where.

    Returns:
        [tokens], never falling.
    """
    seen = attention / np.maximum(attention.sum(axis=2, keepdims=True), 1e-9)
    spread = seen.std(axis=0, keepdims=True)
    normal = (seen - seen.mean(axis=0, keepdims=True)) / np.maximum(spread, 1e-9)
    mean = _median(normal).mean(axis=1)
    rows, columns = cheapest_path(-mean)
    jumps = np.flatnonzero(np.diff(rows, prepend=-1))
    found: NDArray[np.int64] = columns[jumps]
    return found


def followed(attention: NDArray[np.float32]) -> float:
    """How well a decoder followed the sound, 0…1: the share of its attention that moves forward with the
    text.

    Args:
        attention: As of `token_starts`.
    """
    seen = attention / np.maximum(attention.sum(axis=2, keepdims=True), 1e-9)
    mean = seen.mean(axis=1)
    rows, columns = cheapest_path(-mean)
    return float(mean[rows, columns].sum() / len(mean))


def word_frames(words: Sequence[Word], starts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First frame of each word and the frame after its last.

    Args:
        words: The words of the text.
        starts: First frame of each token of the text, and of its end.
    """
    last = len(starts) - 1
    return [
        (int(starts[word.first]), max(int(starts[word.first]) + 1, int(starts[min(word.end, last)])))
        for word in words
    ]


def cheapest_path(costs: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dynamic time warping: the cheapest way from the first to the last cell, going right, down or both.

    Returns:
        Row and column of each cell on the way.
    """
    height, width = costs.shape
    total = np.full((height + 1, width + 1), np.inf)
    total[0, 0] = 0.0
    for row in range(height):
        above = np.minimum(total[row, :-1], total[row, 1:])
        # Going right adds one cost after another, so the least of all entries from above is a running
        # minimum.
        passed = np.cumsum(costs[row], dtype=np.float64)
        before = passed - costs[row]
        total[row + 1, 1:] = np.minimum.accumulate(above - before) + passed
    row, column = height, width
    cells: list[tuple[int, int]] = []
    while row > 0 and column > 0:
        cells.append((row - 1, column - 1))
        steps = (total[row - 1, column - 1], total[row - 1, column], total[row, column - 1])
        best = int(np.argmin(steps))
        row, column = (row - (best != 2), column - (best != 1))
    found = np.array(cells[::-1], np.int64)
    return found[:, 0], found[:, 1]


def _median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    width = min(_MEDIAN_FRAMES, values.shape[2])
    width -= 1 - width % 2
    padded = np.pad(values, ((0, 0), (0, 0), (width // 2, width // 2)), mode="reflect")
    found: NDArray[np.float32] = np.median(
        np.lib.stride_tricks.sliding_window_view(padded, width, axis=2), axis=3
    )
    return found
