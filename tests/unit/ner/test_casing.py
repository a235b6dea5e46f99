import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ner.casing import CASE_CLASSES, case_class


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("", 0),
        ("paris", 0),
        ("élan", 0),
        (",", 0),
        ("€", 0),
        ("😀", 0),
        ("北京", 0),
        ("Paris", 1),
        ("Élan", 1),
        ("Mc", 1),
        ("A", 2),
        ("NATO", 2),
        ("ÉÉ", 2),
        ("iPhone", 3),
        ("McDonald", 3),
        ("eBAY", 3),
        ("2024", 4),
        ("٣", 4),
        ("G20", 5),
        ("b2b", 5),
        ("1st", 5),
    ],
)
def test_case_class_of_word(word: str, number: int) -> None:
    assert case_class(word) == number


@given(st.text())
def test_case_class_of_any_text_is_a_row_of_the_table(word: str) -> None:
    assert 0 <= case_class(word) < CASE_CLASSES
