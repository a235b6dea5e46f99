"""`appliance models compare` and `models test --labelled`: figures, and mistakes in their sentences."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.ner.manifest import describe, write_manifest
from appliance.ner.model_folder import ModelFolder
from tests.support.paths import ENGLISH

ROWS = [
    {"text": "Ada Lovelace wrote to Charles Babbage in London.", "entities": [[0, 12, "Person"]]},
    {"text": "Marie Curie, who left, died in Paris.", "entities": [[0, 12, "Person"], [31, 36, "Location"]]},
]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """The bundled model with its places under another name."""
    folder = tmp_path / "renamed"
    shutil.copytree(ENGLISH, folder)
    text = (folder / "config.json").read_text().replace("-Location", "-Place")
    (folder / "config.json").write_text(text)
    described = describe(
        ModelFolder.open(ENGLISH),
        name="renamed",
        line="",
        release="1",
        language="en",
        description="",
        meters=[],
        decoding={"scheme": "BIO", "aggregation": "first"},
        batch_invariant=True,
    )
    write_manifest(folder, described)
    return folder


def test_two_models_are_compared_by_category_with_ends_and_sentences(labelled: Path, renamed: Path) -> None:
    done = run("models", "compare", ENGLISH, renamed, "--labelled", labelled)
    assert done.exit_code == 0, done.output
    assert "95 % between" in done.stdout
    assert "only A (right) Location: Marie Curie, who left, died in [Paris]." in done.stdout
    assert "only B (wrong) Place: Marie Curie, who left, died in [Paris]." in done.stdout
    found = json.loads(run("models", "compare", ENGLISH, renamed, "--labelled", labelled, "--json").stdout)
    assert found["categories"]["Person"]["difference"] == 0
    assert found["categories"]["Location"]["f1A"] > found["categories"]["Location"]["f1B"] == 0
    assert found["all"]["low"] <= found["all"]["difference"] <= found["all"]["high"]


def test_a_model_compared_with_itself_answers_the_same(labelled: Path) -> None:
    done = run("models", "compare", ENGLISH, ENGLISH, "--labelled", labelled)
    assert "both answer the same" in done.stdout


def test_a_scored_model_shows_its_mistakes_and_a_comma_in_a_label_is_none(labelled: Path) -> None:
    done = run("models", "test", ENGLISH, "--labelled", labelled)
    assert done.exit_code == 0, done.output
    assert "invented Location" in done.stdout
    assert "Ada Lovelace wrote to Charles Babbage in [London]." in done.stdout
    assert "Curie" not in done.stdout
    found = json.loads(run("models", "test", ENGLISH, "--labelled", labelled, "--json").stdout)
    assert any("in [London]." in one["sentence"] for one in found["worst"])


def test_a_model_that_is_nowhere_is_named(labelled: Path, tmp_path: Path) -> None:
    done = run("models", "compare", ENGLISH, "absent/v1", "--labelled", labelled, f"Models:Path={tmp_path}")
    assert done.exit_code == 78
    assert "absent/v1" in done.stderr
