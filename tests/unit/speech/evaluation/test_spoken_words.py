"""Texts that mean the same words give the same words, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.speech.evaluation.spoken_words import spoken_readings, spoken_words
from appliance.speech.evaluation.word_errors import best_reading


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello, World!", "hello world"),
        ("cold-hearted and ill\u2010disposed", "cold hearted and ill disposed"),
        ("don\u2019t 'quote' o\u2019clock", "don't quote o'clock"),
        ("Mr. and Mrs. Smith, OK?", "mister and missus smith okay"),
        ("5% of 100", "five per cent of a hundred"),
        ("$5.50, $1, $0.99, £2.01 and €20", "five dollars fifty cents one dollar ninety nine cents"
         " two pounds one penny and twenty euros"),
        ("$2.5 million", "two point five million dollars"),
        ("$1,000,000", "one million dollars"),
        ("3.14, .5, -5", "three point one four point five minus five"),
        ("2½ cups, ¾ full", "two and a half cups three quarters full"),
        ("the 21st, 2nd and 100th", "the twenty first second and one hundredth"),
        ("the 1990s and the '60s", "the nineteen nineties and the sixties"),
        ("January 12, 1966", "january twelfth nineteen sixty six"),
        ("May 3rd", "may three"),
        ("at 12:05 pm, 10:30 and 9:00 AM", "at twelve oh five p m ten thirty and nine a m"),
        ("7:00", "seven o'clock"),
        ("412-422-9828", "four one two four two two nine eight two eight"),
        ("1966-1970", "nineteen sixty six nineteen seventy"),
        ("007 and 2546", "oh oh seven and two five four six"),
        ("5000 or 3,250", "five thousand or three thousand two hundred and fifty"),
        ("B2, MP3 & #7 @ 20°", "b two mp three and number seven at twenty degrees"),
        ("U.S.A.", "u s a"),
        ("nine oh two one oh", "nine zero two one zero"),
        ("one o five", "one zero five"),
        ("g c d o four", "g c d o four"),
        ("oh dear", "oh dear"),
        ("", ""),
        (" … — !", ""),
    ],
)  # fmt: skip
def test_what_is_written_is_what_is_said(written: str, said: str) -> None:
    assert spoken_words(written) == spoken_words(said)


def test_plain_words_stay_as_they_are() -> None:
    said = "can i get a large coffee with oat milk"
    assert " ".join(spoken_words(said)) == said


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("seven four eight", "748"),
        ("seven hundred forty eight", "748"),
        ("nine eleven", "911"),
        ("seventy six twelve", "7612"),
        ("two thousand ten", "2010"),
        ("forty three seventeen", "43-17"),
        ("hawthorne q n r a j seven", "HAWTHORNE QNRAJ7."),
        ("h a w t h o r n e", "HAWTHORNE"),
        ("nasa", "NASA"),
        ("usa", "U.S.A."),
        ("ten", "10:00"),
    ],
)
def test_of_several_ways_to_read_the_one_that_was_said_is_taken(said: str, heard: str) -> None:
    words = spoken_words(said)
    assert best_reading(words, spoken_readings(heard)) == words


def test_capitals_are_a_word_in_what_was_said() -> None:
    assert spoken_words("HELLO WORLD") == ["hello", "world"]


def test_numbers_of_other_languages_stay() -> None:
    assert spoken_words("Fünf % von 100, l\u2019été नमस्ते", english=False) == [
        "fünf", "von", "100", "l'été", "नमस्ते"
    ]  # fmt: skip


@given(st.text(max_size=60), st.booleans())
def test_no_text_breaks_it_and_words_are_words_already(text: str, english: bool) -> None:
    words = spoken_words(text, english=english)
    assert all(words)
    assert not any(character.isspace() for word in words for character in word)


@given(st.text(alphabet="0123456789 ,.-:$%'aAsth", max_size=30))
def test_words_of_numbers_stay_when_they_are_read_again(text: str) -> None:
    words = spoken_words(text)
    assert not any(character.isdigit() for word in words for character in word)
    again = spoken_words(" ".join(words))
    assert spoken_words(" ".join(again)) == again
