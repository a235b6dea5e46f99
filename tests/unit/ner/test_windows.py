from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ner.windows import Span, spans


def cut(
    sizes: list[int], *, capacity: int, overlap: int, sentence_ends: frozenset[int] = frozenset()
) -> list[Span]:
    edges = [0, *accumulate(sizes)]
    return spans(
        edges[:-1],
        edges[1:],
        capacity=capacity,
        overlap=overlap,
        ends_sentence=lambda word: word in sentence_ends,
    )


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[int], int, int, frozenset[int]]:
    capacity = draw(st.integers(8, 64))
    overlap = draw(st.integers(0, capacity // 2))
    sizes = draw(st.lists(st.one_of(st.integers(1, 4), st.integers(1, capacity)), min_size=1, max_size=300))
    ends = draw(st.frozensets(st.integers(0, len(sizes) - 1)))
    return sizes, capacity, overlap, ends


@given(layouts())
def test_every_word_is_owned_once_and_seen_where_it_is_owned(
    layout: tuple[list[int], int, int, frozenset[int]],
) -> None:
    sizes, capacity, overlap, ends = layout
    found = cut(sizes, capacity=capacity, overlap=overlap, sentence_ends=ends)
    assert [word for span in found for word in range(span.own_begin, span.own_end)] == list(range(len(sizes)))
    for span in found:
        assert span.begin <= span.own_begin <= span.own_end <= span.end
        assert sum(sizes[span.begin : span.end]) <= capacity


@given(layouts())
def test_windows_march_on(layout: tuple[list[int], int, int, frozenset[int]]) -> None:
    sizes, capacity, overlap, ends = layout
    found = cut(sizes, capacity=capacity, overlap=overlap, sentence_ends=ends)
    assert all(a.begin < b.begin and a.end < b.end for a, b in pairwise(found))


@given(st.integers(200, 2000), st.frozensets(st.integers(0, 1999), max_size=200))
def test_short_words_never_need_many_more_windows_than_a_plain_stride(
    words: int, ends: frozenset[int]
) -> None:
    capacity, overlap = 126, 32
    found = cut([1] * words, capacity=capacity, overlap=overlap, sentence_ends=ends)
    worst_step = capacity - overlap - 2 * (capacity // 8)
    assert len(found) <= 1 + words // worst_step


def test_words_in_the_overlap_belong_to_the_window_that_shows_more_around_them() -> None:
    first, second = cut([1] * 150, capacity=100, overlap=40)
    assert (first.begin, first.end) == (0, 100)
    assert (second.begin, second.end) == (60, 150)
    assert first.own_end == second.own_begin == 80


def test_windows_meet_at_a_sentence_end_that_is_near() -> None:
    first, second = cut([1] * 150, capacity=100, overlap=24, sentence_ends=frozenset({70, 95}))
    assert first.end == 96
    assert second.begin == 71


def test_a_window_without_sentence_ends_is_filled() -> None:
    assert cut([1] * 150, capacity=100, overlap=24)[0].end == 100


def test_a_word_as_long_as_the_window_stands_alone() -> None:
    found = cut([1, 20, 1], capacity=20, overlap=10)
    assert [(span.begin, span.end) for span in found][1] == (1, 2)


def test_no_words_need_no_window() -> None:
    assert cut([], capacity=20, overlap=10) == []


def test_an_overlap_that_would_stand_still_is_refused() -> None:
    with pytest.raises(ValueError, match="half"):
        cut([1], capacity=20, overlap=11)
