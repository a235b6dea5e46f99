"""`appliance diagnose`: each step of the way has its finding, and the first that fails ends it."""

import time
from pathlib import Path
from typing import Any

import pytest

from appliance.config.settings import Settings
from appliance.doctor.billing_endpoint import diagnose
from appliance.doctor.finding import Finding, Level
from license.metering_protocol import MESSAGES
from tests.integration.connected.conftest import Vendor, free_port
from tests.integration.connected.network import Relay, TlsEndpoint, pass_on, told


def look(*words: str, now: Any = time.time) -> list[Finding]:
    return diagnose(Settings.read(words, {}), now=now, step_s=5)


def levels(found: list[Finding]) -> dict[str, str]:
    return {finding.check: str(finding.level) for finding in found}


def test_a_good_way_passes_every_step(meter: Vendor, endpoint: str) -> None:
    found = look(f"Billing={endpoint}", f"ApiKey={meter.key}")
    checks = ["address", "proxy", "dns", "tcp", "key", "clock"]
    assert levels(found) == dict.fromkeys(checks, "pass")
    assert found[4].message == MESSAGES["Valid"]


@pytest.mark.parametrize(
    ("words", "check", "said"),
    [
        ((), "address", "Billing"),
        (("Billing=http://no.such.name.invalid",), "dns", "not known here"),
        ((f"Billing=http://127.0.0.1:{free_port()}",), "tcp", "no connection"),
        (("Billing=http://x", "HTTP_PROXY=ftp://p"), "proxy", "HTTP_PROXY"),
    ],
)
def test_the_step_that_fails_is_the_last_and_says_what_to_do(
    words: tuple[str, ...], check: str, said: str
) -> None:
    found = look(*words, "ApiKey=k")
    assert (found[-1].check, found[-1].level) == (check, Level.FAIL)
    assert said in found[-1].message
    assert found[-1].command


def test_a_wrong_key_fails_and_the_clock_is_compared_all_the_same(endpoint: str) -> None:
    found = levels(look(f"Billing={endpoint}", f"ApiKey={'0' * 32}"))
    assert (found["key"], found["clock"]) == ("fail", "pass")


def test_no_key_is_the_key_s_finding(endpoint: str) -> None:
    assert look(f"Billing={endpoint}")[-1].check == "key"


@pytest.mark.parametrize(("skew", "said"), [(4_000, "ahead of"), (-4_000, "behind")])
def test_a_clock_that_is_far_off_fails(meter: Vendor, endpoint: str, skew: int, said: str) -> None:
    found = look(f"Billing={endpoint}", f"ApiKey={meter.key}", now=lambda: time.time() + skew)
    assert found[-1].level is Level.FAIL
    assert f"s {said}" in found[-1].message


def test_a_certificate_that_is_not_trusted_fails_at_tls(tmp_path: Path) -> None:
    endpoint = TlsEndpoint(tmp_path)
    found = look(f"Billing={endpoint.url}", "ApiKey=k")
    endpoint.close()
    assert (found[-1].check, found[-1].level) == ("tls", Level.FAIL)
    assert "certificate" in found[-1].message


def test_the_proxy_is_gone_through(meter: Vendor, endpoint: str) -> None:
    relay = Relay(endpoint, pass_on)
    words = ("Billing=http://license.example.invalid", f"ApiKey={meter.key}", f"HTTP_PROXY={relay.url}")
    found = look(*words, "HTTP_PROXY_CREDS=user:secret")
    relay.close()
    assert "with credentials" in found[1].message
    assert "secret" not in str(found)
    assert [finding.check for finding in found][:4] == ["address", "proxy", "dns", "tcp"]
    assert relay.requests[-1].startswith(b"GET http://license.example.invalid:80/v1/status HTTP/1.1\r\n")


def test_whoever_answers_without_a_date_is_warned_of(endpoint: str) -> None:
    relay = Relay(endpoint, told(200, b'{"status": "Valid"}'))
    found = look(f"Billing={relay.url}", "ApiKey=k")
    relay.close()
    assert levels(found)["key"] == "pass"
    assert levels(found)["clock"] == "warn"
