import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from license.encoding.zip_reader import MAX_RATIO, open_zip
from license.errors import LicenseError, Unreadable, UnreadableArchive
from tests.support.zips import Packed, archive_of

GOOD = archive_of([Packed.of("a.txt", b"hello" * 100), Packed.of("b/c.txt", b"")])


def read(path: Path, data: bytes, *, free_bytes: int = 2**20) -> dict[str, bytes]:
    path.write_bytes(data)
    with open_zip(path, max_files=10, free_bytes=free_bytes) as archive:
        found = {}
        for name in archive.names():
            with archive.open(name) as file:
                found[name] = file.read()
        return found


def test_an_archive_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "x.zip", GOOD) == {"a.txt": b"hello" * 100, "b/c.txt": b""}


def test_an_archive_unpacks_to_so_many_times_its_length_and_not_more(tmp_path: Path) -> None:
    data = archive_of([Packed.of("z", bytes(50_000))])
    free = 50_000 - MAX_RATIO * len(data)
    assert read(tmp_path / "x.zip", data, free_bytes=free) == {"z": bytes(50_000)}
    with pytest.raises(UnreadableArchive, match="would unpack to 50000 bytes"):
        read(tmp_path / "x.zip", data, free_bytes=free - 1)


def test_many_names_over_one_content_are_counted_each(tmp_path: Path) -> None:
    zeros = Packed.of("", bytes(2**20))
    names = [Packed(name=f"{n}", data=zeros.data, size=zeros.size, crc=zeros.crc) for n in range(10)]
    with pytest.raises(UnreadableArchive, match="would unpack to 10485760 bytes"):
        read(tmp_path / "x.zip", archive_of(names))


def test_one_file_under_two_names_is_refused(tmp_path: Path) -> None:
    twice = [Packed.of(name, b"the same") for name in ("a", "b")]
    with pytest.raises(UnreadableArchive, match="lists one file under two names"):
        read(tmp_path / "x.zip", archive_of(twice))


def test_a_file_ends_where_the_list_says_even_if_more_is_packed(tmp_path: Path) -> None:
    packed = Packed.of("z", bytes(10_000))
    lying = Packed(name="z", data=packed.data, size=10, crc=packed.crc)
    with pytest.raises(UnreadableArchive, match="CRC"):
        read(tmp_path / "x.zip", archive_of([lying]))


def test_a_file_that_breaks_off_is_said_to(tmp_path: Path) -> None:
    block = b"\x00\xff\xff\x00\x00"  # 65,535 bytes follow, it says
    data = bytearray(archive_of([Packed(name="z", data=block, size=60_000, crc=0)]))
    at = data.index(b"PK\x01\x02") + 20
    data[at : at + 4] = (70_000).to_bytes(4, "little")
    # Newer releases of Python see first that the file would reach into the list.
    with pytest.raises(UnreadableArchive, match=r"damaged one: (it breaks off$|Overlapped entries)"):
        read(tmp_path / "x.zip", bytes(data))


def test_other_methods_and_passwords_are_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99):
        with pytest.raises(UnreadableArchive, match="deflate"):
            read(tmp_path / "x.zip", archive_of([Packed(name="z", data=b"", size=0, crc=0, method=method)]))
    locked = GOOD.replace(b"PK\x01\x02\x14\x00\x14\x00\x00\x00", b"PK\x01\x02\x14\x00\x14\x00\x01\x00")
    with pytest.raises(UnreadableArchive, match="password"):
        read(tmp_path / "x.zip", locked)


def test_a_long_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match="lists 11 files"):
        read(tmp_path / "x.zip", archive_of([Packed.of(f"{n}", b"") for n in range(11)]))
    with pytest.raises(UnreadableArchive, match="list of files is too long"):
        read(tmp_path / "x.zip", archive_of([Packed.of(f"{n:0>200}", b"") for n in range(5_000)]))


def test_what_is_no_plain_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable), open_zip(tmp_path, max_files=1):
        pass
    with pytest.raises(Unreadable), open_zip(tmp_path / "none", max_files=1):
        pass


def test_an_error_of_the_readers_own_work_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(GOOD)
    with pytest.raises(FileNotFoundError), open_zip(tmp_path / "x.zip", max_files=9):
        (tmp_path / "none" / "x").write_bytes(b"")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_whatever_is_damaged_is_a_refusal(tmp_path: Path, data: st.DataObject) -> None:
    changed = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        read(tmp_path / "x.zip", bytes(changed))
    except LicenseError as error:
        assert isinstance(error, UnreadableArchive)
