"""Spoken numbers in digits, and letters that are no numbers."""

import pytest

from appliance.speech.display.numbers import write_numbers
from appliance.speech.display.text import show


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("two thousand and twenty", "2020"),
        ("two thousand twenty", "2020"),
        ("one hundred and five", "105"),
        ("one thousand two hundred and fifty", "1250"),
        ("one hundred two thousand", "102000"),
        ("nineteen hundred and five", "1905"),
        ("twenty four", "24"),
        ("one two three", "123"),
        ("one hundred and two hundred", "100 and 200"),
        ("salt and two hundred and", "salt and 200 and"),
        ("two and three", "2 and 3"),
        ("nine twenty three sixty three", "92363"),
        ("oh six seven", "067"),
        ("o six seven", "067"),
        ("four two one o four", "42104"),
        ("g c d o four", "g c d o 4"),
        ("g c d oh four", "g c d 04"),
        ("one of them", "one of them"),
        ("five hundred twenty one", "521"),
        ("three thousand", "3000"),
    ],
)
def test_numbers_are_written_as_they_are_meant(spoken: str, written: str) -> None:
    assert " ".join(piece.text for piece in write_numbers(spoken.split())) == written


@pytest.mark.parametrize(
    ("spoken", "shown"),
    [
        ("p i t t s", "P i t t s."),
        ("so i say b", "So I say b."),
        ("k i m", "K i m."),
        ("then i go", "Then I go."),
    ],
)
def test_an_i_among_spelled_letters_is_one(spoken: str, shown: str) -> None:
    assert show(spoken.split()).display == shown
