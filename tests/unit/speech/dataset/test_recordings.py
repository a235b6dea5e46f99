"""Recordings are found beside their list, in a named folder or in an archive; what is missing is named."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.datasets.label_errors import DatasetError
from appliance.speech.dataset.recordings import open_recordings

FILES = {"a.wav": b"one", "b.flac": b"two"}
LIST = "a.wav\tfirst\nb.flac\tsecond\n"


def folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def contents(source: Path, audio: Path | None = None) -> list[tuple[str, bytes]]:
    with open_recordings(source, audio) as found:
        return [(one.text, found.read(one)) for one in found.recordings]


READ = [("first", b"one"), ("second", b"two")]


def test_beside_the_list(tmp_path: Path) -> None:
    folder(tmp_path, {**FILES, "some.txt": LIST.encode()})
    assert contents(tmp_path / "some.txt") == READ


def test_in_a_folder_or_archive_that_is_named(tmp_path: Path) -> None:
    folder(tmp_path, {"list.txt": LIST.encode()})
    assert contents(tmp_path / "list.txt", folder(tmp_path / "audio", FILES)) == READ
    assert contents(tmp_path / "list.txt", archive(tmp_path / "audio.zip", FILES)) == READ


@pytest.mark.parametrize("name", ["trans.txt", "Trans.txt", "all.jsonl"])
def test_a_folder_and_an_archive_with_their_list(tmp_path: Path, name: str) -> None:
    text = LIST
    if name.endswith("jsonl"):
        text = '{"path": "a.wav", "text": "first"}\n{"path": "b.flac", "text": "second"}'
    files = {**FILES, "notes.txt": b"x", name: text.encode()}
    assert contents(folder(tmp_path / "set", files)) == READ
    below = {f"set/{name}": data for name, data in files.items()}
    assert contents(archive(tmp_path / "set.zip", {**below, "__MACOSX/set/._trans.txt": b""})) == READ


def test_the_ending_of_a_name_may_be_left_out(tmp_path: Path) -> None:
    folder(tmp_path, {**FILES, "trans.txt": b"a\tfirst\nb\tsecond\n"})
    assert contents(tmp_path) == READ


def test_recordings_that_are_missing_are_named_before_any_is_read(tmp_path: Path) -> None:
    folder(tmp_path, {"a.wav": b"one", "list.txt": LIST.encode()})
    with pytest.raises(DatasetError) as refused:
        contents(tmp_path / "list.txt")
    assert f"list.txt, line 2: b.flac is not in {tmp_path}" in refused.value.message
    assert "--audio" in refused.value.hint


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder(tmp_path, {"secret.wav": b"no", "set/trans.txt": b"a.wav\tx"})
    (tmp_path / "set" / "a.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(DatasetError, match=r"a\.wav is not in"):
        contents(tmp_path / "set")


def test_a_folder_without_a_list_or_with_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no list of recordings") as refused:
        contents(folder(tmp_path / "none", FILES))
    assert "trans.txt" in refused.value.hint
    two = folder(tmp_path / "two", {"a.csv": b"", "b.csv": b""})
    with pytest.raises(DatasetError, match=r"holds 2 lists of recordings, such as a\.csv and b\.csv"):
        contents(two)


def test_a_damaged_archive_and_a_missing_list_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(DatasetError, match=r"a\.zip is not a zip archive"):
        contents(tmp_path / "a.zip")
    with pytest.raises(DatasetError, match="nowhere"):
        contents(tmp_path / "nowhere")
