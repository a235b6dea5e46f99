from pathlib import Path

import pytest

from appliance.ledger.floor.floor_file import Floor, FloorFile
from license.evidence.log.entry import Tally
from tests.support.ledger import DAY, NOON

TODAY = NOON - NOON % DAY
LOG = "offline-appliance/customner/0123456789ab/1"
USED = {TODAY - DAY: {"A": Tally(1, 2, 3)}, TODAY: {"A": Tally(4, 5, 6), "B": Tally(1, 1, 1)}}


@pytest.fixture
def file(tmp_path: Path) -> FloorFile:
    return FloorFile(tmp_path, "customner")


def test_what_is_kept_is_read_and_what_is_noted_later_is_added(file: FloorFile) -> None:
    assert file.read() is None
    file.keep(Floor(log=LOG, days=USED))
    assert file.read() == Floor(log=LOG, days=USED)
    later = LOG.replace("/1", "/2")
    file.note(later, TODAY, {"A": Tally(400, 500, 600)})
    file.note(later, TODAY, {"A": Tally(7, 8, 9)})  # a shorter text: nothing of the longer one is left
    assert file.read() == Floor(log=later, days={**USED, TODAY: {"A": Tally(7, 8, 9), "B": Tally(1, 1, 1)}})


def test_files_are_the_owners_alone(file: FloorFile, tmp_path: Path) -> None:
    file.keep(Floor(log=LOG, days=USED))
    file.note(LOG, TODAY, {})
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("cut", [0, 1, 40, 64, 65, 100, -2])
def test_a_torn_file_is_no_count(file: FloorFile, cut: int, caplog: pytest.LogCaptureFixture) -> None:
    file.keep(Floor(log=LOG, days=USED))
    file.path.write_bytes(file.path.read_bytes()[:cut])
    assert file.read() is None
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"log":"x"}',
        b'{"log":"x","days":[]}',
        b'{"log":"x","days":{"2026-09-21":{"A":[1,2]}}}',
        b'{"log":"x","days":{"2026-09-21":{"A":[1,2,-3]}}}',
        b'{"log":"x","days":{"2026-09-21":{"A":[1,2,"3"]}}}',
        b'{"log":"x","days":{"yesterday":{"A":[1,2,3]}}}',
        b'{"log":"x","days":{"2026-09-21":{"":[1,2,3]}}}',
        b'{"log":"x","days":{"2026-09-21":{"A meter":[1,2,3]}}}',
        b'{"log":"x","days":{"2026-09-21":{"A":[1,2,1000000000000000000]}}}',
        b'{"log":"x","days":{"2026-09-21":{%s:[1,2,3]}}}' % (b'"%s"' % (b"A" * 201)),
        b"\xff",
    ],
)
def test_what_is_not_written_here_is_no_count(file: FloorFile, line: bytes) -> None:
    import hashlib

    file.path.write_bytes(hashlib.sha256(line).hexdigest().encode() + b"\n" + line + b"\n")
    assert file.read() is None
