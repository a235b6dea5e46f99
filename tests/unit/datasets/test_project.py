"""Project files, their offsets, and everything that may be wrong in them at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli.main import main
from appliance.datasets.document import Label, Labelled, LabelledDocument, code_points, utf16_length
from appliance.datasets.formats.label_files import read_file
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from appliance.datasets.project import project_object, read_project, write_project
from appliance.datasets.split import split, stratified


def project(
    tmp_path: Path, documents: dict[str, tuple[str, list[tuple[str, int, int]]]], **extra: Any
) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir(exist_ok=True)
    for name, (text, _) in documents.items():
        if "/" not in name:
            (folder / name).write_bytes(text.encode())
    path = tmp_path / "project.json"
    entries = [
        {
            "location": name,
            "entities": [{"labels": [{"category": c, "offset": o, "length": n} for c, o, n in labels]}],
            **extra,
        }
        for name, (_, labels) in documents.items()
    ]
    assets = {"entities": [{"category": "Person"}, {"category": "City"}], "documents": entries}
    path.write_text(json.dumps({"metadata": {"projectName": "p"}, "assets": assets}))
    return path


def test_offsets_are_utf16_code_units_and_line_ends_are_the_documents_own(tmp_path: Path) -> None:
    text = "👩🏽‍🔬 said:\r\nAnna lives in Paris."
    start = utf16_length(text[: text.index("Anna")])
    labels = [("Person", start, 4), ("City", start + 14, 5)]
    found = read_project(project(tmp_path, {"a.txt": (text, labels)}), tmp_path / "documents")
    assert [text[one.start : one.end] for one in found.documents[0].labels] == ["Anna", "Paris"]


def test_all_mistakes_are_told_at_once_with_document_line_and_remedy(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        {
            "a.txt": (
                "Anna\nBert 😀\nCleo",
                [("Person", 0, 4), ("Person", 2, 3), ("person", 5, 4), ("City", 11, 1)],
            ),
            "b.txt": ("short", [("City", 0, 99), ("City", -1, 2), ("City", 0, 0)]),
            "c.txt": ("  \n", [("City", 0, 2)]),
            "../d.txt": ("", []),
            "gone/e.txt": ("", []),
        },
    )
    with pytest.raises(LabellingMistakes) as caught:
        read_project(path, tmp_path / "documents")
    told = [str(one) for one in caught.value.mistakes]
    assert len(told) == 9
    for words in (
        "a.txt, line 1: the label Person at character 2 overlaps Person at 0; shorten",
        "a.txt, line 2: the label person at offset 5, length 4, has a category that is not",
        "a.txt, line 2: the label City at offset 11, length 1, cuts a character in two; count",
        "b.txt: the label City at offset 0, length 99, lies outside the text, which has 5 characters;",
        "b.txt: the label City at offset -1, length 2, lies outside",
        "b.txt, line 1: the label City at offset 0, length 0, is empty; give the length",
        "c.txt, line 1: the label City at offset 0, length 2, holds nothing but white space; remove",
        "../d.txt: its location leaves the folder",
        "gone/e.txt: there is no such file",
    ):
        assert any(line.startswith(words) for line in told), (words, told)
    done = CliRunner().invoke(
        main, ["train", str(path), "--documents", str(tmp_path / "documents"), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 1
    assert "9 labelling mistakes in 5 documents" in done.output
    assert not (tmp_path / "out").exists()


def test_a_link_does_not_lead_out_of_the_documents(tmp_path: Path) -> None:
    path = project(tmp_path, {"a.txt": ("Anna", [("Person", 0, 4)])})
    (tmp_path / "documents" / "a.txt").unlink()
    (tmp_path / "documents" / "a.txt").symlink_to("/etc/hostname")
    with pytest.raises(LabellingMistakes, match="1 labelling mistake in 1 document") as caught:
        read_project(path, tmp_path / "documents")
    assert caught.value.hint == "correct them all, then run the command again"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"metadata": {}, "metadata": {}}',
        b'{"metadata": {"projectKind": "CustomClassification"}}',
        b"\xff",
    ],
)
def test_what_is_no_project_file_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(data)
    with pytest.raises(DatasetError):
        read_project(tmp_path / "p.json", tmp_path)


@given(st.text(), st.data())
def test_code_points_and_utf16_units_name_the_same_places(text: str, data: st.DataObject) -> None:
    text = text.encode("utf-8", "ignore").decode()
    place = data.draw(st.integers(0, len(text)))
    places = code_points(text)
    unit = utf16_length(text[:place])
    assert (place if places is None else places[unit]) == place


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    documents = tuple(
        LabelledDocument(
            name=str(number), text=f"😀 Anna {number}\r\n", labels=(Label(2, 6, "Person"),), dataset=dataset
        )
        for number, dataset in enumerate(("Train", "Test", ""))
    )
    labelled = Labelled(name="p", categories=("Person",), documents=documents, language="en")
    path = write_project(labelled, tmp_path / "out")
    again = read_project(path, tmp_path / "out" / "documents")
    assert [(one.text, one.labels, one.dataset) for one in again.documents] == [
        (one.text, one.labels, one.dataset) for one in documents
    ]
    described = project_object(labelled, ["1", "2", "3"], "c")
    assert described["assets"]["documents"][0]["entities"][0]["labels"] == [
        {"category": "Person", "offset": 3, "length": 4}
    ]


CONLL = "-DOCSTART- -X- O\n\nJohn NNP B-PER\nSmith NNP I-PER\nin IN O\nParis NNP B-LOC\n\nHe PRP O\n"


def test_conll_and_jsonl_become_the_same_documents(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(CONLL)
    (document,) = read_file(tmp_path / "a.conll")
    assert document.text == "John Smith in Paris\nHe"
    assert document.labels == (Label(0, 10, "PER"), Label(14, 19, "LOC"))
    line = {
        "text": document.text,
        "entities": [{"start": one.start, "end": one.end, "label": one.category} for one in document.labels],
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(line) + "\n\n")
    (again,) = read_file(tmp_path / "a.jsonl")
    assert (again.text, again.labels) == (document.text, document.labels)


def test_mistakes_of_labelled_files_are_told_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("John B-PER\nSmith\nx Q-PER\n")
    (tmp_path / "b.jsonl").write_text(
        '{"text": "a", "entities": [{"start": 0, "end": 9, "label": "X"}]}\n{nope\n'
    )
    done = CliRunner().invoke(
        main,
        [
            "dataset",
            "convert",
            str(tmp_path / "a.conll"),
            str(tmp_path / "b.jsonl"),
            "--out",
            str(tmp_path / "out"),
        ],
    )
    assert done.exit_code == 1
    for words in (
        "a.conll, line 2",
        "a.conll, line 3",
        "b.jsonl:1",
        "b.jsonl, line 2",
        "4 labelling mistakes",
    ):
        assert words in done.output
    assert not (tmp_path / "out").exists()


def test_a_split_is_the_files_own_or_stratified_and_always_the_same() -> None:
    documents = [
        LabelledDocument(
            name=f"{number}.txt",
            text="x " * 9,
            labels=(Label(0, 1, "Common"), *((Label(2, 3, "Rare"),) if number % 10 == 0 else ())),
        )
        for number in range(50)
    ]
    first = split(documents, test_share=0.2)
    assert {one.name for one in first.test} == {
        one.name for one in split(documents[::-1], test_share=0.2).test
    }
    assert len(first.test) == 10
    assert sum(len(one.labels) == 2 for one in first.test) == 1
    assert not {one.name for one in first.test} & {one.name for one in first.train}
    said = [
        LabelledDocument(name=one.name, text=one.text, labels=one.labels, dataset="Test")
        for one in documents[:3]
    ]
    by_file = split([*said, *documents[3:]])
    assert len(by_file.test) == 3
    with pytest.raises(DatasetError):
        split(documents[:1])
    assert stratified(documents, 0.1) == stratified(documents, 0.1)


def test_documents_without_a_language_have_that_of_the_project(tmp_path: Path) -> None:
    documents = (
        LabelledDocument(name="a", text="a", labels=()),
        LabelledDocument(name="b", text="b", labels=(), language="da"),
    )
    labelled = Labelled(name="ships", categories=(), documents=documents, language="zh")
    entries = project_object(labelled, ["a.txt", "b.txt"], "documents")["assets"]["documents"]
    assert [entry["language"] for entry in entries] == ["zh", "da"]
