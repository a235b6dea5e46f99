"""Files, folders and archives: every document has a name of its own, and many files are told in few lines."""

import os
from pathlib import Path

import pytest

from appliance.datasets.formats.format import ReadOptions
from appliance.datasets.formats.label_files import Reading, read_file, read_labels
from appliance.datasets.formats.spans.jsonl import write
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from appliance.datasets.offset_units import UTF16
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


WORDS = "Anna B-PER\nsings O\n"
OFFSETS = '{"text": "Anna", "entities": [[0, 4, "P"]]}'
NUMBERS = '{"tokens": ["Anna"], "ner_tags": [1]}'
UNIT, NAMES = ReadOptions(unit=UTF16), ReadOptions(names=("O", "B-PER"))


@pytest.mark.parametrize(
    ("options", "data", "said"),
    [
        (UNIT, WORDS, "--offset-unit has no effect"),
        (NAMES, WORDS, "--labels has no effect"),
        (NAMES, OFFSETS, "--labels has no effect"),
        (UNIT, NUMBERS.replace("1", '"B-PER"'), "--offset-unit has no effect"),
    ],
)
def test_an_option_that_has_no_effect_is_refused(
    options: ReadOptions, data: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "labels").write_text(data)
    with pytest.raises(DatasetError, match=said):
        read_labels([(tmp_path / "labels", "")], Reading(options=options))


@pytest.mark.parametrize(("options", "data"), [(UNIT, OFFSETS), (NAMES, NUMBERS)])
def test_an_option_may_be_for_one_of_several_files(options: ReadOptions, data: str, tmp_path: Path) -> None:
    (tmp_path / "one").write_text(WORDS)
    (tmp_path / "two").write_text(data)
    assert len(read_labels([(tmp_path, "")], Reading(options=options))[0]) == 2


def test_texts_that_do_not_lie_in_the_folder_of_labels_are_found_in_that_of_documents(tmp_path: Path) -> None:
    folder = brat(tmp_path / "in", 1)
    (tmp_path / "texts").mkdir()
    (folder / "0" / "0.txt").rename(tmp_path / "texts" / "0.txt")
    (document,) = read_labels([(folder, "")], Reading(documents=tmp_path / "texts"))[0]
    assert document.text == TEXT
    with pytest.raises(LabellingMistakes):
        read_labels([(folder, "")], Reading())


def test_jsonl_keeps_the_language_of_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(OFFSETS.replace("{", '{"language": "de", '))
    (document,) = read_file(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_bytes(write([document], "b")["b.jsonl"])
    assert read_file(tmp_path / "b.jsonl")[0].language == "de"


@pytest.mark.parametrize(
    ("name", "line", "head"), [("a.conll", "{} {}\n", ""), ("a.csv", "{},{}\n", "Word,Tag\n")]
)
def test_words_with_numbered_tags_are_read_with_names_and_refused_without(
    tmp_path: Path, name: str, line: str, head: str
) -> None:
    words = [("Anna", 1), ("Lee", 2), ("met", 0), ("Bert", 1), ("in", 0), ("Rome", 3), (".", 0)]
    (tmp_path / name).write_text(head + "".join(line.format(word, tag) for word, tag in words))
    with pytest.raises(DatasetError, match="its tags are numbers") as refused:
        read_labels([(tmp_path / name, "")], Reading())
    assert "--labels" in refused.value.hint
    reading = Reading(options=ReadOptions(names=("O", "B-PER", "I-PER", "B-LOC")))
    ((document,), _) = read_labels([(tmp_path / name, "")], reading)
    assert [(document.text[one.start : one.end], one.category) for one in document.labels] == [
        ("Anna Lee", "PER"),
        ("Bert", "PER"),
        ("Rome", "LOC"),
    ]
