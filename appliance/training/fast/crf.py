"""A linear-chain conditional random field over batches of sequences, in numpy.

Scaled forward and backward passes (Rabiner 1989) instead of logarithms: each step is one small matrix product
for the whole batch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
_TINY = 1e-300
FLOOR = -60.0
"""Scores this far below a step's best are all alike; so no labelling that is allowed ever has chance 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """Negative log-likelihood of a batch, summed, and its derivatives.

    Attributes:
        loss: The sum over the batch.
        scores: By the scores, [batch, steps, labels]; zero where the mask is.
        transitions: By the transitions, [labels + 1, labels + 1].
    """

    loss: float
    scores: Array
    transitions: Array


def gradient(
    scores: Array, targets: NDArray[np.intp], mask: NDArray[np.bool_], transitions: Array
) -> Gradient:
    """Compare scores with the right labels.

    Args:
        scores: [batch, steps, labels].
        targets: Right label of each step, [batch, steps], as the transitions allow; anything where the mask
            is false.
        mask: Which steps there are, [batch, steps]; every sequence begins at 0 and has one step at least.
        transitions: Score of label j after label i, [labels + 1, labels + 1]; the last row and column are
            the border of a sequence.
    """
    batch, steps, labels = scores.shape
    top = scores.max(axis=2, keepdims=True)
    # Labellings that the rules forbid may be e^100 times as good as those they allow: too far for 32 bits.
    emitted = np.exp(np.maximum(scores - top, FLOOR).astype(np.float64))
    peak = float(transitions.max())
    moves = np.exp((transitions - peak).astype(np.float64))
    inner, opening, closing = moves[:labels, :labels], moves[labels, :labels], moves[:labels, labels]
    alpha = np.empty_like(emitted)
    beta = np.empty_like(emitted)
    scale = np.ones((batch, steps))
    alpha[:, 0] = opening * emitted[:, 0]
    for step in range(steps):
        if step:
            alpha[:, step] = (alpha[:, step - 1] @ inner) * emitted[:, step]
        total = alpha[:, step].sum(axis=1) + _TINY
        absent = ~mask[:, step]
        alpha[:, step] /= total[:, None]
        scale[:, step] = total
        if absent.any():
            alpha[absent, step] = alpha[absent, step - 1]
            scale[absent, step] = 1
    final = alpha[:, -1] @ closing + _TINY
    beta[:, -1] = closing / final[:, None]
    pairs = np.zeros((labels, labels))
    for step in range(steps - 1, 0, -1):
        onward = emitted[:, step] * beta[:, step] / scale[:, step, None]
        absent = ~mask[:, step]
        if absent.any():
            onward[absent] = 0
        pairs += alpha[:, step - 1].T @ onward
        beta[:, step - 1] = onward @ inner.T
        if absent.any():
            beta[absent, step - 1] = beta[absent, step]
    chances = alpha * beta * mask[:, :, None]
    return _against(
        scores, targets, mask, transitions, chances, pairs * inner, _log_total(top, mask, scale, final, peak)
    )


def _log_total(top: Array, mask: NDArray[np.bool_], scale: Wide, final: Wide, peak: float) -> float:
    steps = int(mask.sum()) + len(mask)  # moves, the opening and the closing one included
    return float((top[:, :, 0] * mask).sum() + np.log(scale).sum() + np.log(final).sum() + peak * steps)


def _against(
    scores: Array,
    targets: NDArray[np.intp],
    mask: NDArray[np.bool_],
    transitions: Array,
    chances: Wide,
    pairs: Wide,
    log_total: float,
) -> Gradient:
    """Subtract what the right labels have from what all labellings have on average."""
    batch, _, labels = scores.shape
    by_transitions = np.zeros_like(transitions)
    by_transitions[:labels, :labels] = pairs
    by_transitions[labels, :labels] = chances[:, 0].sum(axis=0)
    ends = mask.sum(axis=1) - 1
    rows = np.arange(batch)
    by_transitions[:labels, labels] = chances[rows, ends].sum(axis=0)
    where = np.nonzero(mask)
    right = targets[where]
    reached = float(scores[where[0], where[1], right].sum())
    chances[where[0], where[1], right] -= 1
    both = np.nonzero(mask[:, 1:])
    before, after = targets[both[0], both[1]], targets[both[0], both[1] + 1]
    first, last = targets[:, 0], targets[rows, ends]
    border = np.full(batch, labels)
    for left, then in ((before, after), (border, first), (last, border)):
        np.subtract.at(by_transitions, (left, then), 1)
        reached += float(transitions[left, then].sum())
    return Gradient(loss=log_total - reached, scores=chances.astype(np.float32), transitions=by_transitions)


def best_path(scores: Array, transitions: Array) -> list[int]:
    """Return the labels of the highest total score for one sequence [steps, labels]."""
    if not len(scores):
        return []
    labels = scores.shape[1]
    inner = transitions[:labels, :labels]
    back = np.zeros(scores.shape, dtype=np.intp)
    score = scores[0] + transitions[labels, :labels]
    for step in range(1, len(scores)):
        total = score[:, None] + inner
        back[step] = total.argmax(axis=0)
        score = total.max(axis=0) + scores[step]
    path = [int((score + transitions[:labels, labels]).argmax())]
    for step in range(len(scores) - 1, 0, -1):
        path.append(int(back[step, path[-1]]))
    return path[::-1]
