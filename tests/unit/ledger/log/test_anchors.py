"""Anchors receive each head, and one on a mount that hangs holds up nothing."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.log.anchors import Anchor, close_all, read_all
from license.evidence.log.source import CHECKPOINT_FILE
from license.files import write_atomic
from tests.support.ledger import Machine, wait_until


class Mount:
    """A directory whose disk stops to answer and comes back."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked = threading.Semaphore(0)
        self.notes: list[bytes] = []

    def write(self, path: Path, note: bytes) -> None:
        self.asked.release()
        self.answers.wait(30)
        self.notes.append(note)
        write_atomic(path, note)

    def read(self, path: Path, _: int) -> bytes:
        self.asked.release()
        self.answers.wait(30)
        return path.read_bytes()


@pytest.fixture
def mount() -> Iterator[Mount]:
    made = Mount()
    yield made
    made.answers.set()


def open_ledger(machine: Machine, *anchors: Anchor, clock: EffectiveClock | None = None) -> Ledger:
    return Ledger.open(
        machine.directory,
        identity=machine.identity,
        state=machine.state,
        clock=clock or machine.clock(),
        license=machine.licensed,
        software="offline-appliance 0.1.0",
        anchors=anchors,
    )


def record(ledger: Ledger, number: int) -> None:
    asyncio.run(ledger.commit([UsageRecord(meter="M", quantity=1, billed=1, request_id=f"r{number}")]))
    ledger.checkpoint()


def test_the_last_head_of_a_stop_is_in_every_anchor(machine: Machine, tmp_path: Path) -> None:
    paths = [tmp_path / "one.checkpoint", tmp_path / "two.checkpoint"]
    ledger = open_ledger(machine, *map(Anchor, paths))
    record(ledger, 1)
    ledger.close()
    last = (machine.directory / CHECKPOINT_FILE).read_bytes()
    assert [path.read_bytes() for path in paths] == [last, last]


def test_a_hung_anchor_delays_neither_requests_nor_heads_nor_other_anchors(
    machine: Machine, tmp_path: Path, mount: Mount
) -> None:
    hung, sound = tmp_path / "hung.checkpoint", tmp_path / "sound.checkpoint"
    ledger = open_ledger(machine, Anchor(hung, write=mount.write), Anchor(sound))
    assert mount.asked.acquire(timeout=60), "the first head is on its way"
    for number in range(5):
        record(ledger, number)
    newest = (machine.directory / CHECKPOINT_FILE).read_bytes()
    wait_until(lambda: sound.is_file() and sound.read_bytes() == newest)
    assert (ledger.healthy, ledger.signed, hung.exists()) == (True, ledger.size, False)
    mount.answers.set()
    wait_until(lambda: hung.is_file() and hung.read_bytes() == newest)
    assert len(mount.notes) == 2, "the head that hung and the newest; those between were replaced"
    ledger.close()


def test_a_hung_anchor_holds_up_neither_start_nor_stop_for_long(
    machine: Machine, tmp_path: Path, mount: Mount, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = open_ledger(machine, Anchor(tmp_path / "hung", write=mount.write, read=mount.read))
    record(ledger, 1)
    ledger.close()
    said = [record.getMessage() for record in caplog.records if "hung" in record.getMessage()]
    assert said == [
        f"the anchor {tmp_path / 'hung'} does not answer; what it holds is not compared",
        f"the anchor {tmp_path / 'hung'} did not receive the last checkpoint: it does not answer",
    ]


def test_a_log_behind_its_anchor_is_set_aside(machine: Machine, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    open_ledger(machine, Anchor(anchor)).close()
    before = {path: path.read_bytes() for path in machine.home.rglob("*") if path.is_file()}
    ledger = open_ledger(machine, Anchor(anchor))
    record(ledger, 1)
    ledger.close()
    for path in machine.home.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, data in before.items():
        path.write_bytes(data)
    ledger = open_ledger(machine, Anchor(anchor))
    assert ledger.origin.endswith("/2"), "only the anchor knows what the disk forgot"
    ledger.close()


def test_nothing_is_written_after_the_stop_but_what_hung(tmp_path: Path, mount: Mount) -> None:
    anchor = Anchor(tmp_path / "anchor", write=mount.write)
    anchor.offer(b"first")
    assert mount.asked.acquire(timeout=60)
    anchor.offer(b"second")
    close_all([anchor], seconds=0.05)
    anchor.offer(b"third")
    assert not mount.answers.is_set(), "the stop did not wait for the mount"
    mount.answers.set()
    anchor.close(60)
    assert mount.notes == [b"first"]


def test_an_anchor_that_refuses_is_warned_of_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "missing" / "anchor"
    anchor = Anchor(path)
    anchor.offer(b"first")
    wait_until(lambda: f"could not be copied to {path}: No such file or directory" in caplog.text)
    path.parent.mkdir()
    anchor.offer(b"second")
    anchor.close(5)
    assert path.read_bytes() == b"second"


def test_all_anchors_are_read_and_mistakes_are_not_swallowed(tmp_path: Path) -> None:
    anchors = [Anchor(tmp_path / name) for name in ("a", "b")]
    assert read_all(anchors, lambda anchor: anchor.path.name) == ["a", "b"]
    with pytest.raises(ZeroDivisionError):
        read_all(anchors, lambda _: 1 // 0)
