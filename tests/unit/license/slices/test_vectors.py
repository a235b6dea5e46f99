"""Every case in `tests/vectors/site/`: the same bytes must be read, or refused, the same way for ever."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from appliance.site.entries import from_entry, to_entries
from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError, Malformed
from license.evidence.log.entry import Entry, parse, render
from license.slices.protocol import open_slice, open_standing
from tests.support.paths import VECTORS

CASES = sorted((VECTORS / "site").glob("*.json"))


def run(case: dict[str, Any]) -> Any:
    note = case["note"].encode()
    if case["kind"] == "standing":
        return open_standing(note)
    return open_slice(note, VerifyingKey.from_vkey(case["desk"]))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_note_is_read_or_refused_with_its_code(path: Path) -> None:
    case = json.loads(path.read_bytes())
    if case["expect"] == "ok":
        assert run(case).term == 1_767_225_600
        return
    with pytest.raises(LicenseError) as caught:
        run(case)
    assert caught.value.code == case["expect"]


def test_the_entries_of_a_desk_have_one_spelling_and_tell_what_happened() -> None:
    lines = (VECTORS / "site" / "entries.jsonl").read_text().splitlines()
    for n, line in enumerate(lines):
        entry = parse(line)
        assert render(entry) == line
        (event,) = from_entry(entry)
        ((kind, values),), _ = to_entries([event])
        assert render(Entry(kind=kind, n=n, at=entry.at, values=values)) == line
    kinds = {parse(line).kind for line in lines}
    assert kinds == {"lease", "seen", "slice", "found", "left", "fork", "lost", "again"}


@pytest.mark.parametrize("line", (VECTORS / "site" / "no-entries.jsonl").read_text().splitlines())
def test_any_other_spelling_is_no_entry(line: str) -> None:
    with pytest.raises(Malformed):
        parse(line)


def test_the_recipe_makes_these_very_files() -> None:
    spec = importlib.util.spec_from_file_location("make_site", VECTORS / "make_site.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    made = recipe.files()
    assert {f"site/{path.name}" for path in (VECTORS / "site").iterdir()} == set(made)
    assert {name: (VECTORS / name).read_bytes() for name in made} == made
