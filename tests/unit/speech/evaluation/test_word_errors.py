"""Word errors are a distance, and words are laid side by side with the fewest of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.speech.evaluation.word_errors import (
    MOST_CELLS,
    WordErrors,
    aligned,
    best_reading,
    compared,
)

WORDS = st.lists(st.sampled_from(["one", "two", "oh"]), max_size=8)
READINGS = st.lists(st.lists(WORDS.filter(bool), min_size=1, max_size=3), max_size=3)


@pytest.mark.parametrize(
    ("said", "heard", "changed", "put_in", "left_out"),
    [
        ("", "", 0, 0, 0),
        ("one two", "one two", 0, 0, 0),
        ("one two three", "one three", 0, 0, 1),
        ("one", "one oh", 0, 1, 0),
        ("one two", "two two", 1, 0, 0),
        ("one two three", "", 0, 0, 3),
        ("", "one", 0, 1, 0),
        ("a b c d", "x b d d e", 2, 1, 0),
    ],
)
def test_words_left_out_put_in_or_changed_count_once_each(
    said: str, heard: str, changed: int, put_in: int, left_out: int
) -> None:
    found = compared(said.split(), heard.split())
    assert (found.substitutions, found.insertions, found.deletions) == (changed, put_in, left_out)
    assert (found.words, found.recordings) == (len(said.split()), 1)
    assert found.right == int(said == heard)


@given(one=WORDS, two=WORDS, three=WORDS)
def test_errors_are_a_distance(one: list[str], two: list[str], three: list[str]) -> None:
    def distance(a: list[str], b: list[str]) -> int:
        return compared(a, b).errors

    assert distance(one, two) == distance(two, one)
    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, three) <= distance(one, two) + distance(two, three)


@given(said=WORDS, heard=WORDS)
def test_no_word_is_lost_when_they_are_laid_side_by_side(said: list[str], heard: list[str]) -> None:
    pairs = aligned(said, heard)
    assert [one for one, _ in pairs if one is not None] == said
    assert [other for _, other in pairs if other is not None] == heard
    assert (None, None) not in pairs


@given(said=WORDS, heard=READINGS)
def test_the_best_reading_is_the_best_of_all_there_are(said: list[str], heard: list[list[list[str]]]) -> None:
    every: list[list[str]] = [[]]
    for readings in heard:
        every = [begun + words for begun in every for words in readings]
    found = best_reading(said, heard)
    assert found in every
    assert compared(said, found).errors == min(compared(said, words).errors for words in every)


def test_counts_add_up_and_the_rate_may_exceed_one() -> None:
    total = compared(["one"], ["two", "three", "four"]) + compared(["one", "two"], ["one", "two"])
    assert (total.recordings, total.words, total.errors, total.right) == (2, 3, 3, 1)
    assert total.rate == 1
    assert compared(["one"], ["two", "three"]).rate == 2
    assert WordErrors().rate == 0


def test_long_texts_are_compared_in_a_moment_and_endless_ones_refused() -> None:
    random = np.random.default_rng(1)
    said = [str(number) for number in random.integers(0, 50, 2000)]
    assert compared(said, said[:-1]).deletions == 1
    endless = ["a"] * (int(MOST_CELLS**0.5) + 1)
    with pytest.raises(ValueError, match="too many to be compared at once"):
        aligned(endless, endless)
    with pytest.raises(ValueError, match="too many to be compared at once"):
        best_reading(endless, [(endless, ["b"])])
