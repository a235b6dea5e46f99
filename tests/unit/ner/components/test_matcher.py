"""Components and the network together: combined or apart, required or not, above the threshold."""

from typing import Any

import pytest

from appliance.datasets.components.components import Components, EntityComponents, LanguagePart
from appliance.ner.components.matcher import ComponentMatcher
from appliance.ner.components.scanning import MAX_MATCHES
from appliance.ner.decoding import Entity
from appliance.ner.text_request import TextRequest

TEXT = "I want to buy Proseware OS 9 now"
OS9 = TEXT.index("OS 9")


def answers(
    found: list[tuple[int, int, float]], *, text: str = TEXT, threshold: float = 0.0, **how: Any
) -> list[tuple[str, float]]:
    how.setdefault("synonyms", ("Proseware OS",))
    components = Components(entities=(EntityComponents(category="Software", **how),), threshold=threshold)
    entities = [Entity(start=s, end=e, category="Software", score=score) for s, e, score in found]
    found_here = ComponentMatcher(components).apply(TextRequest(text), entities)
    return [(text[one.start : one.end], one.score) for one in found_here]


def test_overlapping_components_are_one_entity_of_their_union() -> None:
    assert answers([(OS9, OS9 + 4, 0.6)]) == [("Proseware OS 9", 1.0)]


def test_separate_components_are_answered_each() -> None:
    assert answers([(OS9, OS9 + 4, 0.6)], combine=False) == [("Proseware OS", 1.0), ("OS 9", 0.6)]


def test_a_list_alone_finds_what_the_network_does_not() -> None:
    assert answers([]) == [("Proseware OS", 1.0)]


def test_spans_that_only_touch_stay_apart() -> None:
    text = "Proseware OS"
    assert answers([(9, 12, 0.5)], text=text, synonyms=("Proseware",)) == [("Proseware", 1.0), (" OS", 0.5)]


def test_without_its_required_component_nothing_is_answered() -> None:
    assert answers([], required=frozenset({"learned"})) == []
    assert answers([(OS9, OS9 + 4, 0.6)], required=frozenset({"learned"})) == [("Proseware OS 9", 1.0)]
    assert answers([(0, 1, 0.9)], required=frozenset({"list"})) == [("Proseware OS", 1.0)]


def test_an_expression_finds_its_matches_in_code_points() -> None:
    text = "🙂 order AB-12, é CD-345 \ud83d EF-6"
    assert answers([], text=text, synonyms=(), patterns=(r"[A-Z]{2}-\d+",)) == [
        ("AB-12", 1.0),
        ("CD-345", 1.0),
        ("EF-6", 1.0),
    ]


def test_what_the_network_is_not_sure_of_is_left_out_and_lists_stay() -> None:
    assert answers([(0, 1, 0.49), (2, 6, 0.5)], threshold=0.5) == [("want", 0.5), ("Proseware OS", 1.0)]


def test_a_threshold_holds_for_categories_without_components() -> None:
    matcher = ComponentMatcher(Components(threshold=0.8))
    sure, unsure = (Entity(start=0, end=1, category="B", score=score) for score in (0.8, 0.79))
    assert matcher.apply(TextRequest("ab"), [sure, unsure]) == [sure]


def test_other_categories_are_answered_as_found_and_all_in_order() -> None:
    components = Components(entities=(EntityComponents(category="A", synonyms=("b", "d")),))
    other = Entity(start=4, end=5, category="B", score=0.3)
    found = ComponentMatcher(components).apply(TextRequest("a b c d"), [other])
    assert [(one.start, one.category) for one in found] == [(2, "A"), (4, "B"), (6, "A")]


def test_the_matches_of_one_expression_are_bounded() -> None:
    assert len(answers([], text="a " * 5000, synonyms=(), patterns=("a",))) == MAX_MATCHES


def test_an_expression_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="refused"):
        ComponentMatcher(Components(entities=(EntityComponents(category="A", patterns=("(",)),)))


def test_a_category_may_have_a_threshold_of_its_own_above_or_below_that_of_all() -> None:
    matcher = ComponentMatcher(Components(threshold=0.5, thresholds=(("A", 0.8), ("B", 0.2))))
    found = [Entity(start=n, end=n + 1, category=c, score=0.4 + n / 10) for n, c in enumerate("ABCABC")]
    assert [(one.category, one.start) for one in matcher.apply(TextRequest("abcdef"), found)] == [
        ("B", 1),
        ("C", 2),
        ("B", 4),
        ("C", 5),
    ]


EVERY = LanguagePart(language="en", synonyms=("bank",), patterns=("EN-[0-9]",))
GERMAN = LanguagePart(language="de", synonyms=("Ufer",), patterns=("DE-[0-9]",))


@pytest.mark.parametrize(
    ("asked", "main", "expected"),
    [
        ("en", "de", ["any", "bank", "EN-1"]),
        ("en-GB", "de", ["any", "bank", "EN-1"]),
        ("DE_at", "en", ["any", "Ufer", "DE-1"]),
        ("", "de", ["any", "Ufer", "DE-1"]),
        ("", "", ["any", "bank", "Ufer", "EN-1", "DE-1"]),
        ("fr", "en", ["any"]),
        ("english", "en", ["any"]),
        ("auto", "de", ["any", "Ufer", "DE-1"]),
        ("und", "", ["any", "bank", "Ufer", "EN-1", "DE-1"]),
        ("", "multilingual", ["any", "bank", "Ufer", "EN-1", "DE-1"]),
    ],
)
def test_synonyms_and_expressions_are_those_of_the_texts_language(
    asked: str, main: str, expected: list[str]
) -> None:
    text = "any bank Ufer EN-1 DE-1"
    one = EntityComponents(category="A", synonyms=("any",), by_language=(EVERY, GERMAN))
    matcher = ComponentMatcher(Components(entities=(one,)), language=main)
    found = matcher.apply(TextRequest(text, asked), [])
    assert [text[entity.start : entity.end] for entity in found] == expected


def test_what_is_left_out_is_logged_once_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    how = EntityComponents(category="A", patterns=("s+",))
    matcher = ComponentMatcher(Components(entities=(how,)))
    assert matcher.apply(TextRequest("s" * 5000), []) == []
    assert matcher.apply(TextRequest("s " * 5000), [])
    (record,) = caplog.records
    assert "category A matches more than 1000 times in a text, or more than 500 bytes" in record.getMessage()
