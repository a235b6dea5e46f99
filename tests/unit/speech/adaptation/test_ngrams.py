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
        f"\\1-grams:\n\\{'9' * 5_000}-grams:\n",
        "\\1-grams:\n-inf a\n",
        "\\1-grams:\n0.5 a\n",
        "\\1-grams:\n400 a\n",
        "\\1-grams:\n-1 a 400\n",
    ],
)
def test_what_is_no_arpa_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(ModelError, match=r"x\.arpa"):
        Ngrams.read(text, "x.arpa")


@pytest.mark.parametrize("line", ["0.5 contoso", "contoso one", "-1 contoso is late", "-1 contoso late"])
def test_a_refused_line_is_named_by_its_number_and_not_by_its_words(line: str) -> None:
    with pytest.raises(ModelError, match=r"line 3 of x\.arpa") as refused:
        Ngrams.read(f"\\1-grams:\n-1 a\n{line}\n", "x.arpa")
    assert "contoso" not in f"{refused.value} {refused.value.hint} {refused.value.__cause__}"


def test_more_ngrams_than_allowed_are_refused() -> None:
    with pytest.raises(ModelError, match="more than 2 n-grams"):
        Ngrams.read(MODEL.written(), "x.arpa", most=2)
