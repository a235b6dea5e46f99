"""`appliance models card` as a person types it: the card, and what the page and the command compared."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.models.folder_facts import folder_facts
from appliance.ner.model_folder import ModelFolder
from tests.support.paths import ENGLISH

ROW = {"text": "Ada Lovelace met Bo.", "entities": [[0, 12, "Person"]]}


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def library(trained: Path, tmp_path: Path) -> Path:
    models = tmp_path / "models"
    added = run("models", "add", trained, "--project", "acme", "--name", "v1", f"Models:Path={models}")
    assert added.exit_code == 0, added.output
    return models


def card(library: Path, *words: object) -> Result:
    return run("models", "card", "acme/v1", *words, f"Models:Path={library}")


def figures(first: float, second: float, **more: Any) -> dict[str, Any]:
    return {"f1A": first, "f1B": second, "difference": second - first, "low": -0.1, "high": 0.3, **more}


def saved(tmp_path: Path, **changes: Any) -> Path:
    categories = {"Per|son\n": figures(0.8, 0.9, support=3)}
    body = {"a": "acme/v1", "b": "other", "documents": 2, "all": figures(0.7, 0.9, support=4)}
    body |= {"categories": categories, "shown": [{"sentence": "Ada Lovelace met [Bo]."}], **changes}
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(body))
    return path


def test_figures_of_the_command_are_kept_in_the_card_and_no_sentence(library: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "test.jsonl"
    labelled.write_text(json.dumps(ROW))
    place = f"Models:Path={library}"
    done = run("models", "compare", "acme/v1", ENGLISH, "--labelled", labelled, "--json", place)
    assert done.exit_code == 0, done.output
    comparison = tmp_path / "comparison.json"
    comparison.write_text(done.stdout)
    before = folder_facts(library / "acme" / "v1")
    assert card(library).stdout == "There is no card beside this model.\n"
    added = card(library, "--add", comparison)
    assert added.exit_code == 0, added.output
    assert f"On 1 labelled text, beside {ENGLISH}" in added.stdout.replace("\\|", "|")
    assert "| Person |" in added.stdout
    assert "Lovelace" not in added.stdout
    assert card(library).stdout == added.stdout
    ModelFolder.open(library / "acme" / "v1")
    after = folder_facts(library / "acme" / "v1")
    assert (after.card, after.measure) == (True, before.measure), "a comparison is no score of its own test"


def test_the_difference_is_this_model_less_the_other_whichever_comes_first(
    library: Path, tmp_path: Path
) -> None:
    first = card(library, "--add", saved(tmp_path)).stdout
    assert "| all | 70.0 | 90.0 | -20.0 | -30.0 … +10.0 | 4 |" in first
    assert "| Per\\|son | 80.0 | 90.0 | -10.0 | -30.0 … +10.0 | 3 |" in first
    second = card(library, "--add", saved(tmp_path, a="other", b="acme/v1"), "--json")
    text = json.loads(second.stdout)["card"]
    assert "| all | 90.0 | 70.0 | +20.0 | -10.0 … +30.0 | 4 |" in text
    assert text.count("## Compared on 2") == 2, "what was there before stays"
    alone = card(library, "--add", saved(tmp_path, b="acme/v1")).stdout
    assert "| all | 70.0 | 4 |" in alone


def test_what_is_no_comparison_of_this_model_changes_nothing(library: Path, tmp_path: Path) -> None:
    for changes, words in (
        ({"a": "acme/v2"}, "and not acme/v1"),
        ({"documents": 0}, "is no comparison, at documents"),
        ({"all": figures(7, 0.9, support=1)}, "is no comparison, at all.f1A"),
    ):
        refused = card(library, "--add", saved(tmp_path, **changes))
        assert refused.exit_code != 0
        assert words in refused.stderr
    missing = card(library, "--add", tmp_path / "nothing.json")
    assert "there is no file" in missing.stderr
    (tmp_path / "text.json").write_text("no json")
    assert "at its beginning" in card(library, "--add", tmp_path / "text.json").stderr
    assert not (library / "acme" / "v1" / "MODEL_CARD.md").exists()
