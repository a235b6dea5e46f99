"""Words are where the decoder looked for them."""

import itertools

import numpy as np

from appliance.speech.whisper.token_times import cheapest_path, followed, token_starts, word_frames
from appliance.speech.whisper.tokens import Word


def cheapest_by_trying(costs: np.ndarray) -> float:
    height, width = costs.shape
    best = {(0, 0): float(costs[0, 0])}
    for row, column in itertools.product(range(height), range(width)):
        if (row, column) != (0, 0):
            before = [(row - 1, column), (row, column - 1), (row - 1, column - 1)]
            best[row, column] = min(best[cell] for cell in before if cell in best) + float(costs[row, column])
    return best[height - 1, width - 1]


def test_the_way_is_the_cheapest_and_never_goes_back() -> None:
    random = np.random.default_rng(5)
    for height, width in ((1, 1), (1, 6), (5, 1), (4, 9), (9, 4), (12, 30)):
        costs = random.normal(size=(height, width)).astype(np.float32)
        rows, columns = cheapest_path(costs)
        assert (rows[0], columns[0], rows[-1], columns[-1]) == (0, 0, height - 1, width - 1)
        steps = set(zip(np.diff(rows).tolist(), np.diff(columns).tolist(), strict=True))
        assert steps <= {(0, 1), (1, 0), (1, 1)}
        assert abs(float(costs[rows, columns].sum()) - cheapest_by_trying(costs)) < 1e-4


def test_tokens_begin_where_the_attention_moves_on() -> None:
    attention = np.full((4, 2, 80), 0.01, np.float32)
    for token, frame in enumerate((5, 30, 45, 70)):
        attention[token, :, frame : frame + 10] = 1.0
    starts = token_starts(attention)
    assert starts[0] == 0
    assert np.abs(starts[1:] - np.array([30, 45, 70])).max() <= 15
    assert (np.diff(starts) > 0).all()


def test_attention_that_moves_forward_follows_the_sound_and_attention_that_jumps_does_not() -> None:
    forward = np.full((4, 2, 80), 0.01, np.float32)
    for token, frame in enumerate((5, 30, 45, 70)):
        forward[token, :, frame : frame + 10] = 1.0
    backward = forward[::-1].copy()
    assert 0.9 < followed(forward) <= 1.0
    assert followed(backward) < 0.5
    assert followed(np.ones((4, 2, 80), np.float32)) < 0.5


def test_a_word_ends_where_the_next_begins() -> None:
    words = [Word(" a", 0, 2), Word(" b", 2, 3)]
    assert word_frames(words, np.array([3, 9, 20, 31])) == [(3, 20), (20, 31)]
