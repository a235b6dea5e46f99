"""Texts to be labelled: files of text, JSON with a text each, folders of both."""

import json
from pathlib import Path

import pytest

from appliance.datasets.formats.plain_texts import read_texts
from appliance.datasets.label_errors import DatasetError


def test_a_folder_holds_texts_and_json_with_texts_each_under_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Anna\r\nmet Bert. 🙂".encode())
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in ("one", "two")))
    (tmp_path / "c.txt").write_text("three", encoding="utf-16")
    found = read_texts([tmp_path, tmp_path / "a.txt"])
    assert [(one.name, one.text) for one in found] == [
        ("a.txt", "Anna\r\nmet Bert. 🙂"),
        ("b.jsonl:1", "one"),
        ("b.jsonl:2", "two"),
        ("c.txt", "three"),
        ("a.txt [2]", "Anna\r\nmet Bert. 🙂"),
    ]


def test_json_without_texts_is_a_text_itself(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "Anna"}')
    assert read_texts([tmp_path / "a.json"])[0].text == '{"name": "Anna"}'


@pytest.mark.parametrize("written", ['[{"data": {"text": "Anna"}}]', '{"tokens": ["a"]}\n{"tokens": ["b"]}'])
def test_label_files_are_not_taken_for_one_long_text(tmp_path: Path, written: str) -> None:
    (tmp_path / "labels.json").write_text(written)
    with pytest.raises(DatasetError, match=r"labels\.json is JSON, and not every value of it has a `text`"):
        read_texts([tmp_path / "labels.json"])


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="there is no text"):
        read_texts([tmp_path / "empty"])
    (tmp_path / "x.bin").write_bytes(b"\xff\xfe\xfd\x00\x81" * 9)
    with pytest.raises(DatasetError):
        read_texts([tmp_path / "x.bin"])
