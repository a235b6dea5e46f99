"""What was answered is in the ledger, whenever the process is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from license.crypto.ed25519 import save_signing_key
from license.evidence.log.entry import parse_use
from license.evidence.verify.verify import verify
from tests.support.ledger import DAY, Machine, Vendor

COMMITTER = Path(__file__).with_name("committer.py")


def prepare(home: Path, vendor: Vendor) -> Machine:
    machine = Machine(home, vendor)
    save_signing_key(home / "instance.key", machine.identity)
    licensed = vendor.license(machine.identity.verifying.vkey, issued=int(time.time()) - DAY)
    (home / "license.note").write_bytes(licensed.note)
    (home / "issuer.note").write_bytes(licensed.issuer_note)
    (home / "roots").mkdir()
    (home / "roots" / "root.vkey").write_bytes(vendor.path.read_bytes())
    return machine


def run_and_kill(nursery: subprocess.Popen[str], after_seconds: float) -> list[str]:
    """Return the receipts that were printed before SIGKILL."""
    if nursery.stdin is None or nursery.stdout is None:
        raise AssertionError("the pipes are missing")
    nursery.stdin.write("go\n")
    nursery.stdin.flush()
    word, _, pid = nursery.stdout.readline().partition(" ")
    if word != "open":
        raise AssertionError("the ledger did not open")
    time.sleep(after_seconds)
    os.kill(int(pid), signal.SIGKILL)
    return [line.rstrip("\n") for line in iter(nursery.stdout.readline, "killed\n")]


def crash(home: Path, vendor: Vendor, *, kills: int) -> None:
    machine = prepare(home, vendor)
    instants = random.Random(20261121)  # noqa: S311
    printed: list[str] = []
    command = [sys.executable, str(COMMITTER), str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        for _ in range(kills):
            printed += run_and_kill(nursery, instants.uniform(0.0, 0.12))
    texts = dict(enumerate(machine.texts()))
    for line in printed:
        n, request_id = line.split(" ")
        used = parse_use(texts[int(n)])
        assert used is not None
        assert used.request_id == request_id
    assert len(printed) > kills
    report = verify(machine.output, vendor.roots)
    assert [finding for finding in report.findings if finding.severity] == []
    assert machine.kinds().count("boot") == kills


def test_every_receipt_is_in_the_ledger_after_five_kills(tmp_path: Path, vendor: Vendor) -> None:
    crash(tmp_path, vendor, kills=5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_receipt_is_in_the_ledger_after_two_hundred_kills(tmp_path: Path, vendor: Vendor) -> None:
    crash(tmp_path, vendor, kills=200)
