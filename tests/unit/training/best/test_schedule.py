"""How many epochs and batches there are, and how the learning rate goes."""

import pytest

from appliance.training.best.schedule import Pace, Tuning


@pytest.mark.parametrize("tokens", [700, 4_000, 13_000, 57_000, 200_000])
def test_the_head_of_a_small_set_is_given_as_many_steps_as_that_of_a_large_one(tokens: int) -> None:
    tuning = Tuning()
    steps = tuning.epochs[1] * tokens / tuning.batch(tokens)
    fewest = tuning.steps[0]
    assert steps >= fewest * 0.99 or tokens < tuning.batch_tokens[0] * fewest / tuning.epochs[1]
    assert tuning.batch_tokens[0] <= tuning.batch(tokens) <= tuning.batch_tokens[1]


def test_the_rate_rises_and_then_falls_in_a_line_to_nothing() -> None:
    pace = Pace(100, 0.1)
    shares = [pace.step() for _ in range(100)]
    assert shares[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert shares[10:] == pytest.approx([step / 90 for step in range(90, 0, -1)])


def test_where_nothing_is_left_to_learn_the_rate_falls_from_where_it_is() -> None:
    whole, pace = Pace(100, 0.1), Pace(100, 0.1)
    before = [whole.step() for _ in range(41)]
    assert [pace.step() for _ in range(40)] == before[:40]
    pace.end_in(10)
    falling = [pace.step() for _ in range(10)]
    assert falling == pytest.approx([before[40] * step / 10 for step in range(10, 0, -1)])
    assert pace.step() == 0


def test_a_trial_does_not_change_the_rate_of_the_training_that_it_looks_at() -> None:
    pace = Pace(100, 0.1)
    before = [pace.step() for _ in range(41)]
    tried = pace.ending(10)
    assert [tried.step() for _ in range(11)][-2:] == pytest.approx([before[-1] * 89 / 90 / 10, 0], abs=0.01)
    assert pace.step() == pytest.approx(59 / 90)


@pytest.mark.parametrize("epochs", range(1, 31))
def test_a_trial_costs_less_than_a_third_of_a_training(epochs: int) -> None:
    before, ending, after = Tuning().around_trial(epochs)
    assert min(before, ending, after) >= 1
    if epochs >= Tuning().epochs[0]:
        assert 0.8 * (before + ending) + after < 1.33 * epochs
        assert after >= 0.7 * epochs
