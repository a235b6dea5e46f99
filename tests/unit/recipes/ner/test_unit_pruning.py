import numpy as np
import pytest

from recipes.ner.unit_pruning import Moments, narrowed


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers for a test, whichever ran before it."""
    return np.random.default_rng(7)


def test_units_that_only_repeat_others_go_without_loss(rng: np.random.Generator) -> None:
    own = rng.normal(size=(2000, 40))
    values = np.concatenate([own, own @ rng.normal(size=(40, 60)) + 3.0], axis=1)
    weights, bias = rng.normal(size=(8, 100)), rng.normal(size=8)
    found = narrowed(Moments.of(values), weights, bias, 40)
    assert len(found.kept) == 40
    assert found.lost < 1e-4
    before = values @ weights.T + bias
    after = values[:, found.kept] @ found.weights.T + found.bias
    assert np.abs(after - before).max() < 0.05 * before.std()


def test_the_units_that_matter_stay(rng: np.random.Generator) -> None:
    values = rng.normal(size=(4000, 96)) * np.where(np.arange(96) % 3 == 0, 1.0, 0.01)
    found = narrowed(Moments.of(values), rng.normal(size=(5, 96)), np.zeros(5), 32)
    assert found.kept.tolist() == list(range(0, 96, 3))
    assert found.lost < 1e-3


def test_what_is_lost_is_what_the_narrower_layer_gets_wrong(rng: np.random.Generator) -> None:
    values = np.maximum(rng.normal(size=(3000, 64)) @ rng.normal(size=(64, 64)), 0)
    weights, bias = rng.normal(size=(6, 64)), rng.normal(size=6)
    found = narrowed(Moments.of(values), weights, bias, 24)
    before = values @ weights.T + bias
    error = values[:, found.kept] @ found.weights.T + found.bias - before
    assert error.mean() == pytest.approx(0, abs=1e-9)
    assert found.lost == pytest.approx(error.var(axis=0).sum() / before.var(axis=0).sum(), rel=1e-6)
    assert 0.05 < found.lost < 0.9


def lost_beside_the_largest(rng: np.random.Generator) -> float:
    """Return what is lost as a share of what is lost where the units of the largest outputs stay."""
    values = np.maximum(rng.normal(size=(3000, 32)) @ rng.normal(size=(32, 64)), 0)
    weights = rng.normal(size=(6, 64))
    found = narrowed(Moments.of(values), weights, np.zeros(6), 16)
    largest = np.argsort(-values.var(axis=0) * (weights**2).sum(axis=0))[:16]
    centred = values - values.mean(axis=0)
    target = centred @ weights.T
    solved, *_ = np.linalg.lstsq(centred[:, largest], target, rcond=None)
    return found.lost / float(((centred[:, largest] @ solved - target) ** 2).sum() / (target**2).sum())


def test_a_better_choice_than_the_largest_units_is_found(rng: np.random.Generator) -> None:
    assert lost_beside_the_largest(rng) < 1


def test_the_choice_is_better_in_most_draws_though_not_in_each() -> None:
    # A quarter of the units in two great steps: eliminating backwards promises no best choice.
    ratios = np.array([lost_beside_the_largest(np.random.default_rng(seed)) for seed in range(10)])
    assert ratios.mean() < 0.97
    assert (ratios < 1).mean() >= 0.8


@pytest.mark.parametrize("units", [0, -1, 65])
def test_more_units_than_there_are_cannot_be_kept(units: int, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="cannot keep"):
        narrowed(Moments.of(rng.normal(size=(100, 64))), np.ones((2, 64)), np.zeros(2), units)


def test_all_units_kept_change_nothing(rng: np.random.Generator) -> None:
    values = rng.normal(size=(500, 20))
    weights, bias = rng.normal(size=(3, 20)), rng.normal(size=3)
    found = narrowed(Moments.of(values), weights, bias, 20)
    assert found.kept.tolist() == list(range(20))
    assert np.allclose(found.weights, weights, atol=1e-2)
