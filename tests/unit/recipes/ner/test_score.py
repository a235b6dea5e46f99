import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recipes.ner.corpora import SERVED_LABELS, Span
from recipes.ner.score import best_labels, scores, spans

OUT, B_PERSON, I_PERSON, B_PLACE, I_PLACE = (
    SERVED_LABELS.index(label) for label in ("O", "B-Person", "I-Person", "B-Location", "I-Location")
)


def allowed(labels: tuple[int, ...]) -> bool:
    pairs = itertools.pairwise((0, *labels))
    return all(after in (before, before + 1) for before, after in pairs if SERVED_LABELS[after][0] == "I")


def test_a_span_counts_only_with_both_ends_and_its_kind() -> None:
    gold = [Span(0, 4, "Person"), Span(10, 14, "Location")]
    found = [Span(0, 4, "Person"), Span(10, 15, "Location"), Span(20, 21, "Organization")]
    micro = scores([(gold, found)])["micro"]
    assert (micro.right, micro.found, micro.gold) == (1, 3, 2)
    assert micro.f1 == 2 / 5


def test_kinds_are_counted_apart_and_micro_comes_last() -> None:
    both = scores([([Span(0, 1, "Person")], [Span(0, 1, "Location")])])
    assert list(both) == ["Location", "Person", "micro"]
    assert both["Person"].recall == both["Location"].precision == 0


def test_nothing_to_find_and_nothing_found_scores_no_division_by_zero() -> None:
    assert scores([([], [])]) == {}
    assert scores([([Span(0, 1, "Person")], [])])["micro"].f1 == 0


def test_neighbouring_entities_stay_apart() -> None:
    places = [(0, 3), (4, 7), (8, 11), (12, 15)]
    assert spans([B_PERSON, I_PERSON, B_PERSON, B_PLACE], places) == [
        Span(0, 7, "Person"),
        Span(8, 11, "Person"),
        Span(12, 15, "Location"),
    ]


def test_an_inside_label_needs_its_beginning() -> None:
    logits = np.zeros((2, len(SERVED_LABELS)), dtype=np.float32)
    logits[0, [OUT, B_PLACE]] = 3, 2
    logits[1, I_PLACE] = 5
    assert best_labels(logits) == [B_PLACE, I_PLACE]
    assert best_labels(logits[:0]) == []


@given(st.lists(st.lists(st.integers(-9, 9), min_size=7, max_size=7), min_size=1, max_size=4))
def test_best_labels_are_allowed_and_no_allowed_ones_score_higher(rows: list[list[int]]) -> None:
    logits = np.array(rows, dtype=np.float32)
    found = tuple(best_labels(logits))
    assert allowed(found)
    best = max(
        sum(logits[place, label] for place, label in enumerate(labels))
        for labels in itertools.product(range(len(SERVED_LABELS)), repeat=len(rows))
        if allowed(labels)
    )
    assert sum(logits[place, label] for place, label in enumerate(found)) == best
