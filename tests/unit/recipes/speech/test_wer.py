import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.speech.wer import errors

WORDS = st.lists(st.sampled_from(["one", "two", "oh"]), max_size=8)


@pytest.mark.parametrize(
    ("said", "found", "count"),
    [
        ("", "", 0),
        ("one two", "one two", 0),
        ("one two three", "one three", 1),
        ("one", "one oh", 1),
        ("one two", "two one", 2),
        ("one two three", "", 3),
    ],
)
def test_words_left_out_put_in_or_changed_count_once_each(said: str, found: str, count: int) -> None:
    assert errors(said.split(), found.split()) == count


@given(one=WORDS, two=WORDS, three=WORDS)
def test_errors_are_a_distance(one: list[str], two: list[str], three: list[str]) -> None:
    assert errors(one, two) == errors(two, one)
    assert (errors(one, two) == 0) == (one == two)
    assert errors(one, three) <= errors(one, two) + errors(two, three)
