"""Each format is told by content, whatever its file is called; what is not read says what would work."""

import json
import zipfile
from pathlib import Path

import pytest

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.label_files import read_file
from appliance.datasets.formats.registry import FORMATS, recognise, require
from appliance.datasets.label_errors import DatasetError
from tests.unit.datasets.formats.samples import FOLDERS, SAMPLES

PEOPLE = [("PER", "Anna Lee"), ("ORG", "Acme")]


def found(documents: list[LabelledDocument]) -> list[tuple[str, str]]:
    return [
        (one.category, document.text[slice(*one[:2])]) for document in documents for one in document.labels
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_is_told_by_content_and_read(name: str, tmp_path: Path) -> None:
    made, data = SAMPLES[name]
    file = SourceFile("labels", data)
    assert (recognise(file) or FORMATS[0]).name == made
    (tmp_path / "labels").write_bytes(data)
    assert found(read_file(tmp_path / "labels")) == PEOPLE


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_and_an_archive_of_several_files_are_read(name: str, tmp_path: Path) -> None:
    for location, data in FOLDERS[name].items():
        path = tmp_path / "in" / location
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("__MACOSX/._x", b"junk")
        for location, data in FOLDERS[name].items():
            archive.writestr(f"top/{location}", data)
    assert found(read_file(tmp_path / "in")) == PEOPLE
    assert found(read_file(tmp_path / "in.zip")) == PEOPLE


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["jsonl", "conll 2003", "kaggle"])
def test_other_encodings_are_read(name: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(SAMPLES[name][1].decode().encode(encoding))
    assert found(read_file(tmp_path / "labels")) == PEOPLE


@pytest.mark.parametrize(
    ("data", "words", "remedy"),
    [
        (b"<GateDocument>", "GATE XML", "CoNLL"),
        (b'{"%TYPES": {}}', "UIMA CAS JSON", "UIMA CAS XMI"),
        (b"<html>", "XML", "JSON"),
        (b"PAR1....", "Parquet", "to_json"),
        (b"\x80\x04\x95", "pickle", "any program"),
        (b"\x1f\x8b\x08", "gzip", "gunzip"),
        (b"SQLite format 3\0", "SQLite", "db-out"),
        (b"%PDF-1.7", "PDF", "tool"),
        (b"Anna lives in Paris.\n", "no format of labelled text fits", "--from"),
    ],
)
def test_what_is_not_read_is_refused_by_name_with_what_would_work(
    data: bytes, words: str, remedy: str
) -> None:
    with pytest.raises(DatasetError, match=words) as refused:
        require(SourceFile("x.bin", data))
    assert remedy in (refused.value.hint or "")


def test_a_word_document_and_an_archive_that_swells_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", b"<x/>")
    with pytest.raises(DatasetError, match="Word or Excel"):
        read_file(tmp_path / "a.docx")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", bytes(64 * 2**20))
    with pytest.raises(DatasetError, match="unpack"):
        read_file(tmp_path / "b.zip")


def test_a_folder_with_a_link_or_a_stray_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(SAMPLES["jsonl"][1])
    (tmp_path / "README.md").write_text("hello")
    assert len(read_file(tmp_path)) == 1
    (tmp_path / "b.bin").write_bytes(b"\x00\x01")
    with pytest.raises(DatasetError, match=r"b\.bin: no format"):
        read_file(tmp_path)
    (tmp_path / "b.bin").unlink()
    (tmp_path / "b.jsonl").symlink_to("/etc/hostname")
    with pytest.raises(DatasetError, match="is a link"):
        read_file(tmp_path)


def test_names_are_unique_and_each_format_says_what_it_is() -> None:
    assert len({one.name for one in FORMATS}) == len({one.title for one in FORMATS}) == len(FORMATS)
    assert all(one.note for one in FORMATS)
    assert json.dumps([one.name for one in FORMATS])
