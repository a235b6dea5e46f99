"""The store fails, says so, gives no answer meanwhile, and comes back by itself."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import UsageStoreUnavailable
from appliance.ledger.ledger import Ledger, Receipt, UsageRecord
from license.evidence.log.entry import parse
from license.evidence.verify.verify import verify
from tests.support.ledger import Machine, Vendor, wait_until


def record(ledger: Ledger, number: int) -> Receipt:
    use = UsageRecord(meter="Ner.TextRecords", quantity=1, billed=1, request_id=f"r{number}")
    return asyncio.run(ledger.commit([use]))


def test_a_failed_commit_fails_its_batch_and_service_returns_when_the_cause_goes(machine: Machine) -> None:
    ledger = machine.open()
    record(ledger, 1)
    size = ledger.size
    machine.sql("ALTER TABLE tree RENAME TO hidden")

    async def several() -> list[object]:
        uses = [UsageRecord(meter="M", quantity=1, billed=1, request_id=f"lost-{i}") for i in range(5)]
        return list(await asyncio.gather(*(ledger.commit([use]) for use in uses), return_exceptions=True))

    answers = asyncio.run(several())
    assert all(isinstance(answer, UsageStoreUnavailable) for answer in answers)
    assert not ledger.healthy
    wait_until(lambda: ledger.heartbeat_age() < 5)
    with pytest.raises(UsageStoreUnavailable, match="SQLITE_ERROR"):
        record(ledger, 2)
    machine.sql("ALTER TABLE hidden RENAME TO tree")
    wait_until(lambda: ledger.healthy)
    assert record(ledger, 3).first == size + 1
    ledger.close()
    fault = parse(machine.texts()[size])
    assert (fault.kind, fault.text("w"), fault.number("lost")) == ("disk", "SQLITE_ERROR", 6)
    assert not [text for text in machine.texts() if "lost-" in text]
    assert verify(machine.output, machine.vendor.roots).exit_code == 0


def test_a_licence_cannot_change_while_the_store_fails(machine: Machine) -> None:
    ledger = machine.open()
    machine.sql("ALTER TABLE tree RENAME TO hidden")
    with pytest.raises(UsageStoreUnavailable):
        ledger.change_license(machine.renew(serial=2))
    assert ledger.highest_serial == 1
    machine.sql("ALTER TABLE hidden RENAME TO tree")
    wait_until(lambda: ledger.healthy)
    ledger.change_license(machine.renew(serial=2))
    assert ledger.highest_serial == 2
    ledger.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB of its own."""
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(point)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield point
    subprocess.run(["umount", str(point)], check=True)


def test_a_full_disk_is_recorded_in_the_reserve_and_ends_when_there_is_room(
    small_disk: Path, vendor: Vendor
) -> None:
    machine = Machine(small_disk, vendor)
    ledger = machine.open()
    record(ledger, 1)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    answered = []
    with pytest.raises(UsageStoreUnavailable):
        for number in range(20_000):
            answered.append(record(ledger, number).first)
    assert not ledger.healthy
    texts = machine.texts()
    assert parse(texts[-1]).text("w") == "SQLITE_FULL"
    assert len([text for text in texts if '"use"' in text]) == len(answered) + 1
    filler.unlink()
    wait_until(lambda: ledger.healthy)
    record(ledger, 1)
    ledger.close()
    assert "disk" in machine.kinds()[-4:]
    assert verify(machine.output, vendor.roots).exit_code == 0
