"""The random field against all labellings counted one by one."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.training.fast.crf import best_path, gradient


def total(scores: np.ndarray, path: tuple[int, ...], moves: np.ndarray) -> float:
    labels = scores.shape[1]
    framed = [labels, *path, labels]
    return float(
        sum(scores[step, label] for step, label in enumerate(path))
        + sum(moves[before, after] for before, after in pairwise(framed))
    )


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_loss_and_derivatives_are_those_of_all_labellings(steps: int, labels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(0, 3, (2, steps + 1, labels)).astype(np.float32)
    moves = random.normal(0, 1, (labels + 1, labels + 1)).astype(np.float32)
    moves[labels, labels] = 0
    targets = random.integers(0, labels, (2, steps + 1))
    mask = np.ones((2, steps + 1), np.bool_)
    mask[0, steps:] = False  # the first sequence is one step shorter
    found = gradient(scores, targets, mask, moves)
    loss, by_scores, by_moves = 0.0, np.zeros_like(scores), np.zeros_like(moves)
    for row in range(2):
        size = int(mask[row].sum())
        paths = list(product(range(labels), repeat=size))
        totals = np.array([total(scores[row], path, moves) for path in paths])
        chances = np.exp(totals - np.logaddexp.reduce(totals))
        right = tuple(targets[row, :size].tolist())
        loss += float(np.logaddexp.reduce(totals)) - total(scores[row], right, moves)
        for path, chance in [*zip(paths, chances, strict=True), (right, -1.0)]:
            framed = [labels, *path, labels]
            for step, label in enumerate(path):
                by_scores[row, step, label] += chance
            for before, after in pairwise(framed):
                by_moves[before, after] += chance
    assert np.isclose(found.loss, loss, rtol=1e-3, atol=1e-3)
    assert np.allclose(found.scores, by_scores, atol=1e-3)
    assert np.allclose(found.transitions, by_moves, atol=1e-3)


def test_the_best_path_is_the_best_of_all() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        scores = random.normal(size=(5, 3)).astype(np.float32)
        moves = random.normal(size=(4, 4)).astype(np.float32)
        every = product(range(3), repeat=5)
        assert tuple(best_path(scores, moves)) == max(every, key=lambda path: total(scores, path, moves))


def test_scores_far_apart_stay_numbers() -> None:
    scores = np.zeros((1, 200, 3), np.float32)
    scores[0, :, 2] = 500
    moves = np.zeros((4, 4), np.float32)
    moves[:, 2] = -1e4
    found = gradient(scores, np.zeros((1, 200), np.intp), np.ones((1, 200), np.bool_), moves)
    assert np.isfinite(found.loss)
    assert np.isfinite(found.scores).all()
