from pathlib import Path

import pytest

from appliance.errors import LedgerLocked, OutputError
from appliance.ledger.log.directory_lock import claim_state


def test_a_state_directory_has_one_user_at_a_time(tmp_path: Path) -> None:
    claim = claim_state(tmp_path, "customner")
    with pytest.raises(LedgerLocked, match="another process uses the state directory") as refused:
        claim_state(tmp_path, "customner")
    assert refused.value.hint == "give this service a state directory of its own: Mounts:State=DIRECTORY"
    claim.release()
    claim_state(tmp_path, "customner").release()


def test_a_state_directory_belongs_to_the_service_that_used_it_first(tmp_path: Path) -> None:
    claim_state(tmp_path, "customner").release()
    with pytest.raises(OutputError, match="belongs to the service customner") as refused:
        claim_state(tmp_path, "speechtotext")
    assert refused.value.hint == "give this service a state directory of its own: Mounts:State=DIRECTORY"
    claim_state(tmp_path, "customner").release()  # nothing is held after a refusal


def test_an_owner_that_cannot_be_read_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "service").write_bytes(b"x" * 1000)
    with pytest.raises(OutputError, match="whose state it is"):
        claim_state(tmp_path, "customner")
