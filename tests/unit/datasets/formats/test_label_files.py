"""Files, folders and archives: every document has a name of its own, and many files are told in few lines."""

import os
from pathlib import Path

import pytest

from appliance.datasets.formats.label_files import Reading, read_file, read_labels
from appliance.datasets.label_errors import DatasetError
from tests.unit.datasets.formats.samples import ANN, TEXT


def brat(folder: Path, count: int) -> Path:
    for number in range(count):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 3}" / f"{number // 3}.txt").write_text(TEXT)
        (folder / f"{number % 3}" / f"{number // 3}.ann").write_bytes(ANN + b"#1\tAnnotatorNotes T1\tsure\n")
    return folder


def test_documents_of_the_same_name_get_names_of_their_own(tmp_path: Path) -> None:
    line = b'{"text": "Anna", "entities": [[0, 4, "P"]]}\n'
    (tmp_path / "a.jsonl").write_bytes(line)
    documents, _ = read_labels([(tmp_path / "a.jsonl", "Train"), (tmp_path / "a.jsonl", "Test")], Reading())
    assert len({one.name for one in documents}) == 2
    assert [one.dataset for one in documents] == ["Train", "Test"]
    assert len({one.name for one in read_file(brat(tmp_path / "in", 9))}) == 9


def test_many_files_are_told_in_few_lines_with_all_counts(tmp_path: Path) -> None:
    _, report = read_labels([(brat(tmp_path / "in", 66), "")], Reading())
    lines = report.lines()
    assert len(lines) == 2 * 20 + 2
    assert lines[-2] == "and 46 files more (brat): 46 documents, 92 labels read, 92 kept"
    assert "1 attributes, links and remarks are left out" in lines[-1]


def test_texts_without_labels_beside_them_are_counted(tmp_path: Path) -> None:
    folder = brat(tmp_path / "in", 1)
    (folder / "0" / "more.txt").write_text("nobody looked at this")
    _, report = read_labels([(folder, "")], Reading())
    assert "1 texts have no labels and are left out, such as in/0/more.txt" in report.lines()[-1]


@pytest.mark.parametrize("name", ["missing", "fifo"])
def test_what_is_not_a_file_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DatasetError):
        read_file(tmp_path / name)


def test_another_encoding_says_how_to_change_it(tmp_path: Path) -> None:
    (tmp_path / "ner.csv").write_bytes("Sentence #,Word,Tag\n1,Müller,B-PER\n".encode("cp1252"))
    with pytest.raises(DatasetError) as refused:
        read_file(tmp_path / "ner.csv")
    assert "ner.csv is not UTF-8 (byte 23)" in refused.value.message
    assert "iconv -f WINDOWS-1252" in (refused.value.hint or "")
