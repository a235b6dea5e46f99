"""Files as a crash, a lying disk or a clumsy restore leaves them: cut, lost, or put together from two times.

What can come of a power cut (the last transaction torn) must be taken as if nothing had happened. What cannot
must never pass for the log that was written.
"""

import asyncio
import contextlib
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from appliance.ledger.ledger import Ledger, UsageRecord
from license.evidence.log.entry import parse, parse_use
from license.evidence.log.source import find_databases, open_database
from license.evidence.verify.verify import verify
from tests.support.ledger import Machine, Vendor

METER = "Ner.TextRecords"
HEADER, FRAME_HEADER = 32, 24


def record(ledger: Ledger, *numbers: int) -> None:
    async def each() -> None:
        for number in numbers:
            await ledger.commit([UsageRecord(meter=METER, quantity=1, billed=1, request_id=f"r{number}")])

    asyncio.run(each())


def photograph(machine: Machine, name: str) -> Path:
    """Copy the whole machine as a power cut would leave it at this instant."""
    return copy(machine.home, machine.home.parent / name)


def copy(home: Path, to: Path) -> Path:
    return Path(shutil.copytree(home, to, ignore=shutil.ignore_patterns("reserve")))


@dataclass
class Album:
    """One ledger at four instants, always running.

    The first three lie in one write-ahead log, one request apart; before the fourth it was folded into the
    main file and begun anew.
    """

    machine: Machine
    one: Path
    two: Path
    three: Path
    four: Path


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Iterator[Album]:
    machine = Machine(tmp_path_factory.mktemp("album") / "machine", vendor)
    ledger = machine.open()
    record(ledger, 1)
    ledger.checkpoint()
    one = photograph(machine, "one")
    record(ledger, 2)
    two = photograph(machine, "two")
    record(ledger, 3)
    ledger.checkpoint()
    three = photograph(machine, "three")
    machine.sql("PRAGMA wal_checkpoint(PASSIVE)")
    record(ledger, *range(4, 40))
    ledger.checkpoint()
    four = photograph(machine, "four")
    ledger.close()
    yield Album(machine, one, two, three, four)


def database(home: Path, suffix: str = "") -> Path:
    return home / "output" / "customner" / "instance" / f"ledger-1.db{suffix}"


def restart(album: Album, home: Path, number: int = 99) -> tuple[str, list[str]]:
    """Start on these files and answer one request; return how the newest log began, and its request ids."""
    machine = replace(album.machine, home=home)
    ledger = machine.open()
    record(ledger, number)
    ledger.close()
    with contextlib.closing(open_database(find_databases(machine.directory)[-1])) as connection:
        texts = [str(text) for (text,) in connection.execute("SELECT text FROM entry ORDER BY n")]
    report = verify(machine.output, machine.vendor.roots)
    begun = parse(texts[0]).kind
    if begun == "open":
        assert report.exit_code == 0, report.findings
    else:
        assert "recovered" in {finding.code for finding in report.findings}
    return begun, [used.request_id for text in texts if (used := parse_use(text))]


def frames(wal: bytes) -> list[tuple[int, bool]]:
    """Return where each valid frame of a write-ahead log ends, and whether it ends a transaction."""
    page_size = struct.unpack(">I", wal[8:12])[0]
    salts, found = wal[16:24], []
    for start in range(HEADER, len(wal) - page_size, FRAME_HEADER + page_size):
        if wal[start + 8 : start + 16] != salts:
            break
        committed = struct.unpack(">I", wal[start + 4 : start + 8])[0] > 0
        found.append((start + FRAME_HEADER + page_size, committed))
    return found


CLASSES = {
    "nothing of it": lambda start, end: start,
    "one byte": lambda start, end: start + 1,
    "half a frame header": lambda start, end: start + 12,
    "a frame header": lambda start, end: start + FRAME_HEADER,
    "half a page": lambda start, end: start + FRAME_HEADER + 2048,
    "a frame": lambda start, end: start + FRAME_HEADER + 4096,
    "all but a byte": lambda start, end: end - 1,
}


@pytest.mark.parametrize("rest", ["cut", "zeros", "noise"])
@pytest.mark.parametrize("name", CLASSES)
def test_a_torn_transaction_never_happened(album: Album, tmp_path: Path, name: str, rest: str) -> None:
    """The transaction of request 2 was being written when the power went."""
    start = len(database(album.one, "-wal").read_bytes())
    wal = database(album.two, "-wal").read_bytes()
    start = max(end for end, _ in frames(database(album.one, "-wal").read_bytes()))
    end = max(end for end, _ in frames(wal))
    at = CLASSES[name](start, end)
    home = copy(album.one, tmp_path / "home")
    tail = {"cut": b"", "zeros": bytes(end - at), "noise": b"\xa5" * (end - at)}[rest]
    database(home, "-wal").write_bytes(wal[:at] + tail)
    assert restart(album, home) == ("open", ["r1", "r99"])


def test_a_whole_transaction_is_kept(album: Album, tmp_path: Path) -> None:
    home = copy(album.two, tmp_path / "home")
    assert restart(album, home) == ("open", ["r1", "r2", "r99"])


@pytest.mark.parametrize("shm", ["kept", "lost", "zeros", "of another time"])
def test_the_shared_memory_file_proves_nothing_and_is_made_again(
    album: Album, tmp_path: Path, shm: str
) -> None:
    home = copy(album.three, tmp_path / "home")
    path = database(home, "-shm")
    if shm == "lost":
        path.unlink()
    elif shm == "zeros":
        path.write_bytes(bytes(path.stat().st_size))
    elif shm == "of another time":
        path.write_bytes(database(album.four, "-shm").read_bytes())
    assert restart(album, home) == ("open", ["r1", "r2", "r3", "r99"])


def boundaries(wal: bytes) -> list[int]:
    """Those of the header and of the last transactions, all below the end of the last request's."""
    ends = frames(wal)
    commits = [end for end, committed in ends if committed]
    cuts = {0, 1, HEADER - 1, HEADER, HEADER + 1, ends[0][0]}
    for end in commits[-4:-1]:
        cuts |= {end - 1, end, end + 1, end + FRAME_HEADER}
    return sorted(cut for cut in cuts if cut < commits[-2])


def test_a_log_cut_below_a_signed_head_is_never_taken_for_whole(album: Album, tmp_path: Path) -> None:
    """The last request and its checkpoint were durable: no power cut takes them, so a successor begins."""
    wal = database(album.three, "-wal").read_bytes()
    for cut in boundaries(wal):
        home = copy(album.three, tmp_path / str(cut))
        database(home, "-wal").write_bytes(wal[:cut])
        assert restart(album, home) == ("recover", ["r99"]), cut


def test_a_lost_write_ahead_log_is_noticed(album: Album, tmp_path: Path) -> None:
    home = copy(album.four, tmp_path / "home")
    database(home, "-wal").unlink()
    assert restart(album, home) == ("recover", ["r99"])


@pytest.mark.parametrize(
    ("main", "wal"),
    [("one", "four"), ("two", "four"), ("three", "four"), ("four", "one"), ("four", "three")],
)
def test_a_main_file_and_a_write_ahead_log_of_two_times_are_not_one_log(
    album: Album, tmp_path: Path, main: str, wal: str
) -> None:
    """The newer heads are there, as after a restore of one file: it is the fourth log, or damaged."""
    home = copy(album.four, tmp_path / "home")
    shutil.copy(database(getattr(album, main)), database(home))
    shutil.copy(database(getattr(album, wal), "-wal"), database(home, "-wal"))
    begun, ids = restart(album, home)
    whole = [f"r{number}" for number in (*range(1, 40), 99)]
    assert (begun, ids) in [("open", whole), ("recover", ["r99"])]


def test_a_flipped_byte_anywhere_in_the_log_of_a_stopped_service_is_found(
    album: Album, tmp_path: Path
) -> None:
    """By the start or by the verifier: a sample of every 61st byte of the pages in use."""
    clean = copy(album.four, tmp_path / "clean")
    restart(album, clean)
    data = database(clean).read_bytes()
    machine = replace(album.machine, home=clean)
    texts = machine.texts()
    for at in range(100, len(data), 6151):
        database(clean).write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        report = verify(machine.output, machine.vendor.roots)
        if report.exit_code != 2:
            assert _texts_or_nothing(machine) in (texts, []), at
    database(clean).write_bytes(data)


def _texts_or_nothing(machine: Machine) -> list[str]:
    try:
        return machine.texts()
    except Exception:  # whatever SQLite makes of it
        return []
