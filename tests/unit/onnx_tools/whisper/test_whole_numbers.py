"""Weights in 7 bits are within half a step of what they were."""

import numpy as np
import pytest

from appliance.onnx_tools.whisper.whole_numbers import rows


@pytest.mark.parametrize("bits", [7, 8])
def test_each_row_is_within_half_a_step_and_uses_the_whole_range(bits: int) -> None:
    weight = np.random.default_rng(1).normal(size=(5, 300)).astype(np.float32) * [[1], [10], [1e-3], [2], [3]]
    numbers, scale = rows(weight, bits)
    assert numbers.dtype == np.int8
    assert (np.abs(numbers).max(axis=1) == 2 ** (bits - 1) - 1).all()
    assert (np.abs(numbers * scale[:, None] - weight) <= scale[:, None] * 0.501).all()


def test_seven_bits_never_overflow_the_sum_of_two_products() -> None:
    numbers, _ = rows(np.array([[1.0, -1.0, 0.2]], np.float32), 7)
    assert 2 * 255 * int(np.abs(numbers).max()) < 2**15


def test_a_row_of_zeros_stays_zeros() -> None:
    numbers, scale = rows(np.zeros((1, 4), np.float32), 7)
    assert not numbers.any()
    assert scale[0] == 1
