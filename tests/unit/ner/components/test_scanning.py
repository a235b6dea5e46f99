"""Windows find what the whole text has, and the bytes that are read are bounded."""

from collections.abc import Iterator
from typing import Any

import pytest
import re2

from appliance.datasets.components.expressions import compiled, steps_of
from appliance.ner.components.scanning import (
    MAX_AGAIN,
    MAX_MATCH,
    MAX_MATCHES,
    Again,
    Scan,
    character_spans,
)

WORDS = "The borrower, Ada Lovelace, owes 1,200.50 EUR since 2021-03-04.\nÜber été \u6771\u4eac 🙂 AB-12 "


class Counting:
    """An expression that notes how many bytes each search may read at most."""

    def __init__(self, pattern: str) -> None:
        self._pattern = compiled(pattern)
        self.windows = 0
        self.bytes = 0

    def finditer(self, data: bytes, start: int, end: int) -> Iterator[Any]:
        self.windows += 1
        position, end = start, min(end, len(data))
        for match in self._pattern.finditer(data, start, end):
            self.bytes += end - position
            position = match.end()
            yield match
        self.bytes += end - position


def found(pattern: Any, text: str) -> list[str]:
    data = text.encode()
    return [text[start:end] for start, end in character_spans(data, Scan(pattern, data).spans())]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b[A-Z]{2}-\d+\b",
        r"\d{4}-\d{2}-\d{2}",
        r"\p{Lu}\p{L}+",
        r"(?m)^The.*$",
        r"(?m)^.+$",
        "🙂 AB",
        r"\S+",
        r"^The borrower",
        r"AB-12 $",
        r"[^,]+",
        r"(?i)ÜBER \w?",
        r"\p{Han}{2}",
        r"x+",
        r"\B.",
        r"\A.|.\z",
    ],
)
@pytest.mark.parametrize("filler", range(0, 40, 7))
def test_windows_change_nothing_for_ordinary_expressions(pattern: str, filler: int) -> None:
    text = "x" * filler + WORDS * 12
    whole = [match[0] for match in re2.finditer(pattern, text) if match[0]]
    assert found(compiled(pattern), text) == whole


@pytest.mark.parametrize(
    "pattern",
    [
        "a.*b|a",
        "(a+)+$",
        "(.*a){20}",
        "(a?){390}a{390}b|a",
        "(?:a|b)*a(?:a|b){900}c|a",
        r"(a.*b)?\b",
        ".+",
        "(?s).+",
    ],
)
@pytest.mark.parametrize("text", ["a" * 125_000, "ab" * 62_500, "a" * 124_999 + "!", "é" * 125_000])
def test_the_bytes_that_are_read_are_bounded_for_the_worst_expressions(pattern: str, text: str) -> None:
    data, counting = text.encode(), Counting(pattern)
    spans = list(Scan(counting, data).spans())
    assert len(spans) <= MAX_MATCHES
    assert all(0 < end - start <= MAX_MATCH for start, end in spans)
    assert counting.windows <= len(data) // MAX_MATCH + 1
    assert counting.bytes <= 2 * len(data) + 2 * MAX_MATCH * MAX_MATCHES


@pytest.mark.parametrize(
    ("pattern", "text", "cut"),
    [("a", "a " * 1000, False), ("a", "a " * 1001, True), ("a+", "a" * 500, False), ("a+", "a" * 501, True)],
)
def test_whether_anything_was_left_out_is_known(pattern: str, text: str, cut: bool) -> None:
    scan = Scan(compiled(pattern), text.encode())
    list(scan.spans())
    assert scan.cut is cut


def test_a_long_match_is_left_out_and_those_behind_it_are_found() -> None:
    assert found(compiled("a+|b"), "a" * 900 + " b a") == ["b", "a"]


@pytest.mark.parametrize("size", [200, 2_000, 50_000])
def test_what_expressions_of_many_steps_read_again_is_bounded_for_a_text(size: int) -> None:
    data = b"ab" * (size // 2)
    again = Again.of(size)
    work = passes = 0
    for last in "cdef":
        pattern = rf"(?:a|b)*a(?:a|b){{900}}{last}|[ab]"
        counting, steps = Counting(pattern), steps_of(pattern)
        list(Scan(counting, data, steps, again).spans())
        work += counting.bytes * steps
        passes += (2 * size + 2 * MAX_MATCH) * steps
    assert work <= MAX_AGAIN[0] + MAX_AGAIN[1] * size + passes


def test_a_list_of_words_as_an_expression_loses_none_of_its_matches() -> None:
    words = [f"{number * 7919:07d}" for number in range(110)]
    pattern = rf"\b(?:{'|'.join(words)})\b"
    assert steps_of(pattern) > 300
    text = " ".join(f"{word} is the number of a contract" for word in words)
    scan = Scan(compiled(pattern), text.encode(), steps_of(pattern), Again.of(len(text)))
    assert [text[start:end] for start, end in scan.spans()] == words
    assert not scan.cut
