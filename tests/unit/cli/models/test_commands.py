"""`appliance models …` as a person types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.datasets.formats.label_files import read_file
from appliance.ner.model_folder import ModelFolder
from appliance.registry.quantize import quantize
from appliance.training.evaluation.examine import answers
from tests.support.disks import full_disk

Export = Callable[..., Path]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    rows = [
        {
            "text": "John Smith works at Acme Corp in Paris",
            "entities": [[0, 10, "Person"], [33, 38, "Location"]],
        },
        {"text": "mary was born in Berlin", "entities": [[0, 4, "Person"], [17, 23, "Location"]]},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_model_is_added_listed_shown_tried_and_removed(
    export: Export, tmp_path: Path, labelled: Path
) -> None:
    models = f"Models:Path={tmp_path / 'models'}"
    added = run("models", "add", export("optimum"), "--project", "acme", "--name", "v1", models)
    assert added.exit_code == 0, added.output
    assert "added acme/v1" in added.output
    assert "sha256" in added.output
    assert "acme/v1  float " in run("models", "list", models).output
    folder = tmp_path / "models" / "acme" / "v1"
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["files"].keys() == {"model.onnx", "tokenizer.json", "config.json"}
    again = run("models", "add", export("twice"), "--project", "acme", "--name", "v1", models)
    assert again.exit_code == 78
    assert "--replace" in again.output
    absent = run("models", "add", tmp_path / "absent", "--project", "acme", "--name", "v1", models)
    assert "is there already" in absent.stderr, "the place is looked at before the source"
    replaced = run(
        "models",
        "add",
        tmp_path / "twice",
        "--project",
        "acme",
        "--name",
        "v1",
        "--replace",
        "--json",
        models,
    )
    assert replaced.exit_code == 0, replaced.output
    facts = json.loads(replaced.stdout)
    assert (facts["model"], facts["path"]) == ("acme/v1", str(folder))
    assert facts["digests"].keys() == manifest["files"].keys()
    assert facts["selfTest"]["sentence"].startswith("Ada Lovelace")
    listed = json.loads(run("models", "list", models, "--json").output)
    assert [(one["project"], one["name"]) for one in listed["models"]] == [("acme", "v1")]
    assert "Person" in run("models", "show", "acme/v1", models).output
    tried = run("models", "test", "acme/v1", models)
    assert "self-test   Ada Lovelace" in tried.output
    scored = run("models", "test", "acme/v1", "--labelled", labelled, models)
    assert "Person" in scored.output, scored.output
    (folder / "config.json").write_text("{}")
    assert "cannot be served" in run("models", "list", models).output
    assert run("models", "remove", "acme/v1", "--yes", models).exit_code == 0
    assert list((tmp_path / "models").iterdir()) == []
    assert run("models", "show", "acme/v1", models).exit_code == 78


def test_list_and_show_say_which_languages_a_model_was_made_for(export: Export, tmp_path: Path) -> None:
    models = f"Models:Path={tmp_path / 'models'}"
    assert run("models", "add", export("x"), "--project", "acme", "--name", "v1", models).exit_code == 0
    assert "; language not stated; " in run("models", "list", models).output
    path = tmp_path / "models" / "acme" / "v1" / "model.json"
    manifest = json.loads(path.read_text())
    for says, listed, short in (
        ({"language": "en"}, ["en"], "; en; "),
        ({"language": "en", "languages": ["de", "zh-Hans"]}, ["en", "de", "zh-Hans"], "; en, de, zh-Hans; "),
        ({"language": "multilingual"}, ["multilingual"], "; multilingual; "),
        ({"languages": ["en", "de", "fr", "hi"]}, ["en", "de", "fr", "hi"], "; 4 languages; "),
    ):
        path.write_text(json.dumps({**manifest, **says}))
        assert short in run("models", "list", models).output
        assert json.loads(run("models", "list", models, "--json").output)["models"][0]["languages"] == listed
        assert f"languages   {', '.join(listed)}" in run("models", "show", "acme/v1", models).output
        shown = json.loads(run("models", "show", "acme/v1", models, "--json").output)
        assert shown["languages"] == listed


def test_without_a_library_the_general_model_is_listed() -> None:
    said = run("models", "list").output
    assert "Models:Path is not set" in said
    assert "; multilingual; Location, Organization, Person" in said
    assert "Models:Path is missing" in run("models", "list", "Service=speechtotext").stderr
    (english,) = json.loads(run("models", "list", "Models:General=en", "--json").output)["models"]
    assert (english["model"], english["languages"]) == ("ner-en", ["en"])


def test_a_library_that_is_missing_or_no_folder_is_an_error_and_no_empty_list(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing", tmp_path / "file"):
        done = run("models", "list", f"Models:Path={path}")
        assert done.exit_code == 78
        assert str(path) in done.stderr


def test_without_a_library_the_command_says_which_setting_is_missing(export: Export) -> None:
    done = run("models", "add", export())
    assert done.exit_code == 78
    assert "Models:Path" in done.output


def test_quantize_measures_both_and_its_answers_do_not_depend_on_company(
    trained: Path, tmp_path: Path, labelled: Path
) -> None:
    done = run("models", "quantize", trained, "--out", tmp_path / "small", "--labelled", labelled)
    assert done.exit_code == 0, done.output
    assert "as it is F1" in done.output
    small = ModelFolder.open(tmp_path / "small")
    assert small.batch_invariant
    assert (tmp_path / "small" / "model.onnx").stat().st_size < (trained / "model.onnx").stat().st_size
    texts = [f"John Smith of Acme Corp lives in Paris {'the a of ' * number}" for number in range(40)]
    together = answers(small, texts).found
    assert [answers(small, [text]).found[0] for text in texts[::10]] == list(together[::10])
    again = run("models", "quantize", tmp_path / "small", "--out", tmp_path / "x", "--labelled", labelled)
    assert again.exit_code == 78
    assert "the weights of model.onnx have 8 bits or fewer already" in again.output


def test_a_disk_without_room_for_8_bits_is_told_before_anything_is_measured(
    trained: Path, tmp_path: Path, labelled: Path
) -> None:
    with full_disk(tmp_path / "disk") as full:
        done = run("models", "quantize", trained, "--out", full / "small", "--labelled", labelled)
        assert list(full.iterdir()) == []
    assert done.exit_code == 74, done.output
    assert f"the 8-bit model {full / 'small'} needs 1 MB in {full}, and 0 MB are free there" in done.stderr
    assert "measuring" not in done.stderr


def test_float32_is_kept_where_8_bits_cost_more_than_is_tolerated(
    trained: Path, tmp_path: Path, labelled: Path
) -> None:
    done = quantize(ModelFolder.open(trained), tmp_path / "small", read_file(labelled), tolerated=-1.0)
    assert not done.kept
    assert not (tmp_path / "small").exists()
    assert not list(tmp_path.glob(".small*"))


def test_labelled_text_that_the_model_cannot_read_does_not_measure_what_8_bits_cost(
    trained: Path, tmp_path: Path
) -> None:
    other = tmp_path / "ships.jsonl"
    other.write_text(json.dumps({"text": "the vessel Aurora", "entities": [[11, 17, "Ship"]]}))
    done = run("models", "quantize", trained, "--out", tmp_path / "small", "--labelled", other)
    assert done.exit_code == 78, done.output
    assert "none of the 1 labelled entities" in done.output
    assert "Person" in done.output  # what the model could find
    assert not (tmp_path / "small").exists()
