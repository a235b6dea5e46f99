"""Where in the frames each piece of a known text lies: the best path of CTC through it."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def align(log_probs: NDArray[np.float32], path: Sequence[int], blank: int) -> list[tuple[int, int, float]]:
    """Find the frames of each piece.

    Args:
        log_probs: Natural logarithms, [frames, tokens].
        path: Pieces without blanks, at least one.
        blank: Column of the blank.

    Returns:
        For each piece its first frame, the frame after its last, and the largest log-probability it has in
        them. A text that is longer than the frames is spread evenly.
    """
    frames, count = len(log_probs), len(path)
    states = np.full(2 * count + 1, blank, dtype=np.int64)
    states[1::2] = path
    if frames < count + sum(a == b for a, b in itertools.pairwise(path)):
        return _spread(log_probs, path)
    emitted = log_probs[:, states].astype(np.float64)
    # A state may be skipped into from two before it unless it is a blank or repeats the same piece.
    skip = np.zeros(len(states), dtype=bool)
    skip[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), -np.inf)
    score[0] = emitted[0, 0]
    score[1] = emitted[0, 1]
    steps = np.zeros((frames, len(states)), dtype=np.int8)
    for frame in range(1, frames):
        one = np.concatenate(([-np.inf], score[:-1]))
        two = np.where(skip, np.concatenate(([-np.inf, -np.inf], score[:-2])), -np.inf)
        step = np.where(one > score, 1, 0)
        best = np.maximum(one, score)
        step = np.where(two > best, 2, step)
        steps[frame] = step
        score = np.maximum(best, two) + emitted[frame]
    state = len(states) - 1 if score[-1] >= score[-2] else len(states) - 2
    spans = [(frames, 0, -np.inf)] * count
    for frame in range(frames - 1, -1, -1):
        if state % 2:
            number = state // 2
            _, end, best_here = spans[number]
            spans[number] = (frame, max(end, frame + 1), max(best_here, float(emitted[frame, state])))
        state -= int(steps[frame, state])
    return [(start, max(end, start + 1), float(value)) for start, end, value in spans]


def _spread(log_probs: NDArray[np.float32], path: Sequence[int]) -> list[tuple[int, int, float]]:
    frames, count = max(1, len(log_probs)), len(path)
    found = []
    for number, token in enumerate(path):
        start = number * frames // count
        end = max(start + 1, (number + 1) * frames // count)
        value = float(log_probs[start:end, token].max()) if len(log_probs) > start else -np.inf
        found.append((start, end, value))
    return found
