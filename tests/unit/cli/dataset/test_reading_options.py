"""Every command that reads label files takes the same options, and names the one that a file needs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.datasets.document import Label

Export = Callable[..., Path]
ASKING = ["dataset check", "dataset convert", "train", "models test", "models compare", "models quantize"]
EMOJI = "🙂" * 8
START = len("🙂" * 16) + 1
SHIFTED = [[START, START + 10, "Person"]]
"""Offsets in UTF-16 units, in which each of the eight emoji counts two."""
NEEDY = {
    "--offset-unit utf16": "".join(
        json.dumps({"text": f"{EMOJI} John Smith here {number}", "entities": SHIFTED}) + "\n"
        for number in range(9)
    ),
    "--drop-overlaps": json.dumps(
        {"text": "John Smith", "entities": [[0, 10, "Person"], [5, 10, "Location"]]}
    ),
    "--drop-relations": json.dumps(
        {"text": "John Smith", "entities": [[0, 10, "Person"]], "relations": [{"type": "kin"}]}
    ),
    "--labels O,B-Person,I-Person": json.dumps({"tokens": ["John", "Smith"], "ner_tags": [1, 2]}),
}


def type_(command: str, path: Path, model: Path, *words: str) -> Result:
    out = path.with_name("out")
    before = {
        "models test": [str(model), "--labelled"],
        "models compare": [str(model), str(model), "--labelled"],
        "models quantize": [str(model), "--out", str(out), "--labelled"],
        "train": ["--out", str(out)],
        "dataset convert": ["--out", str(out)],
    }
    return CliRunner().invoke(main, [*command.split(), *before.get(command, []), str(path), *words])


@pytest.mark.parametrize("option", NEEDY)
@pytest.mark.parametrize("command", ASKING)
def test_a_file_that_needs_an_option_names_it_and_the_command_takes_it(
    command: str, option: str, tmp_path: Path, export: Export
) -> None:
    path, model = tmp_path / "needy.jsonl", export()
    path.write_text(NEEDY[option])
    name = option.partition(" ")[0]
    refused = type_(command, path, model)
    assert refused.exit_code not in {0, 2}
    assert f"add {name}" in refused.stderr
    assert "appliance dataset convert" not in refused.stderr
    taken = type_(command, path, model, *option.split())
    assert taken.exit_code != 2
    assert name not in taken.stderr
    if command != "dataset check":
        assert "1 kept" in taken.stderr or "9 kept" in taken.stderr, taken.output


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("John Smith", encoding="utf-8")
    labels = [
        {"category": name, "offset": start, "length": 10 - start} for name, start in (("P", 0), ("L", 5))
    ]
    document = {"location": "a.txt", "entities": [{"regionOffset": 0, "regionLength": 10, "labels": labels}]}
    listed = {"sublists": [{"synonyms": [{"values": ["Acme"]}]}]}
    entities = [{"category": "P"}, {"category": "L"}, {"category": "Firm", "list": listed}]
    metadata = {"projectName": "loans", "language": "de", "projectKind": "CustomEntityRecognition"}
    whole = {"metadata": metadata, "assets": {"entities": entities, "documents": [document]}}
    path = tmp_path / "project.json"
    path.write_text(json.dumps(whole))
    return path


def test_a_project_whose_labels_may_be_left_out_keeps_what_it_declares(project: Path) -> None:
    from appliance.cli.dataset.label_reading import read_labelled
    from appliance.datasets.formats.label_files import Reading

    found = read_labelled(project, Reading(drop=frozenset({"overlaps"})))
    assert found.documents[0].labels == (Label(0, 10, "P"),)
    assert (found.name, found.language, found.categories) == ("loans", "de", ("P", "L", "Firm"))
    assert found.components.categories == {"Firm"}


@pytest.mark.parametrize("command", ["train", "dataset check"])
@pytest.mark.parametrize("words", [("--offset-unit", "bytes"), ("--labels", "O,B-P"), ("--sentences", "3")])
def test_what_a_project_says_itself_is_not_overruled_in_silence(
    command: str, words: tuple[str, str], project: Path
) -> None:
    done = type_(command, project, project, *words)
    assert done.exit_code == 1
    assert f"{words[0]} has no effect: project.json is a project file" in done.stderr


def test_options_of_label_files_need_a_label_file(export: Export) -> None:
    done = CliRunner().invoke(main, ["models", "test", str(export()), "--drop-overlaps"])
    assert done.exit_code == 78
    assert "without --labelled" in done.stderr
