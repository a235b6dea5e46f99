"""Numbers in words, as English says them."""

import pytest

from appliance.speech.evaluation.number_words import LARGEST, cardinal, digits, ordinal, plural, year


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (7, "seven"),
        (13, "thirteen"),
        (40, "forty"),
        (42, "forty two"),
        (100, "one hundred"),
        (205, "two hundred five"),
        (1000, "one thousand"),
        (1_000_001, "one million one"),
        (20_300, "twenty thousand three hundred"),
        (1_234_567, "one million two hundred thirty four thousand five hundred sixty seven"),
    ],
)
def test_cardinals(number: int, words: str) -> None:
    assert " ".join(cardinal(number)) == words


def test_every_number_below_ten_thousand_has_words_of_its_own() -> None:
    assert len({" ".join(cardinal(number)) for number in range(10_000)}) == 10_000
    assert cardinal(LARGEST)[:4] == ["nine", "hundred", "ninety", "nine"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "first"),
        (2, "second"),
        (3, "third"),
        (4, "fourth"),
        (5, "fifth"),
        (8, "eighth"),
        (9, "ninth"),
        (12, "twelfth"),
        (20, "twentieth"),
        (21, "twenty first"),
        (100, "one hundredth"),
    ],
)
def test_ordinals(number: int, words: str) -> None:
    assert " ".join(ordinal(number)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1966, "nineteen sixty six"),
        (1905, "nineteen oh five"),
        (1900, "nineteen hundred"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2026, "twenty twenty six"),
        (7612, "seventy six twelve"),
    ],
)
def test_years(number: int, words: str) -> None:
    assert " ".join(year(number)) == words


def test_digits_and_decades() -> None:
    assert digits("0420") == ["zero", "four", "two", "zero"]
    assert plural(year(1990)) == ["nineteen", "nineties"]
    assert plural(["hundred"]) == ["hundreds"]
