"""Quality and precision are chosen by F1 on training documents held back, and the reason is told."""

import pytest

from appliance.datasets.document import Label, LabelledDocument
from appliance.training.choice import (
    LEAST_FOR_CHOICE,
    Candidate,
    choose_precision,
    choose_quality,
    hold_back,
)
from appliance.training.evaluation.scoring import Counts


def candidate(quality: str, *right: int, precision: str = "8 bits", of: int = 100) -> Candidate:
    counts = tuple(Counts(right=one, found=of, labelled=of) for one in right)
    return Candidate(quality=quality, precision=precision, counts=counts)


def document(number: int, *categories: str) -> LabelledDocument:
    labels = tuple(Label(2 * place, 2 * place + 1, name) for place, name in enumerate(categories))
    return LabelledDocument(name=f"d{number}", text="a b c d e f", labels=labels)


def test_the_higher_f1_is_chosen_and_both_are_told() -> None:
    fast, best = candidate("fast", 60, 70), candidate("best", 80, 80)
    chosen, why = choose_quality(fast, best)
    assert chosen is best
    assert "best has F1 80.0 on 2 training documents held back, fast 65.0: +15.0 points (95 % between" in why
    assert choose_quality(candidate("fast", 81, 81), best)[0].quality == "fast"


def test_of_equals_the_cheaper_is_chosen() -> None:
    fast = candidate("fast", 70, 70)
    chosen, why = choose_quality(fast, candidate("best", 70, 70))
    assert chosen is fast
    assert "of equals the cheaper one" in why


@pytest.mark.parametrize(("eight", "kept"), [(896, "8 bits"), (894, "float32"), (950, "8 bits")])
def test_float32_is_kept_only_where_8_bits_cost_more_than_half_a_point(eight: int, kept: str) -> None:
    full = candidate("best", 900, precision="float32", of=1000)
    chosen, why = choose_precision(candidate("best", eight, of=1000), full)
    assert chosen.precision == kept
    assert f"8-bit weights cost {(900 - eight) / 10:.2f} points" in why


def test_a_fifth_is_held_back_with_a_share_of_every_category_and_nothing_is_in_both_parts() -> None:
    documents = [document(number, "A", "B" if number % 3 else "C") for number in range(60)]
    learnt, held = hold_back(documents)
    assert len(held) == 12
    assert {one.name for one in learnt} | {one.name for one in held} == {one.name for one in documents}
    assert len(learnt) + len(held) == len(documents)
    assert {label.category for one in held for label in one.labels} == {"A", "B", "C"}
    assert hold_back(documents[::-1])[1] == tuple(one for one in documents[::-1] if one in held)


def test_a_category_that_one_document_shows_is_not_held_back() -> None:
    documents = [document(number, "A") for number in range(20)] + [document(20, "Rare")]
    learnt, _ = hold_back(documents)
    assert any(label.category == "Rare" for one in learnt for label in one.labels)


def test_of_too_few_documents_none_is_held_back() -> None:
    documents = [document(number, "A") for number in range(LEAST_FOR_CHOICE - 1)]
    assert hold_back(documents) == (tuple(documents), ())
