"""The ends of a difference of F1: paired, repeatable, and as wide as the documents are few."""

import numpy as np
import pytest

from appliance.training.evaluation.bootstrap import paired_bootstrap
from appliance.training.evaluation.scoring import Counts


def counts(right: int, found: int = 10, labelled: int = 10) -> Counts:
    return Counts(right=right, found=found, labelled=labelled)


def test_the_value_is_the_difference_of_f1_over_all_documents() -> None:
    found = paired_bootstrap([counts(5), counts(7)], [counts(8), counts(8)])
    assert found.value == pytest.approx(0.8 - 0.6)
    assert found.low <= found.value <= found.high


def test_the_same_documents_give_the_same_ends() -> None:
    sides = [counts(n % 9) for n in range(30)], [counts((n * 7) % 10) for n in range(30)]
    assert paired_bootstrap(*sides) == paired_bootstrap(*sides)


def test_two_models_that_answer_the_same_differ_by_nothing_however_uneven_the_documents_are() -> None:
    side = [counts(n % 11) for n in range(40)]
    found = paired_bootstrap(side, side)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert not found.sure


def test_a_gain_in_every_document_is_sure_and_a_gain_in_one_of_two_is_not() -> None:
    assert paired_bootstrap([counts(5)] * 20, [counts(6)] * 20).sure
    assert not paired_bootstrap([counts(5), counts(8)], [counts(9), counts(7)]).sure


def test_ends_cover_the_true_difference_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for turn in range(100):
        truth = random.binomial(20, 0.7, 60), random.binomial(20, 0.75, 60)
        sides = [[counts(int(right), 20, 20) for right in side] for side in truth]
        found = paired_bootstrap(*sides, draws=300, seed=turn)
        covered += found.low <= 0.05 <= found.high
    assert 85 <= covered <= 100


def test_documents_without_anything_and_no_documents_at_all_differ_by_nothing() -> None:
    nothing = [counts(0, 0, 0)] * 3
    assert paired_bootstrap(nothing, nothing).value == 0
    assert paired_bootstrap([], []).high == 0
