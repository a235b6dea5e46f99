"""However a disk fails the ledger: nothing is answered that is not recorded, and it comes back by itself."""

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import LedgerLocked, UsageStoreUnavailable
from appliance.ledger.ledger import Ledger, Receipt, UsageRecord
from license.evidence.log.entry import parse, parse_use
from license.evidence.log.source import find_databases, open_database
from license.evidence.verify.verify import verify
from tests.support import disks
from tests.support.ledger import DAY, Machine, Vendor

METER = "Ner.TextRecords"
RETURN_SECONDS = 60.0


class Caller:
    """Somebody who asks one thing after the other and keeps each receipt."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.receipts: dict[str, str] = {}
        self.number = 0

    def ask(self) -> Receipt:
        self.number += 1
        request_id = f"r{self.number}"
        use = UsageRecord(meter=METER, quantity=1, billed=1, request_id=request_id)
        receipt = asyncio.run(self.ledger.commit([use]))
        self.receipts[receipt.header] = request_id
        return receipt

    def ask_until_refused(self, at_most: int = 20_000) -> UsageStoreUnavailable:
        for _ in range(at_most):
            try:
                self.ask()
            except UsageStoreUnavailable as refusal:
                assert not self.ledger.healthy
                with pytest.raises(UsageStoreUnavailable):
                    self.ask()
                return refusal
        raise AssertionError("it was never refused")

    def ask_until_answered(self) -> Receipt:
        deadline = time.monotonic() + RETURN_SECONDS
        while time.monotonic() < deadline:
            try:
                return self.ask()
            except UsageStoreUnavailable:
                time.sleep(0.02)
        raise AssertionError("the service did not return by itself")


def texts(path: Path) -> list[str]:
    connection = open_database(path)
    try:
        return [str(text) for (text,) in connection.execute("SELECT text FROM entry ORDER BY n")]
    finally:
        connection.close()


def recorded(directory: Path) -> dict[str, str]:
    """Return the request ids of every log, by what a receipt for them says."""
    found = {}
    for path in find_databases(directory):
        log = texts(path)
        origin = parse(log[0]).text("o")
        for text in log:
            used = parse_use(text)
            if used is not None:
                found[f"{origin}/{used.n}"] = used.request_id
    return found


def disk_words(machine: Machine) -> list[str]:
    return [
        parse(text).text("w")
        for path in find_databases(machine.directory)
        for text in texts(path)
        if '"k":"disk"' in text
    ]


@pytest.fixture
def caller(machine: Machine) -> Iterator[Caller]:
    ledger = machine.open()
    caller = Caller(ledger)
    for _ in range(3):
        caller.ask()
    yield caller
    ledger.close()


def settle(machine: Machine, caller: Caller, *, exit_code: int = 0) -> set[str]:
    """End the run; every receipt must be in a log, and the logs must say no worse than `exit_code`."""
    caller.ask_until_answered()
    caller.ledger.close()
    found = recorded(machine.directory)
    assert {header: found.get(header) for header in caller.receipts} == caller.receipts
    report = verify(machine.output, machine.vendor.roots)
    assert report.exit_code == exit_code, report.findings
    return {finding.code for finding in report.findings}


# -- the disk ------------------------------------------------------------------------------------------------


@pytest.fixture
def on_tmpfs(tmp_path: Path, vendor: Vendor) -> Iterator[Machine]:
    """A machine whose output is a small disk of its own."""
    disks.require_mounts()
    machine = Machine(tmp_path / "machine", vendor)
    with disks.tmpfs(machine.output, megabytes=24):
        yield machine


@pytest.fixture
def on_ext4(tmp_path: Path, vendor: Vendor) -> Iterator[Machine]:
    """The same, on ext4 in an image on a disk of its own."""
    disks.require_mounts()
    machine = Machine(tmp_path / "machine", vendor)
    with disks.tmpfs(tmp_path / "below", megabytes=40), disks.ext4(tmp_path / "below", machine.output):
        yield machine


def test_a_full_disk(on_tmpfs: Machine) -> None:
    caller = Caller(on_tmpfs.open())
    caller.ask()
    disks.fill(on_tmpfs.output / "filler")
    assert "SQLITE_FULL" in caller.ask_until_refused().message
    assert disk_words(on_tmpfs) == ["SQLITE_FULL"], "the reserve holds what must be said"
    (on_tmpfs.output / "filler").unlink()
    settle(on_tmpfs, caller)
    assert disk_words(on_tmpfs) == ["SQLITE_FULL", "back"]


def test_a_disk_that_turns_read_only_and_is_mounted_again(on_ext4: Machine, tmp_path: Path) -> None:
    caller = Caller(on_ext4.open())
    caller.ask()
    disks.turn_read_only(on_ext4.output)
    caller.ask_until_refused(at_most=10)
    time.sleep(1.5)
    assert not caller.ledger.healthy
    assert len(recorded(on_ext4.directory)) >= len(caller.receipts), "reading goes on"
    disks.mount_again(tmp_path / "below", on_ext4.output)
    settle(on_ext4, caller)
    assert len(disk_words(on_ext4)) == 1


def test_a_disk_with_io_errors(on_ext4: Machine, tmp_path: Path) -> None:
    caller = Caller(on_ext4.open())
    caller.ask()
    disks.fill(tmp_path / "below" / "filler")  # the image cannot grow: its device answers with EIO
    refusal = caller.ask_until_refused()
    assert "IOERR" in refusal.message or "FULL" in refusal.message, refusal.message
    (tmp_path / "below" / "filler").unlink()
    settle(on_ext4, caller)


def test_a_limit_on_the_size_of_files(machine: Machine, caller: Caller) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (machine.directory / "ledger-1.db-wal").stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        refusal = caller.ask_until_refused()
        assert "SQLITE_IOERR_WRITE" in refusal.message
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    settle(machine, caller)
    assert disk_words(machine) == ["SQLITE_IOERR_WRITE"]


def test_files_that_may_no_longer_be_written(machine: Machine, caller: Caller) -> None:
    paths = [machine.directory / name for name in ("ledger-1.db", "ledger-1.db-wal")]
    with disks.immutable(*paths):
        caller.ask_until_refused(at_most=10)
    settle(machine, caller)


# -- the files -----------------------------------------------------------------------------------------------


def test_a_write_ahead_log_that_is_deleted_loses_nothing(machine: Machine, caller: Caller) -> None:
    (machine.directory / "ledger-1.db-wal").unlink()
    refusal = caller.ask_until_refused(at_most=1)
    assert "Displaced" in refusal.message
    settle(machine, caller)
    assert disk_words(machine) == ["Displaced"]


def test_a_write_ahead_log_that_is_truncated_is_noticed_at_the_next_commit(
    machine: Machine, caller: Caller
) -> None:
    fold(machine)
    kept = dict(caller.receipts)
    caller.ask()
    os.truncate(machine.directory / "ledger-1.db-wal", 0)
    refusal = caller.ask_until_refused(at_most=1)
    assert "Displaced" in refusal.message
    caller.receipts = kept  # the one after lay in what was cut off, and nowhere else
    assert settle(machine, caller, exit_code=2) >= {"recovered", "rollback"}
    first = parse(texts(machine.directory / "ledger-2.db")[0])
    lost = len(texts(machine.directory / "damaged-1.db"))
    assert (first.text("w"), first.number("pn")) == ("rollback", lost + 1)


def test_a_directory_that_is_moved_away_and_back(machine: Machine, caller: Caller) -> None:
    away = machine.home / "away"
    machine.directory.rename(away)
    caller.ask_until_refused(at_most=1)
    time.sleep(1.2)
    assert not caller.ledger.healthy
    assert not machine.directory.exists(), "a missing mount is not mistaken for an empty one"
    away.rename(machine.directory)
    settle(machine, caller)


def test_a_log_that_is_deleted_is_succeeded(machine: Machine, caller: Caller) -> None:
    for path in machine.directory.glob("ledger-1.db*"):
        path.unlink()
    caller.ask_until_refused(at_most=1)
    gone = dict(caller.receipts)
    caller.receipts.clear()
    assert settle(machine, caller, exit_code=2) >= {"recovered", "missing-log"}
    first = parse(texts(machine.directory / "ledger-2.db")[0])
    assert (first.kind, first.text("w")) == ("recover", "missing")
    assert first.number("pn") == max(int(header.rpartition("/")[2]) for header in gone) + 1


def test_a_corrupt_page_is_never_repaired(machine: Machine, caller: Caller) -> None:
    uses = [UsageRecord(meter=METER, quantity=1, billed=1, request_id=f"u{i}") for i in range(2000)]
    asyncio.run(caller.ledger.commit(uses))
    fold(machine)
    billed = caller.ledger.used(METER, 0, machine.wall + DAY)
    overwrite_page(machine.database, b'"id":"u700"')
    caller.ask()
    assert caller.ledger.healthy, "nobody has looked there yet"
    assert not caller.ledger.scrubber.round()
    assert caller.ledger.scrubber.whole_at == 0
    deadline = time.monotonic() + RETURN_SECONDS
    while caller.ledger.origin.endswith("/1") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert caller.ask_until_answered().origin.endswith("/2")
    assert (machine.directory / "damaged-1.db").exists()
    assert caller.ledger.used(METER, 0, machine.wall + DAY) >= billed + 1, "the plan goes on"
    kinds = [parse(text).kind for text in texts(machine.directory / "ledger-2.db")]
    assert kinds[:5] == ["recover", "boot", "lic", "carry", "disk"]
    assert caller.ledger.scrubber.round()
    assert 0 <= time.time() - caller.ledger.scrubber.whole_at < 600
    caller.ledger.close()
    report = verify(machine.output, machine.vendor.roots)
    assert report.exit_code == 2, "the damaged log tells of its damage"


def test_a_patrol_finds_what_a_start_would_not(machine: Machine, caller: Caller) -> None:
    uses = [UsageRecord(meter=METER, quantity=1, billed=1, request_id=f"u{i}") for i in range(2000)]
    asyncio.run(caller.ledger.commit(uses))
    assert caller.ledger.scrubber.round()
    machine.sql("UPDATE entry SET text = replace(text, '\"q\":1', '\"q\":0') WHERE n = 300")
    caller.ledger.scrubber.round()
    caller.ask_until_answered()
    first = parse(texts(machine.directory / "ledger-2.db")[0])
    assert first.text("w") == "tree"


def fold(machine: Machine) -> None:
    """Have everything in the main file."""
    machine.sql("PRAGMA wal_checkpoint(PASSIVE)")


def overwrite_page(path: Path, needle: bytes) -> None:
    """Let the disk forget the page that holds these bytes."""
    page = path.read_bytes().index(needle) // 4096
    with path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(bytes(4096))


def test_a_successor_is_not_opened_twice(machine: Machine, caller: Caller) -> None:
    """The second damage meets the successor, and is succeeded as well."""
    for number in (1, 2):
        for path in machine.directory.glob(f"ledger-{number}.db*"):
            path.unlink()
        caller.ask_until_refused(at_most=1)
        assert caller.ask_until_answered().origin.endswith(f"/{number + 1}")
    caller.ledger.close()
    machine.open().close()
    assert [path.name for path in find_databases(machine.directory)] == ["ledger-3.db"]


def test_state_that_cannot_be_read_while_running_costs_no_log(machine: Machine, caller: Caller) -> None:
    for path in machine.state.glob("day-*.key"):
        path.unlink()
    (machine.directory / "ledger-1.db-wal").unlink()
    caller.ask_until_refused(at_most=1)
    assert settle(machine, caller) == {"disk"}


# -- who else is there ---------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_disturbs_nobody(machine: Machine, caller: Caller) -> None:
    program = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+');\n"
        "try: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError: sys.exit(75)"
    )
    lock = machine.directory / "lock"
    assert subprocess.run([sys.executable, "-c", program, str(lock)], check=False).returncode == 75
    with pytest.raises(LedgerLocked):
        machine.open()
    assert settle(machine, caller) == set()


def test_a_reader_that_never_ends_does_not_hold_the_writer_up(machine: Machine, caller: Caller) -> None:
    with contextlib.closing(open_database(machine.database)) as connection:
        connection.execute("SELECT count(*) FROM entry").fetchone()
        for _ in range(50):
            caller.ask()
    assert settle(machine, caller) == set()


def test_permission_lost_while_running(tmp_path: Path, vendor: Vendor) -> None:
    """In a child for which permissions hold: root is allowed everything otherwise."""
    child = os.fork()
    if not child:
        try:
            _lose_permission(tmp_path, vendor)
        except BaseException:  # told by the exit status
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def obey_permissions() -> None:
    """Give up root's right to pass over them: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, capset(2)."""
    if os.geteuid():
        return
    version = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(version, sets) == 0
    for at in (0, 1, 2):  # effective, permitted, inheritable
        sets[at] &= ~0b110
    assert libc.capset(version, sets) == 0


def _lose_permission(tmp_path: Path, vendor: Vendor) -> None:
    signal.alarm(60)
    obey_permissions()
    machine = Machine(tmp_path / "machine", vendor)
    caller = Caller(machine.open())
    caller.ask()
    machine.directory.chmod(0)
    caller.ask_until_refused(at_most=1)
    machine.directory.chmod(0o700)
    caller.ask_until_answered()
    machine.directory.chmod(0o500)
    caller.ask()  # open files may still be written: it is recorded, so it is answered
    machine.directory.chmod(0o700)
    assert settle(machine, caller) == {"disk"}


# -- time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-400 * DAY, -DAY, -1, 1, 3600, DAY, 40 * DAY, 400 * DAY])
def test_clock_jumps_stop_nothing_and_time_never_runs_back(machine: Machine, jump: int) -> None:
    caller = Caller(machine.open())
    caller.ask()
    machine.wall += jump
    machine.uptime += 5
    caller.ask()
    machine.wall -= jump
    caller.ask()
    caller.ledger.close()
    times = [parse(text).at for text in machine.texts()]
    assert times == sorted(times)
    report = verify(machine.output, machine.vendor.roots)
    assert report.exit_code <= 1, report.findings
    assert {f.code for f in report.findings if f.severity} <= {"clock-back", "clock-held", "silent"}
