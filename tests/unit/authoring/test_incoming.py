"""Files that come over the network: their documents, their names, and what is refused."""

import json
from pathlib import Path

import pytest

from appliance.authoring.incoming import free_location, keep_text, read_files, safe_name
from appliance.datasets.label_errors import DatasetError, LabellingMistakes

KIND = "CustomEntityRecognition"


def project(*documents: dict[str, object]) -> bytes:
    entities = [{"category": "Person"}, {"category": "Ship"}]
    file = {
        "metadata": {"projectKind": KIND, "language": "de"},
        "assets": {"projectKind": KIND, "entities": entities, "documents": documents},
    }
    return json.dumps(file).encode()


def label(offset: int, length: int) -> dict[str, object]:
    return {"labels": [{"category": "Person", "offset": offset, "length": length}]}


def test_a_project_file_its_texts_and_others_come_together(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "kept.txt").write_text("Bert")
    sent = project(
        {"location": "a.txt", "entities": [label(3, 4)]},
        {"location": "kept.txt", "entities": [label(0, 4)]},
    )
    files = {"project.json": sent, "a.txt": "🙂 Anna".encode(), "b.txt": b"nobody"}
    found = read_files(files, tmp_path, texts)
    assert [(one.name, one.text) for one in found.documents] == [
        ("a.txt", "🙂 Anna"),
        ("kept.txt", "Bert"),
        ("b.txt", "nobody"),
    ]
    assert [one.text[label.start : label.end] for one in found.documents for label in one.labels] == [
        "Anna",
        "Bert",
    ]
    assert [one["category"] for one in found.entities] == ["Person", "Ship", "Person"]
    assert found.metadata is not None
    assert found.metadata.language == "de"
    assert list(tmp_path.iterdir()) == [texts], "copies are gone"


def test_what_a_folder_of_labels_leaves_aside_is_a_text_when_somebody_sends_it(tmp_path: Path) -> None:
    found = read_files({"README.txt": b"one", "notes.md": b"two"}, tmp_path, tmp_path)
    assert [one.text for one in found.documents] == ["one", "two"]


def test_mistakes_name_files_as_they_were_sent(tmp_path: Path) -> None:
    with pytest.raises(LabellingMistakes) as refused:
        read_files({"p.json": project({"location": "gone.txt"})}, tmp_path, tmp_path)
    assert "incoming" not in str(refused.value.mistakes[0])
    with pytest.raises(DatasetError) as broken:
        read_files({"x.bin": b"\xff\xfe\x00\xd8\x00"}, tmp_path, tmp_path)
    assert broken.value.message.startswith("x.bin")
    for name in ("../a.txt", "a/b.txt", ""):
        with pytest.raises(DatasetError):
            read_files({name: b"text"}, tmp_path, tmp_path)
    with pytest.raises(DatasetError, match="is empty"):
        read_files({"a.txt": b"  \n"}, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("Vertrag Nr. 7.txt", "Vertrag Nr. 7.txt"),
        ("חוזה.txt", "חוזה.txt"),
        ("...", "text"),
        ("a\0b:c.txt", "a_b_c.txt"),
        ("x" * 300 + ".jsonl", "x" * 94 + ".jsonl"),
    ],
)
def test_a_name_becomes_one_that_every_folder_takes(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_text_gets_a_place_that_no_other_has(tmp_path: Path) -> None:
    assert free_location("a.jsonl:3", set()) == "a.jsonl_3.txt"
    assert free_location("A.txt", {"a.txt", "a (2).txt"}) == "A (3).txt"
    keep_text(tmp_path / "new", "a.txt", b"text")
    assert (tmp_path / "new" / "a.txt").stat().st_mode & 0o777 == 0o600


def test_a_text_that_could_not_be_opened_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"long\.txt is larger than 8 MiB"):
        read_files({"long.txt": b"word\n" * (2 << 20)}, tmp_path, tmp_path)


def test_a_line_of_thousands_of_words_is_text_and_no_row_of_a_table(tmp_path: Path) -> None:
    text = "Anna sang" + " O" * 2_000
    (document,) = read_files({"song.txt": text.encode()}, tmp_path, tmp_path).documents
    assert document.text == text
