"""The cloud's layout is read, spoken forms are found however they are cut, and the rest is refused."""

import pytest

from appliance.errors import ModelError
from appliance.speech.adaptation.pronunciations import MAX_CHARACTERS, Pronunciations, letters

KNOWN = Pronunciations.read("3CPO\tthree c p o\r\n\nCNTK\tc n t k\nIEEE\ti triple e\n", "p.txt")


def test_lines_are_displayed_form_tab_spoken_form() -> None:
    assert KNOWN.displayed["three", "c", "p", "o"] == "3CPO"
    assert len(KNOWN.displayed) == 3


@pytest.mark.parametrize("words", [["three", "c", "p", "o"], ["3CPO"], ["3", "cpo"], ["three", "c.p.o."]])
def test_a_spoken_form_is_found_however_it_is_cut(words: list[str]) -> None:
    assert KNOWN.match(["my", *words, "works"], 1) == (len(words), "three c p o", "3CPO")
    assert KNOWN.match(["my", *words], 0) is None


@pytest.mark.parametrize(
    ("word", "is_it"), [("it", False), ("It,", False), ("IT", True), ("I.T.", True), ("i t", True)]
)
def test_a_word_that_is_read_aloud_is_not_taken_for_its_letters(word: str, is_it: bool) -> None:
    known = Pronunciations.read("IT\ti t\n", "p.txt")
    words = ["ask", *word.split()]
    assert known.match(words, 1) == ((len(words) - 1, "i t", "IT") if is_it else None)


def test_digits_are_spoken_one_by_one() -> None:
    assert letters("R2-D2") == "rtwodtwo"


@pytest.mark.parametrize(
    "line", ["CNTK c n t k", "CNTK\t", "\tc n t k", "CNTK\t...", f"x\t{'a' * (MAX_CHARACTERS + 1)}"]
)
def test_another_line_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(ModelError, match=r"line 2 of p\.txt"):
        Pronunciations.read(f"A\ta\n{line}\n", "p.txt")
