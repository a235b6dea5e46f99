"""The decisions in docs/adr: numbered, complete, in the index, and linked from the architecture."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ADR = ROOT / "docs" / "adr"
RECORDS = sorted(ADR.glob("[0-9]*.md"))


def test_the_numbers_have_no_gap() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_has_its_parts_and_is_in_the_index(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert parts[0] in ("Context", "Situation")
    assert {"Decision", "Consequences"} <= set(parts)
    assert len(text.splitlines()) <= 45
    assert f"({path.name})" in (ADR / "README.md").read_text("utf-8")


def test_the_architecture_page_leads_to_the_decisions() -> None:
    assert "(adr/README.md)" in (ROOT / "docs" / "architecture.md").read_text("utf-8")
