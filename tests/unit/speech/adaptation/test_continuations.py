"""The sum over words with the same first letters is that of their probabilities one by one."""

import pytest

from appliance.speech.adaptation.continuations import Continuations
from appliance.speech.adaptation.kneser_ney import estimate

WORDS = Continuations(estimate([["roast", "rose", "milk"], ["milk", "roast"], ["rose"]]))


@pytest.mark.parametrize("before", [(), ("milk",), ("roast", "rose"), ("unheard", "of")])
@pytest.mark.parametrize("letters", ["r", "ro", "ros", "roast", "m"])
def test_first_letters_have_the_sum_of_their_words(before: tuple[str, ...], letters: str) -> None:
    kept = WORDS.before(before)
    whole = sum(WORDS.word(kept, word) for word in WORDS.words if word.startswith(letters))
    assert WORDS.prefix(kept, letters) == pytest.approx(whole)
    assert whole > 0


def test_letters_and_words_of_no_domain_word_have_nothing() -> None:
    assert WORDS.prefix((), "x") == 0.0
    assert WORDS.word((), "ro") == 0.0


def test_the_beginning_of_a_sentence_counts() -> None:
    assert WORDS.before(()) == ("<s>",)
    assert WORDS.before(("milk",)) == ("<s>", "milk")
    assert WORDS.before(("a", "b", "c")) == ("b", "c")
    ends = WORDS.end(WORDS.before(("milk", "roast")))
    assert ends > WORDS.end(WORDS.before(("roast", "rose")))
