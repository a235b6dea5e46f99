"""Schemes are told by the tags in use, and what is written in one is read again."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.datasets.tag_schemes import WRITTEN, Run, Scheme, recognise, runs, tags_of


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ("O B-X I-X O", "IOB"),
        ("O I-X I-X O", "IO"),
        ("O B-X E-X S-Y", "BIOES"),
        ("O B-X L-X U-Y", "BILOU"),
        ("O B-X M-X E-X W-Y", "BMEWO"),
        ("O B-X M-X E-X S-Y", "BMES"),
        ("O B_X I_X", "IOB"),
        ("O b-x i-x O", "IOB"),
        ("O O i-phone e-mail", "IO, without prefix"),
        ("O O O PER LOC", "IO, without prefix"),
        ("O O O E-MAIL PHONE", "IO, without prefix"),
        ("O O O E-MAIL", "IO, without prefix"),
        ("O O", "IOB2"),
    ],
)
def test_a_scheme_is_told_by_its_tags(tags: str, name: str) -> None:
    scheme = recognise(Counter(tags.split()))
    assert scheme is not None
    assert scheme.name == name


@pytest.mark.parametrize("tags", ["NN VB NN O", "1 2 3", "_ _", "the cat O sat on a mat", ""])
def test_words_numbers_and_parts_of_speech_are_no_tags(tags: str) -> None:
    assert recognise(Counter(tags.split())) is None


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("I-X I-X I-Y", [Run(0, 2, "X"), Run(2, 3, "Y")]),
        ("I-X B-X I-X", [Run(0, 1, "X"), Run(1, 3, "X")]),
        ("B-X L-X I-X", [Run(0, 2, "X"), Run(2, 3, "X")]),
        ("B-X E-X S-X S-X", [Run(0, 2, "X"), Run(2, 3, "X"), Run(3, 4, "X")]),
        ("O I-X O I-X", [Run(1, 2, "X"), Run(3, 4, "X")]),
    ],
)
def test_labels_begin_and_end_where_the_scheme_says(tags: str, found: list[Run]) -> None:
    assert runs(tags.split(), Scheme("any", prefixed=True))[0] == found


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["X", "B-2", "E-MAIL"]))))
@pytest.mark.parametrize("scheme", WRITTEN)
def test_what_is_written_is_read_again(scheme: str, steps: list[tuple[int, int, str]]) -> None:
    found, at = [], 0
    for gap, size, category in steps:
        found.append(Run(at + gap, at + gap + size, category))
        at += gap + size
    tags = tags_of(at + 1, found, scheme)
    assert runs(tags, Scheme(scheme, prefixed=True)) == (found, 0)
