"""Room is taken before the content is there; what comes of it is the old file or the new one."""

import errno
from pathlib import Path

import pytest

from appliance.host.reserved_file import ReservedFile
from tests.support.disks import fill, require_mounts, tmpfs


def test_the_content_is_there_at_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    reserved = ReservedFile(path, 1_000)
    assert path.read_text() == "old"
    (waiting,) = [file for file in tmp_path.iterdir() if file != path]
    assert waiting.read_bytes() == bytes(1_000)
    reserved.put(b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_more_than_was_reserved_is_written_too(tmp_path: Path) -> None:
    ReservedFile(tmp_path / "a.txt", 0).put(b"content")
    assert (tmp_path / "a.txt").read_bytes() == b"content"


def test_nothing_is_left_of_what_was_given_up(tmp_path: Path) -> None:
    reserved = ReservedFile(tmp_path / "a.txt", 1_000)
    reserved.discard()
    reserved.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_names_may_be_is_no_longer_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    ReservedFile(path, 10).put(b"x")
    assert path.read_bytes() == b"x"


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        ReservedFile(tmp_path, 1)


def test_a_full_disk_is_told_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    require_mounts()
    with tmpfs(tmp_path / "disk", megabytes=1) as disk:
        with pytest.raises(OSError, match="No space") as told:
            ReservedFile(disk / "a.txt", 2 << 20)
        assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(disk / "a.txt"))
        assert list(disk.iterdir()) == []
        reserved = ReservedFile(disk / "a.txt", 100_000)
        fill(disk / "filler")
        reserved.put(b"x" * 100_000)
        assert (disk / "a.txt").stat().st_size == 100_000
