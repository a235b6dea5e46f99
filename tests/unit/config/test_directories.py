"""Where an installation keeps what it owns."""

from pathlib import Path

from appliance.config.directories import connected_mounts, ledger_directory
from appliance.config.products import SPEECH_TO_TEXT
from appliance.config.settings import Settings


def test_the_logs_of_an_instance_lie_below_its_service() -> None:
    directory = ledger_directory(Path("/out"), SPEECH_TO_TEXT, "0f3a9c2b7d11")
    assert directory == Path("/out/speechtotext/0f3a9c2b7d11")


def test_a_connected_run_keeps_lease_and_usage_in_the_state_directory() -> None:
    mounted = connected_mounts(Settings.read(["Billing=http://b", "ApiKey=k"], {}), Path("/state"))
    assert (mounted.license_mount, mounted.output_mount) == (Path("/state/connected"), Path("/state/output"))
    assert mounted.lease
