import os
import re
import shutil
from pathlib import Path

import pytest

from license.errors import Malformed, NoRoom, Unreadable
from license.files import read_limited, require_room, write_atomic


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"old", mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        write_atomic(target, b"new")  # a file cannot replace a directory that is not empty
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


def test_a_missing_directory_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "no" / "a", b"")


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_limited(path, 5) == b"12345"
    with pytest.raises(Malformed, match="larger than 4"):
        read_limited(path, 4)


def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(Unreadable, match="not a regular file"):
            read_limited(path, 10)
    with pytest.raises(Unreadable, match="there is no file"):
        read_limited(tmp_path / "none", 10)


def test_work_that_does_not_fit_is_refused_with_what_it_needs_and_what_there_is(tmp_path: Path) -> None:
    require_room(tmp_path, 0, "the model m")
    require_room(tmp_path / "not" / "made" / "yet", 1, "the model m")
    with pytest.raises(NoRoom) as refused:
        require_room(tmp_path / "not" / "made" / "yet", 2**62, "the model m")
    said = re.fullmatch(
        rf"the model m needs ([\d,]+) MB in {tmp_path}, and ([\d,]+) MB are free there", refused.value.message
    )
    assert said
    assert int(said[1].replace(",", "")) > int(said[2].replace(",", ""))
    assert refused.value.hint == "make room on that disk, or name a place on another one"


def test_a_few_bytes_that_are_missing_are_told_as_a_whole_megabyte(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(NoRoom) as refused:
        require_room(tmp_path, free + 10**9, "it")
    needs, has = (
        int(number.replace(",", "")) for number in re.findall(r"([\d,]+) MB", refused.value.message)
    )
    assert needs > has
