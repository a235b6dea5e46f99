"""Synonyms are found exactly, as whole words, the longest at each place."""

import pytest

from appliance.ner.components.lists import ListMatcher


def found(text: str, *synonyms: str) -> list[str]:
    return [text[start:end] for start, end in ListMatcher({"A": synonyms}).spans(text).get("A", [])]


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
    spans = ListMatcher({"A": ["New York"], "B": ["York", "New York"]}).spans("New York, York")
    assert spans == {"A": [(0, 8)], "B": [(0, 8), (10, 14)]}


def test_many_synonyms_with_one_beginning_are_walked_once() -> None:
    matcher = ListMatcher({"A": ["a " * number + "b" for number in range(1, 100)]})
    assert matcher.spans("a " * 3000) == {}
