"""Probabilities are those that the formulas of interpolated Kneser-Ney give by hand, and sum to one."""

import pytest

from appliance.speech.adaptation.kneser_ney import estimate


def test_probabilities_of_two_short_sentences_are_those_computed_by_hand() -> None:
    # Pairs: four stand once, one twice, so the discount is 4/6. Words follow 1, 1, 1 and 2 others: 3/5.
    model = estimate([["a", "b"], ["a", "c"]], order=2)
    assert 10 ** model.log10(("a",)) == pytest.approx(0.176)  # (1 - 0.6) / 5 + 0.48 / 5
    assert 10 ** model.log10(("</s>",)) == pytest.approx(0.376)  # (2 - 0.6) / 5 + 0.48 / 5
    assert 10 ** model.log10(("nowhere",)) == pytest.approx(0.096)
    assert 10 ** model.log10(("a", "b")) == pytest.approx((1 - 2 / 3) / 2 + 2 / 3 * 0.176)
    assert 10 ** model.log10(("<s>", "a")) == pytest.approx((2 - 2 / 3) / 2 + 1 / 3 * 0.176)
    assert 10 ** model.log10(("a", "</s>")) == pytest.approx(2 / 3 * 0.376)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [(), ("<s>",), ("a",), ("b", "a"), ("nowhere", "b")])
def test_probabilities_behind_any_words_sum_to_one(order: int, before: tuple[str, ...]) -> None:
    model = estimate([["a", "b", "a"], ["b", "b", "c"], ["a", "b", "c", "d"], ["c"]], order=order)
    kept = before[len(before) - min(order - 1, len(before)) :]
    words = [*model.words(), "</s>", "<unk>"]
    assert sum(10 ** model.log10((*kept, word)) for word in words) == pytest.approx(1.0)


def test_a_text_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="no word"):
        estimate([])
