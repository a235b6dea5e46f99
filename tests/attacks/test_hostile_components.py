"""Lists and expressions made to take for ever: bounded by RE2 and by counts, or refused at import."""

import json

import pytest

from appliance.datasets.components.component_file import MAX_SYNONYM
from appliance.datasets.components.components import Components, EntityComponents
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.project_file import parse_project
from appliance.ner.components.matcher import MAX_MATCHES, ComponentMatcher

LONG = "a" * 20_000 + "!"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}", "a.*b|a", "a*", "(a?){900}a{900}"])
def test_an_expression_that_backtracks_elsewhere_ends_here(pattern: str) -> None:
    components = Components(entities=(EntityComponents(category="A", patterns=(pattern,), combine=False),))
    assert len(ComponentMatcher(components).apply(LONG, [])) <= MAX_MATCHES


def test_many_long_synonyms_with_one_beginning_end() -> None:
    synonyms = tuple(("a " * MAX_SYNONYM)[: MAX_SYNONYM - size] + "b" for size in range(2, 100))
    components = Components(entities=(EntityComponents(category="A", synonyms=synonyms),))
    assert ComponentMatcher(components).apply("a " * 5_000, []) == []


@pytest.mark.parametrize(
    "pattern", ["((a{100}){100}){100}", "a{1001}", "(" * 5000, r"(a)\1", "(?<!a)b", "\ud83d"]
)
def test_what_would_take_memory_or_another_engine_is_refused_without_a_quotation(pattern: str) -> None:
    expression = {"regex": {"expressions": [{"regexPattern": f"{pattern}secret"}]}}
    whole = {"metadata": {}, "assets": {"entities": [{"category": "A", **expression}]}}
    with pytest.raises(DatasetError) as caught:
        parse_project(json.dumps(whole).encode(), "p.json")
    assert "secret" not in f"{caught.value.message} {getattr(caught.value, 'mistakes', '')}"
