from pathlib import Path

import pytest

from appliance.config.identity import load_identity
from appliance.config.settings import Settings
from appliance.config.state_place import StatePlace, find_state


def place(*words: str, **environ: str) -> StatePlace:
    return find_state(Settings.read(words, {}), environ)


def test_a_named_directory_holds_both_before_systemd_s_and_the_user_s() -> None:
    mounts = ("Mounts:License=/l", "Mounts:Output=/o")
    assert place(*mounts, "Mounts:State=/s", STATE_DIRECTORY="/var/lib/x") == StatePlace(keys=Path("/s"))
    assert place(*mounts, STATE_DIRECTORY="/var/lib/x:/y") == StatePlace(keys=Path("/var/lib/x"))
    assert place(HOME="/home/a").keys == Path("/home/a/.local/state/offline-appliance")


def test_otherwise_the_keys_lie_with_the_licence_and_the_rest_with_the_ledger(tmp_path: Path) -> None:
    mounts = (f"Mounts:License={tmp_path}/l", f"Mounts:Output={tmp_path}/o")
    found = place(*mounts, HOME=str(tmp_path))
    assert found == StatePlace(keys=tmp_path / "l/identity", ledgers=tmp_path / "o/customner")
    identity = load_identity(found.keys, ledgers=found.ledgers)
    assert identity.directory == tmp_path / "l/identity"
    assert identity.state == tmp_path / "o/customner" / identity.instance / "state"
    assert not (tmp_path / "o").exists(), "only a start makes it"


def test_an_installation_that_was_begun_elsewhere_goes_on_there(tmp_path: Path) -> None:
    old = tmp_path / ".local/state/offline-appliance"
    load_identity(old)
    mounts = (f"Mounts:License={tmp_path}/l", f"Mounts:Output={tmp_path}/o")
    assert place(*mounts, HOME=str(tmp_path)) == StatePlace(keys=old)
    load_identity(tmp_path / "l/identity")
    assert place(*mounts, HOME=str(tmp_path)).keys == tmp_path / "l/identity"


def test_a_connected_run_has_one_directory() -> None:
    trio = ("Billing=https://e", "ApiKey=k", "Image:State=/state")
    assert place(*trio) == StatePlace(keys=Path("/state"))


@pytest.mark.parametrize("mounts", [("Mounts:License=/l",), ("Mounts:License=/l", "DownloadLicense=True")])
def test_a_download_needs_no_output(mounts: tuple[str, ...]) -> None:
    assert place(*mounts, HOME="/nowhere") == StatePlace(keys=Path("/l/identity"))
