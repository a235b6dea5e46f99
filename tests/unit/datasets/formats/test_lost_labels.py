"""What could be lost without a word is read, or named as what is not read."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.label_files import Reading, read_file, read_labels, with_own_names
from appliance.datasets.formats.registry import require
from appliance.datasets.label_errors import DatasetError, LabellingMistakes

ANNA = {"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]}
BOB = {"text": "Bob sings.", "entities": [{"start": 0, "end": 3, "label": "PER"}]}


def written(path: Path, data: str) -> Path:
    path.write_text(data, encoding="utf-8", newline="")
    return path


def found(documents: list[LabelledDocument]) -> list[tuple[str, str]]:
    return [(one.category, text.text[slice(*one[:2])]) for text in documents for one in text.labels]


def mistakes_of(path: Path) -> str:
    with pytest.raises(LabellingMistakes) as caught:
        read_file(path)
    return " ".join(map(str, caught.value.mistakes))


@pytest.mark.parametrize(
    "task",
    [
        {"id": 1, "text": "Anna sings.", "annotation_id": 1, "label": [ANNA, {"start": 5, "end": 10}]},
        {
            "data": {"text": "Anna sings."},
            "annotations": [
                {"result": [{"type": "labels", "value": one} for one in (ANNA, {"start": 5, "end": 10})]}
            ],
        },
    ],
)
def test_a_marked_place_without_a_label_takes_no_other_label_along(
    task: dict[str, Any], tmp_path: Path
) -> None:
    path = written(tmp_path / "export.json", json.dumps([task]))
    documents, report = read_labels([(path, "")], Reading())
    assert found(documents) == [("PER", "Anna")]
    assert "1 marked places have no label and are left out" in " ".join(report.lines())


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Anna", "label": [], "entities": [{"label": "PER", "start_offset": 0, "end_offset": 4}]},
        {"text": "Anna", "entities": [], "labels": [[0, 4, "PER"]]},
        {"text": "Anna", "entities": [[0, 4, "PER"]], "labels": [[0, 4, "PER"]]},
    ],
)
def test_an_empty_list_of_labels_hides_no_other(row: dict[str, Any], tmp_path: Path) -> None:
    assert found(read_file(written(tmp_path / "labels.jsonl", json.dumps(row)))) == [("PER", "Anna")]


@pytest.mark.parametrize("key", ["spans", "annotations", "label"])
def test_labels_below_another_key_than_the_one_that_is_read_are_named(key: str, tmp_path: Path) -> None:
    rows = [BOB, BOB, BOB, {"text": "Anna", key: [{"start": 0, "end": 4, "label": "PER"}]}]
    said = mistakes_of(written(tmp_path / "labels.jsonl", "\n".join(map(json.dumps, rows))))
    assert f"labels.jsonl:4: it has labels below {key!r} too" in said


def test_groups_of_spans_beside_entities_of_spacy_are_named(tmp_path: Path) -> None:
    spans = {"sc": [{"start": 4, "end": 9, "label": "V"}]}
    row = {"text": "Bob sings.", "ents": BOB["entities"], "spans": spans}
    assert "its spans are no entities" in mistakes_of(written(tmp_path / "a.jsonl", json.dumps(row)))


def test_a_quotation_mark_that_is_a_word_between_tabs_takes_no_lines_along(tmp_path: Path) -> None:
    table = 'Word\tTag\nHe\tO\n"\tO\nAnna\tB-PER\n"\tO\nBob\tB-PER\n'
    (document,) = read_file(written(tmp_path / "words.tsv", table))
    assert document.text == 'He " Anna " Bob'
    assert found([document]) == [("PER", "Anna"), ("PER", "Bob")]
    quoted = 'Word\tTag\n""""\tO\n"An na"\tB-PER\n'
    assert [one.text for one in read_file(written(tmp_path / "quoted.tsv", quoted))] == ['" An na']


@pytest.mark.parametrize("end", ['",O\nBob,B-PER\n', ""])
def test_a_quotation_mark_that_nothing_quotes_between_commas_is_named(end: str, tmp_path: Path) -> None:
    said = mistakes_of(written(tmp_path / "words.csv", f'Word,Tag\nHe,O\n",O\nAnna,B-PER\n{end}'))
    assert "a quotation mark" in said
    assert 'write the word " as """"' in said


def test_marks_of_documents_are_understood_behind_the_tag_too(tmp_path: Path) -> None:
    text = "O -DOCSTART-\n\nB-PER Anna\nO sings\n\nO -DOCSTART-\n\nB-PER Bob\nO sings\n"
    assert [one.text for one in read_file(written(tmp_path / "a.conll", text))] == ["Anna sings", "Bob sings"]


def test_lines_that_end_as_on_old_macs_are_lines(tmp_path: Path) -> None:
    words = read_file(written(tmp_path / "a.conll", "Anna B-PER\rsings O\r\rBob B-PER\r"))
    assert found(words) == [("PER", "Anna"), ("PER", "Bob")]
    rows = written(tmp_path / "a.jsonl", "\r".join(map(json.dumps, [BOB, BOB])))
    assert found(read_file(rows)) == [("PER", "Bob")] * 2


@pytest.mark.parametrize("stem", ["notice-1", "License agreement", "README labels", "citation_2"])
def test_label_files_whose_names_begin_as_remarks_do_are_read(stem: str, tmp_path: Path) -> None:
    (tmp_path / "notices").mkdir()
    for place in (tmp_path, tmp_path / "notices"):
        written(place / f"{stem}.ann", "T1\tPER 0 4\tAnna\n")
        written(place / f"{stem}.txt", "Anna sings.")
        written(place / "LICENSE.txt", "Take it.")
        written(place / "README.md", "What this is.")
    assert found(read_file(tmp_path)) == [("PER", "Anna")] * 2


def test_no_two_documents_get_one_name() -> None:
    names = ("a", "a [2]", "a", "a")
    documents = [LabelledDocument(name=name, text="", labels=()) for name in names]
    assert len({one.name for one in with_own_names(documents)}) == len(names)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is empty"):
        read_file(written(tmp_path / "labels.jsonl", "\n"))


def test_telling_a_file_of_many_comments_takes_no_time_to_speak_of() -> None:
    def seconds(comments: int) -> float:
        began = time.process_time()
        with pytest.raises(DatasetError):
            require(SourceFile("a.xml", b"<!---->" * comments + b"X"))
        return time.process_time() - began

    seconds(1)
    # Twice the comments took 2 ** 10 times as long.
    assert seconds(20) < 50 * max(seconds(10), 0.001)


def test_labels_of_two_jobs_that_differ_are_named(tmp_path: Path) -> None:
    def job(*places: tuple[int, int]) -> dict[str, Any]:
        entities = [{"label": "PER", "startOffset": start, "endOffset": end} for start, end in places]
        return {"annotations": {"entities": entities}}

    both = {"source": "Anna Bob", "first": job((0, 4)), "second": job((5, 8))}
    said = mistakes_of(written(tmp_path / "two.manifest", json.dumps(both)))
    assert "other labels of each of the jobs first, second" in said
    alike = {"source": "Anna Bob", "first": job((0, 4)), "second": job((0, 4))}
    assert found(read_file(written(tmp_path / "one.manifest", json.dumps(alike)))) == [("PER", "Anna")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"text": "Anna", "entities": [[0, 4, "P"]], "score": NaN}', "NaN is not JSON"),
        (b'{"text": "Anna", "entities": [[0, 4, "P"]], "entities": []}', "a key appears twice"),
        (b'{"text": "Anna", "x": ' + b"[" * 100_000, "nested too deep"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><XMI a='ä'/>".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_file_that_no_format_fits_is_told_what_is_wrong_with_it(data: bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        require(SourceFile("labels", data))


def test_of_two_columns_of_tags_that_of_names_is_read_and_said(tmp_path: Path) -> None:
    path = written(tmp_path / "words.csv", "Word,Tag,NER\nAnna,NNP,B-PER\nsings,VBZ,O\nBob,NNP,B-PER\n")
    documents, report = read_labels([(path, "")], Reading())
    assert found(documents) == [("PER", "Anna"), ("PER", "Bob")]
    assert "tags are read from column 3; those in column 2 are not read" in " ".join(report.lines())
