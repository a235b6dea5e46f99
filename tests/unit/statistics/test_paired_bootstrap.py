"""Ends of a difference between ratios; tests of `training.evaluation.bootstrap` hold for F1."""

import numpy as np
import pytest

from appliance.statistics.paired_bootstrap import difference_of_ratios


def test_the_value_is_the_difference_of_the_ratios_of_sums() -> None:
    found = difference_of_ratios([(1, 10), (3, 30)], [(2, 10), (10, 30)])
    assert found.value == pytest.approx(12 / 40 - 4 / 40)
    assert found.low <= found.value <= found.high


def test_nothing_differs_by_nothing() -> None:
    side = [(float(n % 4), 10.0) for n in range(40)]
    for one, two in ((side, side), ([], []), ([(0.0, 0.0)], [(0.0, 0.0)])):
        found = difference_of_ratios(one, two)
        assert (found.value, found.low, found.high, found.sure) == (0, 0, 0, False)


def test_many_small_gains_are_sure_and_a_single_large_one_is_not() -> None:
    assert difference_of_ratios([(2, 10)] * 50, [(1, 10)] * 50).sure
    assert not difference_of_ratios([(2, 10)] * 50, [*[(2, 10)] * 49, (0, 10)]).sure


def test_ends_cover_the_true_difference_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for turn in range(100):
        one, two = (
            [(float(errors), 12.0) for errors in random.binomial(12, rate, 60)] for rate in (0.2, 0.15)
        )
        found = difference_of_ratios(one, two, draws=300, seed=turn)
        covered += found.low <= -0.05 <= found.high
    assert 85 <= covered <= 100


def test_a_handful_of_samples_shows_nothing_however_large_the_gain() -> None:
    for count, sure in ((1, False), (5, False), (6, True)):
        found = difference_of_ratios([(9, 10)] * count, [(0, 10)] * count)
        assert found.value == pytest.approx(-0.9)
        assert found.sure is sure
