from hypothesis import given
from hypothesis import strategies as st

from appliance.ner.batching import PADDING_SHARE, next_batch

LENGTHS = st.lists(st.integers(1, 128), min_size=1, max_size=80)


@given(LENGTHS, st.integers(0, 1024))
def test_a_batch_fits_its_budget_and_holds_the_window_whose_turn_it_is(
    lengths: list[int], budget: int
) -> None:
    batch = next_batch(lengths, budget_tokens=budget)
    assert 0 in batch
    assert len(set(batch)) == len(batch)
    padded = max(lengths[index] for index in batch) * len(batch)
    assert len(batch) == 1 or padded <= budget
    assert padded - sum(lengths[index] for index in batch) <= padded * PADDING_SHARE


@given(LENGTHS, st.integers(0, 1024))
def test_everything_is_served_in_the_end(lengths: list[int], budget: int) -> None:
    waiting = list(lengths)
    while waiting:
        chosen = set(next_batch(waiting, budget_tokens=budget))
        waiting = [length for index, length in enumerate(waiting) if index not in chosen]


def test_windows_of_like_length_go_together() -> None:
    assert sorted(next_batch([20, 100, 20, 21, 5, 20], budget_tokens=128)) == [0, 2, 3, 5]


def test_a_window_over_the_budget_goes_alone() -> None:
    assert next_batch([100, 100], budget_tokens=50) == [0]


def test_without_a_budget_each_window_goes_alone() -> None:
    assert next_batch([10, 10, 10], budget_tokens=0) == [0]


def test_nothing_waits() -> None:
    assert next_batch([], budget_tokens=100) == []
