"""The page on threats and the tests that perform the attacks must name each other."""

import re

import pytest

from tests.support.paths import ROOT

ATTACKS = {path.name for path in (ROOT / "tests" / "attacks").rglob("test_*.py")}
EDGE = {path.name for path in (ROOT / "tests" / "e2e" / "edge").glob("test_*.py")}
# What only a container shows is tried in one.
CONTAINERS = {path.name for path in (ROOT / "tests" / "system" / "container").glob("test_*.py")}
KEYS_APART = {"test_keys_apart.py"}
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAME = r"`(test_\w+\.py)`"
# The rows of every table whose last column is the test.
ROWS = [
    row
    for table in re.findall(r"^\| Act \| Outcome \| Test \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    for row in table.splitlines()
]


@pytest.mark.parametrize("row", ROWS, ids=[row[2:60] for row in ROWS])
def test_a_row_names_the_test_of_its_attack_and_says_what_comes_of_it(row: str) -> None:
    _, _, outcome, test, _ = row.split("|")
    names = set(re.findall(NAME, test))
    said = outcome.strip().lstrip("*")
    assert said.startswith(("stopped", "refused", "found", "a refusal", "not stopped", "not detectable"))
    assert names or said.startswith("not stopped")  # what nothing stops needs no proof
    assert names - ATTACKS - EDGE - CONTAINERS - KEYS_APART == set()


def test_every_attack_that_is_tried_has_a_row() -> None:
    assert ATTACKS - set(re.findall(NAME, "".join(ROWS))) == set()
