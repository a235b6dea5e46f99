"""Texts without labels beside files of labels."""

import json
from pathlib import Path

import pytest

from appliance.datasets.formats.bare_texts import texts_of
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.label_files import Reading, read_labels
from appliance.datasets.label_errors import DatasetError


def test_a_file_is_one_text_and_json_with_texts_is_several() -> None:
    assert [one.text for one in texts_of(SourceFile("a.txt", "Grüße 🙂".encode()))] == ["Grüße 🙂"]
    lines = b'{"text": "one"}\n{"text": "two"}\n'
    assert [(one.name, one.text) for one in texts_of(SourceFile("a.jsonl", lines))] == [
        ("a.jsonl:1", "one"),
        ("a.jsonl:2", "two"),
    ]
    with pytest.raises(DatasetError, match="not every value of it has a `text`"):
        list(texts_of(SourceFile("a.json", b'[{"name": "Anna"}]')))


def test_a_folder_of_labels_and_bare_texts_gives_both_where_that_is_wanted(tmp_path: Path) -> None:
    labelled = {"text": "Anna met Bert.", "entities": [{"start": 0, "end": 4, "label": "P"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(labelled))
    (tmp_path / "b.txt").write_text("Nobody was met.")
    found, _ = read_labels([(tmp_path, "")], Reading(bare_texts=True))
    assert [(one.text, len(one.labels)) for one in found] == [("Anna met Bert.", 1), ("Nobody was met.", 0)]
    found, report = read_labels([(tmp_path, "")], Reading())
    assert len(found) == 1
    assert "1 texts have no labels and are left out" in report.notes[0]


def test_files_without_a_single_label_are_taken_only_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Nobody was met.")
    assert len(read_labels([(tmp_path, "")], Reading(bare_texts=True))[0]) == 1
    with pytest.raises(DatasetError):
        read_labels([(tmp_path, "")], Reading())
