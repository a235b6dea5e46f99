"""Components of a project file are read in any letter case; what is not served is refused by name."""

import json
from dataclasses import replace
from typing import Any

import pytest

from appliance.datasets.components.component_file import MAX_EXPRESSIONS, MAX_SYNONYMS
from appliance.datasets.components.components import COMBINE, LEARNED, SEPARATE, Components, LanguagePart
from appliance.datasets.label_errors import LabellingMistakes
from appliance.datasets.project_file import ProjectFile, parse_project

LISTED = {
    "sublists": [
        {"listKey": "Prose", "synonyms": [{"language": "en", "values": ["Proseware OS", "POS"]}]},
        {"listKey": "Cont", "synonyms": [{"language": "de", "values": ["Contoso", "POS"]}]},
    ]
}


def parse(
    *entities: dict[str, Any], settings: dict[str, Any] | None = None, multilingual: bool = False
) -> ProjectFile:
    metadata = {"projectName": "p", "settings": settings or {}, "multilingual": multilingual}
    whole = {"metadata": metadata, "assets": {"entities": entities}}
    return parse_project(json.dumps(whole).encode(), "p.json")


def refusal(*entities: dict[str, Any], settings: dict[str, Any] | None = None) -> str:
    with pytest.raises(LabellingMistakes) as caught:
        parse(*entities, settings=settings)
    return "; ".join(mistake.reason for mistake in caught.value.mistakes)


def expression(pattern: str) -> dict[str, Any]:
    return {"expressions": [{"regexKey": "k", "language": "en", "regexPattern": pattern}]}


def test_a_multilingual_project_keeps_the_language_of_each() -> None:
    both = {"sublists": [*LISTED["sublists"], {"synonyms": [{"values": ["Any"]}]}]}
    entity = {"category": "Software", "list": both, "regex": expression("v[0-9]")}
    (one,) = parse(entity, multilingual=True).components.entities
    assert (one.synonyms, one.patterns) == (("Any",), ())
    assert one.by_language == (
        LanguagePart(language="de", synonyms=("Contoso", "POS")),
        LanguagePart(language="en", synonyms=("Proseware OS", "POS"), patterns=("v[0-9]",)),
    )


def test_lists_and_expressions_are_read_of_all_languages_each_once() -> None:
    project = parse(
        {
            "category": "Software",
            "compositionSetting": "SeparateComponents",
            "LIST": LISTED,
            "regex": expression(r"v\d+"),
            "requiredComponents": ["Learned"],
        },
        {"category": "Plain"},
        settings={"ConfidenceThreshold": 0.7},
    )
    (one,) = project.components.entities
    assert one.synonyms == ("Proseware OS", "POS", "Contoso")
    assert one.patterns == (r"v\d+",)
    assert (one.combine, one.required) == (False, frozenset({LEARNED}))
    assert project.components.threshold == 0.7
    assert not project.components.categories


def test_combining_is_what_happens_unless_said_otherwise() -> None:
    assert parse({"category": "A", "list": LISTED}).components.entities[0].combine


def test_a_project_without_any_changes_nothing() -> None:
    assert not parse({"category": "A"}).components


def test_what_is_stored_and_exported_again_is_what_was_imported() -> None:
    entity = {
        "category": "A",
        "compositionSetting": COMBINE,
        "list": LISTED,
        "regex": expression("a+"),
        "requiredComponents": ["list"],
    }
    stored = parse(entity).assets.model_dump(exclude_none=True)
    assert json.loads(json.dumps(stored))["entities"] == [entity]
    assert parse({"category": "A"}).assets.model_dump(exclude_none=True)["entities"] == ({"category": "A"},)


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        (
            {"prebuilts": [{"category": "General.Event"}]},
            "assets.entities.0 (A).prebuilts: prebuilt components are not served here",
        ),
        ({"requiredComponents": ["prebuilts"]}, "prebuilt components are not served here"),
        ({"requiredComponents": ["list"]}, "it requires its list component and has none"),
        ({"requiredComponents": ["magic"]}, "a required component is one of learned, list, regex"),
        ({"compositionSetting": "longest"}, "it is combineComponents or separateComponents"),
        (
            {"regex": expression("(?=a)")},
            "the expression is refused (invalid perl operator); ",
        ),
        ({"regex": expression(r"(a)\1")}, "no look-around, no back-references"),
        ({"regex": expression("((a{100}){100}){100}")}, "the expression is refused"),
        ({"regex": expression("a" * 1001)}, "an expression has 1 to 1000 characters"),
        ({"regex": expression("[0-9]*")}, "it matches the empty text, which would be everywhere; use +"),
        ({"regex": expression("(a.*b)?")}, "it matches the empty text"),
        ({"regex": expression("a{500}b{500}c{500}d{600}")}, "steps for each character of a text, and 2,000"),
        ({"regex": expression("")}, "an expression has 1 to 1000 characters"),
        ({"list": {"sublists": [{"synonyms": [{"values": [" "]}]}]}}, "a synonym is empty"),
        ({"list": {"sublists": [{"synonyms": [{"values": ["a" * 201]}]}]}}, "at most 200 characters"),
        (
            {"list": {"sublists": [{"synonyms": [{"values": list(map(str, range(MAX_SYNONYMS + 1)))}]}]}},
            "more than 20000 synonyms",
        ),
    ],
)
def test_what_is_not_served_is_refused_by_name(entity: dict[str, Any], said: str) -> None:
    assert said in refusal({"category": "A", **entity})


def test_a_refusal_quotes_no_expression() -> None:
    assert "secret" not in refusal({"category": "A", "regex": expression("(secret")})


def test_a_project_has_a_bounded_number_of_expressions() -> None:
    entities = [{"category": f"C{n}", "regex": expression(f"a{n}")} for n in range(MAX_EXPRESSIONS + 1)]
    assert "the project has more than 20 regular expressions" in refusal(*entities)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "high", True])
def test_a_threshold_is_a_share(threshold: object) -> None:
    said = refusal(settings={"confidenceThreshold": threshold})
    assert "confidenceThreshold is a number from 0 to 1" in said


def test_predictions_of_the_cloud_are_refused_by_name() -> None:
    assert "runGptPredictions is not served here" in refusal(settings={"runGptPredictions": True})


@pytest.mark.parametrize("multilingual", [False, True])
def test_a_model_folder_keeps_them_whole(multilingual: bool) -> None:
    found = parse(
        {"category": "A", "compositionSetting": SEPARATE, "list": LISTED, "regex": expression("ü+")},
        settings={"confidenceThreshold": 0.25},
        multilingual=multilingual,
    ).components
    found = replace(found, thresholds=(("A", 0.5), ("B", 1.0)))
    assert Components.from_object(json.loads(json.dumps(found.to_object()))) == found


@pytest.mark.parametrize(
    "change",
    [
        {"format": 3},
        {"confidenceThreshold": 2},
        {"confidenceThresholds": {"A": 2}},
        {"confidenceThresholds": [0.5]},
        {"entities": {}},
        {"entities": [{"category": "A", "languages": []}]},
        {"entities": [{"category": "A", "languages": {"en": {"synonyms": [1]}}}]},
        {"entities": [{"synonyms": []}]},
        {"entities": [{"category": "A", "synonyms": [1]}]},
        {"entities": [{"category": "A", "requiredComponents": ["prebuilts"]}]},
    ],
)
def test_a_file_that_says_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Components.from_object({"format": 1, "confidenceThreshold": 0, "entities": [], **change})


def test_the_first_format_is_read_too() -> None:
    entity = {"category": "A", "synonyms": ["a"], "expressions": ["b"]}
    found = Components.from_object({"format": 1, "confidenceThreshold": 0.5, "entities": [entity]})
    (one,) = found.entities
    assert (one.synonyms, one.patterns, one.by_language) == (("a",), ("b",), ())
    assert (found.threshold, found.threshold_of("A")) == (0.5, 0.5)
