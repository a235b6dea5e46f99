"""Agreement of two people, against figures worked out by hand."""

from collections import Counter

import pytest

from appliance.datasets.document import Label
from appliance.training.evaluation.agreement import Twice, agreement, kappa

TEXT = "Anna met Bert in Oslo ."


def person(start: int, end: int) -> Label:
    return Label(start, end, "Person")


def test_kappa_is_the_textbooks() -> None:
    # 50 cases: both yes 20, first yes alone 5, second yes alone 10, both no 15 (Cohen's kappa 0.4).
    pairs = Counter({("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15})
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa(Counter()) is None
    assert kappa(Counter({("n", "n"): 3})) == 1
    assert kappa(Counter({("a", "b"): 1, ("b", "a"): 1})) == pytest.approx(-1)


def test_spans_agree_where_ends_and_category_do_and_words_count_apart() -> None:
    first = [person(0, 4), person(9, 13), Label(17, 21, "Place")]
    second = [person(0, 4), person(9, 13), Label(17, 21, "Person")]
    found = agreement([Twice(text=TEXT, first=first, second=second)])
    assert (found.documents, found.words) == (1, 6)
    assert found.scores.micro.f1 == pytest.approx(2 / 3)
    assert found.scores.categories["Place"].f1 == 0
    # Words: 5 of 6 the same; by chance (2 x 3 + 1 x 0 + 3 x 3) / 36.
    assert found.kappa == pytest.approx((5 / 6 - 15 / 36) / (1 - 15 / 36))


def test_a_label_of_several_words_is_as_many_words_and_of_a_script_without_spaces_as_many_signs() -> None:
    text = "東京 Ada Lovelace"
    found = agreement([Twice(text=text, first=[Label(0, 2, "Place"), Label(3, 15, "Person")], second=[])])
    assert found.words == 4
    assert found.scores.micro.labelled == 2
    assert found.scores.micro.f1 == 0


def test_without_documents_there_is_nothing_to_say() -> None:
    found = agreement([])
    assert (found.documents, found.words, found.kappa) == (0, 0, None)
