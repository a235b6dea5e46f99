"""`appliance models thresholds` as a person types it, and what it leaves out of answers."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.datasets.components.components import Components, EntityComponents
from appliance.ner.manifest import describe, write_components, write_manifest
from appliance.ner.model_folder import ModelFolder
from appliance.training.evaluation.examine import answers

TEXT = "John Smith works at Acme Corp in Paris"


@pytest.fixture
def library(trained: Path, tmp_path: Path) -> Path:
    models = tmp_path / "models"
    added = run("models", "add", trained, "--project", "acme", "--name", "v1", f"Models:Path={models}")
    assert added.exit_code == 0, added.output
    return models


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def change(library: Path, *words: object) -> Result:
    return run("models", "thresholds", "acme/v1", *words, f"Models:Path={library}")


def found(library: Path) -> set[str]:
    labels = answers(ModelFolder.open(library / "acme" / "v1"), [TEXT]).found[0]
    return {label.category for label in labels}


def test_a_category_that_reaches_its_threshold_no_more_is_left_out_and_the_others_stay(library: Path) -> None:
    before = found(library)
    assert {"Person", "Location"} <= before
    done = change(library, "--set", "Person=1")
    assert done.exit_code == 0, done.output
    assert done.stdout == "acme/v1  Person 1\n"
    assert "until its next start" in done.stderr
    assert found(library) == before - {"Person"}
    shown = run("models", "show", "acme/v1", f"Models:Path={library}").output
    assert "thresholds  Person 1" in shown
    assert "components.json" in shown


def test_a_category_may_be_let_through_where_all_others_are_left_out(library: Path) -> None:
    assert change(library, "--all", "1", "--set", "Person=0").exit_code == 0
    assert found(library) == {"Person"}
    reported = json.loads(change(library, "--json").stdout)
    assert reported["confidenceThreshold"] == 1
    assert reported["confidenceThresholds"] == {"Person": 0}
    assert change(library).stdout == "acme/v1  Person 0, all others 1\n"


def test_without_thresholds_the_folder_is_what_it_was(library: Path) -> None:
    folder = library / "acme" / "v1"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert change(library, "--set", "Person=0.5").exit_code == 0
    assert change(library, "--clear").exit_code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert "no thresholds" in change(library).stdout
    assert [path.name for path in library.iterdir()] == ["acme"]


def test_lists_of_a_model_stay_with_it_and_keep_their_confidence(library: Path) -> None:
    folder = library / "acme" / "v1"
    listed = Components(entities=(EntityComponents(category="Verb", synonyms=("works",)),))
    write_manifest(folder, write_components(folder, listed, describe(ModelFolder.open(folder))))
    assert change(library, "--all", "1").exit_code == 0
    assert found(library) == {"Verb"}
    wrong = change(library, "--set", "Verb=0.5")
    assert wrong.exit_code == 78
    assert "the network of this model finds no category 'Verb'" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "Persn=0.5"], "did you mean Person?"),
        (["--set", "Person=1.5"], "the threshold of Person is 1.5"),
        (["--set", "Person=nan"], "the threshold of Person is nan"),
        (["--all", "-0.1"], "the threshold of --all is -0.1"),
        (["--set", "Person"], "write CATEGORY=SHARE"),
        (["--set", "Person=high"], "write CATEGORY=SHARE"),
    ],
)
def test_what_is_no_threshold_is_refused_and_changes_nothing(
    library: Path, words: list[str], said: str
) -> None:
    done = change(library, *words)
    assert done.exit_code != 0
    assert said in done.stderr
    assert not (library / "acme" / "v1" / "components.json").exists()


def test_thresholds_are_for_models_of_the_library(library: Path, trained: Path) -> None:
    done = run("models", "thresholds", trained, "--all", "0.5", f"Models:Path={library}")
    assert done.exit_code == 78


def test_a_quantized_copy_keeps_them(library: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "test.jsonl"
    labelled.write_text(json.dumps({"text": TEXT, "entities": [[0, 10, "Person"]]}))
    assert change(library, "--set", "Person=0.25").exit_code == 0
    out = tmp_path / "small"
    done = run("models", "quantize", library / "acme" / "v1", "--out", out, "--labelled", labelled)
    assert done.exit_code == 0, done.output
    assert ModelFolder.open(out).components.thresholds == (("Person", 0.25),)


def test_two_thresholds_of_one_category_in_a_command_are_refused(library: Path) -> None:
    done = change(library, "--set", "Person=0.5", "--set", "Person=0.7")
    assert done.exit_code == 2
    assert "Person has two thresholds, 0.5 and 0.7" in done.output
    assert "no thresholds" in change(library).stdout
