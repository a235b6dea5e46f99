"""What leaves the host is what the preview shows, byte for byte, and none of it is content of a request."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli.main import main
from appliance.config.directories import LEASE_DIRECTORY
from appliance.config.products import CUSTOM_NER
from appliance.config.settings import Settings
from appliance.metering.lease import fetch_lease
from appliance.metering.preview import KEY_SHOWN, preview
from license.trust.signed_note import read_unverified
from tests.integration.connected.conftest import Machine
from tests.integration.connected.network import Relay, pass_on


@pytest.fixture
def way(endpoint: str) -> Iterator[Relay]:
    relay = Relay(endpoint, pass_on)
    yield relay
    relay.close()


def settings_of(machine: Machine, billing: str) -> Settings:
    return replace(
        Settings.read([f"Billing={billing}", f"ApiKey={machine.client.api_key}"], {}),
        output_mount=machine.home / "output",
    )


def test_what_is_sent_is_what_was_shown(machine: Machine, way: Relay) -> None:
    machine.use(3, 1)
    machine.ledger.checkpoint()
    shown = list(preview(settings_of(machine, way.url), machine.identity, now=machine.time.now))
    machine.reporter.client = replace(machine.client, billing=way.url)
    machine.reporter.attempt()
    fetch_lease(
        machine.reporter.client,
        identity=machine.identity,
        roots=machine.roots,
        service=CUSTOM_NER,
        directory=machine.identity.directory / LEASE_DIRECTORY,
        serial=1,
        now=machine.time.now,
    )
    key = machine.client.api_key.encode()
    assert len(shown) == len(way.requests) == 2
    assert [sent.replace(key, KEY_SHOWN.encode()) for sent in reversed(way.requests)] == [
        request.data for request in shown
    ]
    # With nothing left to report it asks how far the log is counted, and that is shown too.
    _, shown_check = preview(settings_of(machine, way.url), machine.identity)
    machine.reporter.attempt()
    assert way.requests[-1].replace(key, KEY_SHOWN.encode()) == shown_check.data
    assert shown_check.data.startswith(b"GET /v1/status?log=offline-appliance/customner/")


def test_all_that_leaves_is_counted_names_and_numbers(machine: Machine, way: Relay) -> None:
    """Every value of every request is of a known kind; there is no room for content."""
    machine.use(3, 1)
    machine.ledger.checkpoint()
    lease, report = preview(settings_of(machine, way.url), machine.identity)
    headers, _, body = report.data.partition(b"\r\n\r\n")
    names = {line.split(b":")[0] for line in headers.split(b"\r\n")[1:]}
    assert names == {
        b"Host",
        b"Accept-Encoding",
        b"Content-Length",
        b"Ocp-Apim-Subscription-Key",
        b"Content-Type",
        b"Accept",
        b"Idempotency-Key",
    }
    said = json.loads(read_unverified(body).partition("\n")[2])
    assert set(said) == {"log", "first", "next", "records", "instance", "checkpoint", "growth"}
    (record,) = said["records"]
    assert set(record) == {"entries", "billedUnit", "usageRequestBody"}
    assert said["log"] == machine.ledger.origin
    claims = json.loads(read_unverified(lease.data.partition(b"\r\n\r\n")[2]).partition("\n")[2])
    assert set(claims) == {"instance", "hpke", "product", "models", "software", "created", "serial"}


def test_the_command_prints_the_bytes_and_masks_the_key(machine: Machine, way: Relay, tmp_path: Path) -> None:
    machine.use(3)
    machine.ledger.checkpoint()
    words = [
        f"Billing={way.url}",
        f"ApiKey={machine.client.api_key}",
        f"Mounts:State={machine.identity.directory}",
        f"Mounts:Output={machine.home / 'output'}",
    ]
    done = CliRunner().invoke(main, ["metering", "preview", *words, "-o", str(tmp_path / "shown")])
    assert done.exit_code == 0, done.output
    assert machine.client.api_key not in done.output
    assert "POST /v1/connected HTTP/1.1" in done.stdout
    assert "POST /v1/usage HTTP/1.1" in done.stdout
    assert (tmp_path / "shown" / "request-2").read_bytes().startswith(b"POST /v1/usage")
    assert way.requests == []


def test_usage_that_is_not_signed_yet_is_shown_too(machine: Machine, way: Relay) -> None:
    machine.ledger.checkpoint()
    machine.use(3)
    shown = list(preview(settings_of(machine, way.url), machine.identity, now=machine.time.now))
    machine.reporter.client = replace(machine.client, billing=way.url)
    machine.reporter.attempt()
    sent = way.requests[0].replace(machine.client.api_key.encode(), KEY_SHOWN.encode())
    assert shown[1].data == sent
