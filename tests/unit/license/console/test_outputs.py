"""Options that name what is written are looked at before the work."""

import os
from pathlib import Path

import click
import pytest

from license.console.outputs import OutputFile, OutputFolder
from license.files import write_atomic


def test_a_new_file_a_file_to_replace_and_a_new_folder_are_taken_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        assert OutputFile().convert(str(tmp_path / name), None, None) == tmp_path / name
    assert OutputFolder(new=True).convert(str(tmp_path / "a/b"), None, None) == tmp_path / "a/b"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_what_is_no_regular_file_is_refused_before_the_work_and_by_the_write(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("fifo", "folder", "link"):
        with pytest.raises(click.BadParameter, match=name):
            OutputFile().convert(str(tmp_path / name), None, None)
        with pytest.raises(OSError, match=name):
            write_atomic(tmp_path / name, b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "folder", "link"]


@pytest.mark.parametrize("path", ["/proc/x", "missing/x", "file/x"])
def test_a_directory_that_takes_no_file_is_told_beforehand(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(click.BadParameter, match=r"cannot write into|there is no directory|Not a directory"):
        OutputFile().convert(str(tmp_path / path), None, None)


def test_a_folder_that_holds_something_is_not_new(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(click.BadParameter, match="is not empty"):
        OutputFolder(new=True).convert(str(tmp_path), None, None)
    with pytest.raises(click.BadParameter, match="is not a directory"):
        OutputFolder().convert(str(tmp_path / "x/y"), None, None)
    with pytest.raises(click.BadParameter, match="there is no directory"):
        OutputFolder(exists=True).convert(str(tmp_path / "y"), None, None)


def test_a_dash_is_standard_output_where_that_is_said(tmp_path: Path) -> None:
    assert str(OutputFile(dash=True).convert("-", None, None)) == "-"
    with pytest.raises(click.BadParameter, match="name a file"):
        OutputFile().convert("-", None, None)
