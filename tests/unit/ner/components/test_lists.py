"""Synonyms are found exactly, as whole words, the longest at each place."""

from collections.abc import Sequence

import pytest

from appliance.ner.components.lists import ListMatcher, Term


def found(text: str, *synonyms: str) -> list[str]:
    spans = matcher(A=synonyms).spans(text, {""})
    return [text[start:end] for start, end in spans.get("A", [])]


def matcher(**synonyms: Sequence[str]) -> ListMatcher:
    return ListMatcher(Term(category, "", value) for category, own in synonyms.items() for value in own)


@pytest.mark.parametrize(
    ("text", "synonyms", "expected"),
    [
        ("I buy Proseware OS 9.", ["Proseware OS"], ["Proseware OS"]),
        ("Proseware\r\n  OS", ["Proseware OS"], ["Proseware\r\n  OS"]),
        ("proseware os", ["Proseware OS"], []),
        ("Prosewares OSX", ["Proseware", "OS"], []),
        ("New York City and New York", ["New York", "New York City"], ["New York City", "New York"]),
        ("C++, C and C#", ["C++", "C#"], ["C++", "C#"]),
        ("in 東京都 now", ["東京"], ["東京"]),
        ("O'Neil's A-1", ["O'Neil", "A-1"], ["O'Neil", "A-1"]),
        ("🙂🙂", ["🙂"], ["🙂", "🙂"]),
        ("a a a", ["a a"], ["a a"]),
        ("café cafe", ["cafe"], ["cafe"]),
        ("", ["a"], []),
        ("\ud83d a", ["a"], ["a"]),
    ],
)
def test_what_is_found(text: str, synonyms: list[str], expected: list[str]) -> None:
    assert found(text, *synonyms) == expected


def test_each_category_has_its_own_spans() -> None:
    spans = matcher(A=["New York"], B=["York", "New York"]).spans("New York, York", {""})
    assert spans == {"A": [(0, 8)], "B": [(0, 8), (10, 14)]}


def test_many_synonyms_with_one_beginning_are_walked_once() -> None:
    many = matcher(A=["a " * number + "b" for number in range(1, 100)])
    assert many.spans("a " * 3000, {""}) == {}


def test_the_longest_synonym_is_that_of_the_languages_asked_for() -> None:
    terms = [Term("A", "en", "New York"), Term("A", "de", "New York Stadt")]
    matcher = ListMatcher(terms)
    assert matcher.spans("New York Stadt", {"en"}) == {"A": [(0, 8)]}
    assert matcher.spans("New York Stadt", {"en", "de"}) == {"A": [(0, 14)]}
    assert matcher.spans("New York Stadt", {""}) == {}
