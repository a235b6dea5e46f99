"""What is written is read again; what is no ARPA file is refused."""

import pytest

from appliance.errors import ModelError
from appliance.speech.adaptation.kneser_ney import estimate
from appliance.speech.adaptation.ngrams import Ngrams

MODEL = estimate([["one", "two"], ["one", "three", "two"]])


def test_a_written_model_is_read_with_the_same_probabilities() -> None:
    again = Ngrams.read(MODEL.written(), "x.arpa")
    assert again.order == 3
    assert again.words() == ["one", "three", "two"]
    for words in (["one", "two"], ["two", "one", "four"]):
        assert again.sentence(words) == pytest.approx(MODEL.sentence(words), abs=1e-3)
    assert again.written() == MODEL.written()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\\1-grams:\nx one\n",
        "\\1-grams:\n-1 one two three\n",
        "\\9-grams:\n-1 a\n",
        "\\1-grams:\nnan a\n",
    ],
)
def test_what_is_no_arpa_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(ModelError, match=r"x\.arpa"):
        Ngrams.read(text, "x.arpa")


def test_more_ngrams_than_allowed_are_refused() -> None:
    with pytest.raises(ModelError, match="more than 2 n-grams"):
        Ngrams.read(MODEL.written(), "x.arpa", most=2)
