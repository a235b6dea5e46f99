"""Lists and expressions made to take for ever: bounded by RE2 and by counts, or refused at import."""

import json

import pytest

from appliance.datasets.components.component_file import MAX_SYNONYM
from appliance.datasets.components.components import Components, EntityComponents
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.project_file import parse_project
from appliance.ner.components.matcher import ComponentMatcher
from appliance.ner.components.scanning import MAX_MATCHES
from appliance.ner.text_request import TextRequest

LONG = "a" * 20_000 + "!"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}", "a.*b|a", "a+", "(a?){390}a{390}b|a"])
def test_an_expression_that_backtracks_elsewhere_ends_here(pattern: str) -> None:
    components = Components(entities=(EntityComponents(category="A", patterns=(pattern,), combine=False),))
    assert len(ComponentMatcher(components).apply(TextRequest(LONG), [])) <= MAX_MATCHES


def test_many_long_synonyms_with_one_beginning_end() -> None:
    synonyms = tuple(("a " * MAX_SYNONYM)[: MAX_SYNONYM - size] + "b" for size in range(2, 100))
    components = Components(entities=(EntityComponents(category="A", synonyms=synonyms),))
    assert ComponentMatcher(components).apply(TextRequest("a " * 5_000), []) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "((a{100}){100}){100}",
        "a{1001}",
        "(" * 5000,
        r"(a)\1",
        "(?<!a)b",
        "\ud83d",
        "(a?){900}a{900}",
        "(" + "|".join(f"[ab]{{{size}}}c" for size in range(900, 950)) + ")",
        r"\p{L}{30}",
        r"[\p{L}]{30}",
        "[^,]{600}",
    ],
)
def test_what_would_take_memory_or_another_engine_is_refused_without_a_quotation(pattern: str) -> None:
    expression = {"regex": {"expressions": [{"regexPattern": f"{pattern}secret"}]}}
    whole = {"metadata": {}, "assets": {"entities": [{"category": "A", **expression}]}}
    with pytest.raises(DatasetError) as caught:
        parse_project(json.dumps(whole).encode(), "p.json")
    assert "secret" not in f"{caught.value.message} {getattr(caught.value, 'mistakes', '')}"


def test_many_dear_expressions_are_refused_together() -> None:
    expressions = [{"regexPattern": f"(a?){{290}}a{{290}}secret{number}"} for number in range(4)]
    whole = {
        "metadata": {},
        "assets": {"entities": [{"category": "A", "regex": {"expressions": expressions}}]},
    }
    with pytest.raises(DatasetError, match="labelling mistake") as caught:
        parse_project(json.dumps(whole).encode(), "p.json")
    said = f"{caught.value.message} {getattr(caught.value, 'mistakes', '')}"
    assert "4,000 are the most" in said and "secret" not in said
    with pytest.raises(ValueError, match=r"4,000 are the most"):
        ComponentMatcher(
            Components(
                entities=tuple(
                    EntityComponents(category=f"C{number}", patterns=(f"(a?){{290}}a{{290}}{number}",))
                    for number in range(4)
                )
            )
        )


def test_a_dear_expression_takes_no_matches_from_a_cheap_one() -> None:
    dear = tuple(f"(?:a|b)*a(?:a|b){{900}}{last}|[ab]" for last in "cdef")
    components = Components(
        entities=(
            EntityComponents(category="A", patterns=dear, combine=False),
            EntityComponents(category="B", patterns=(r"\d{4}",)),
        )
    )
    found = ComponentMatcher(components).apply(TextRequest("ab" * 1_000 + " 2021 2022"), [])
    assert [one.category for one in found].count("B") == 2
