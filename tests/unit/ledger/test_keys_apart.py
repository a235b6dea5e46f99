"""Keys beside the licence, and state in the output: what is left when the output is thrown away."""

import shutil
from pathlib import Path

import pytest

from appliance.errors import LedgerLocked
from appliance.ledger.ledger import Ledger
from tests.support.evidence import METER, record
from tests.support.ledger import DAY, Machine


def start(machine: Machine, keys: Path, output: Path) -> Ledger:
    directory = output / machine.service / machine.identity.verifying.fingerprint
    return Ledger.open(
        directory,
        identity=machine.identity,
        state=directory / "state",
        keys=keys,
        clock=machine.clock(),
        license=machine.licensed,
        software="offline-appliance 0.1.0",
        service=machine.service,
    )


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    made = tmp_path / "license" / "identity"
    made.mkdir(parents=True, mode=0o700)
    return made


def test_the_count_outlives_the_output(machine: Machine, keys: Path, tmp_path: Path) -> None:
    ledger = start(machine, keys, tmp_path / "output")
    record(ledger, *range(20))
    ledger.close()
    assert list(keys.glob("usage-*"))
    shutil.rmtree(tmp_path / "output")
    ledger = start(machine, keys, tmp_path / "output")
    assert ledger.used(METER, 0, machine.wall + DAY) == 40
    ledger.close()


def test_one_process_uses_the_keys_whatever_its_output(machine: Machine, keys: Path, tmp_path: Path) -> None:
    ledger = start(machine, keys, tmp_path / "output")
    with pytest.raises(LedgerLocked, match="another process uses the keys"):
        start(machine, keys, tmp_path / "other")
    ledger.close()
    start(machine, keys, tmp_path / "other").close()
