"""Sentences are read once each; odd lines are left out and counted."""

import pytest

from appliance.errors import ModelError
from appliance.speech.adaptation.domain_text import MAX_WORDS, plain_words, read_domain_text


def test_words_are_lower_case_without_punctuation() -> None:
    assert plain_words("I\u2019d like: a \u201cdark-roast\u201d Caf\u0065\u0301, please!") == [
        *("i'd", "like", "a", "dark", "roast", "caf\u00e9", "please")
    ]


def test_words_keep_the_marks_of_their_letters_and_marks_alone_are_no_words() -> None:
    hindi = "\u0939\u093f\u0928\u094d\u0926\u0940"
    assert plain_words(f"{hindi}, \u0130stanbul \u2764\ufe0f '90s' rock 'n' roll_it") == [
        *(hindi, "i\u0307stanbul", "90s", "rock", "n", "roll", "it")
    ]


def test_repetitions_and_odd_lines_are_counted_and_left_out() -> None:
    found = read_domain_text(f"One two.\n\none two\n???\n{'a ' * (MAX_WORDS + 1)}\nthree\n", "d.txt")
    assert found.sentences == (("one", "two"), ("three",))
    assert (found.repeated, found.left_out) == (1, 2)


def test_what_the_model_cannot_write_is_left_out() -> None:
    found = read_domain_text("abc\ncaf\u00e9\n", "d.txt", letters="abcdef")
    assert found.sentences == (("abc",),)
    assert found.left_out == 1


def test_a_text_without_a_sentence_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"d\.txt has no sentence"):
        read_domain_text("...\n\n", "d.txt")
