"""The key is checked before the first answer: each status word, its sentence, its setting, its exit code."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.errors import exit_code
from appliance.config.directories import connected_mounts
from appliance.config.identity import Identity, load_identity
from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.metering.lease import connect, metering_client, proxy_of
from license.errors import DownloadError, LicenseError
from license.metering_protocol import MESSAGES
from license.trust.roots import load_roots
from tests.integration.connected.conftest import Vendor, free_port
from tests.integration.connected.network import Relay, told
from tests.support.forked_process import run_forked_text
from tests.support.paths import ROOT
from tests.support.site import clean_environ

PAGE = ROOT / "docs" / "connected.md"
REFUSED = b'{"error": {"code": "x", "message": "told so", "hint": "wait"}, "status": "%s"}'
BASIC = "Basic dXNlcjpzZWNyZXQ="


class Start:
    """A start up to the point where the ledger would be opened."""

    def __init__(self, home: Path, vendor: Vendor, billing: str) -> None:
        self.identity: Identity = load_identity(home / "state")
        self.vendor = vendor
        self.settings = Settings.read([f"Billing={billing}", f"ApiKey={vendor.key}", "Eula=accept"], {})
        self.output = home / "output"

    def __call__(self, **changes: Any) -> Any:
        settings = connected_mounts(replace(self.settings, **changes), self.identity.directory)
        roots = load_roots(self.vendor.authority.roots_dir)
        return connect(settings, identity=self.identity, roots=roots, output=self.output)


@pytest.fixture
def start(tmp_path: Path, meter: Vendor, endpoint: str) -> Start:
    return Start(tmp_path / "start", meter, endpoint)


@pytest.fixture
def way(endpoint: str) -> Iterator[Relay]:
    relay = Relay(endpoint, told(500))
    yield relay
    relay.close()


def refused(start: Start, **changes: Any) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        start(**changes)
    return caught.value


def test_a_good_key_opens_with_a_first_report_due_at_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "appliance.metering")
    endpoint_state = start().endpoint_state
    assert MESSAGES["Valid"] in caplog.messages[-1]
    assert (endpoint_state.status, endpoint_state.message, endpoint_state.failed) == (
        "Valid",
        MESSAGES["Valid"],
        0,
    )
    assert endpoint_state.answers(endpoint_state.next_at)
    assert endpoint_state.until == endpoint_state.next_at + 9 * 600 + 30


@pytest.mark.parametrize(
    ("changes", "setting", "word", "code"),
    [
        ({"api_key": "0" * 32}, "ApiKey", "Invalid", 10),
        ({"billing": "ftp://x"}, "Billing", "Invalid", 78),
        ({"billing": "http://no.such.name.invalid"}, "Billing", "CouldNotConnect", 12),
    ],
)
def test_a_wrong_key_or_address_is_named(
    start: Start, changes: dict[str, str], setting: str, word: str, code: int
) -> None:
    error = refused(start, **changes)
    assert error.status == word
    assert exit_code(error) == code
    assert setting in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("answer", "setting", "word", "code"),
    [
        (told(401, REFUSED % b"Invalid"), "ApiKey", "Invalid", 10),
        (told(409, REFUSED % b"Mismatch"), "ApiKey or Billing", "Mismatch", 11),
        (told(403, REFUSED % b"OutOfQuota"), "ApiKey", "OutOfQuota", 13),
        (told(429, REFUSED % b"BillingEndpointBusy"), "Billing", "BillingEndpointBusy", 14),
        (told(403, REFUSED % b"ContainerUseUnauthorized"), "ApiKey", "ContainerUseUnauthorized", 15),
        (told(503, REFUSED % b"Unknown"), "Billing", "Unknown", 16),
        (told(200, b"<html>"), "Billing", "Unknown", 18),
    ],
)
def test_each_status_word_ends_the_first_start_with_its_sentence_and_exit_code(
    start: Start, way: Relay, answer: Any, setting: str, word: str, code: int
) -> None:
    way.answer = answer
    error = refused(start, billing=way.url)
    assert (error.status, exit_code(error)) == (word, code)
    assert error.message.startswith(f"{setting}: {MESSAGES[word]}")
    row = rf"\| {code} \| `{word}` \|.*{re.escape(MESSAGES[word])}"
    assert code == 18 or re.search(row, PAGE.read_text())


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (told(429, REFUSED % b"BillingEndpointBusy", b"Retry-After: 77\r\n"), "BillingEndpointBusy"),
        (told(503), "Unknown"),
        (told(403, REFUSED % b"OutOfQuota"), "OutOfQuota"),
    ],
)
def test_with_a_lease_of_an_earlier_run_it_starts_and_answers_nothing_until_there_is_word(
    start: Start, way: Relay, answer: Any, word: str
) -> None:
    start()
    way.answer = answer
    endpoint_state = start(billing=way.url).endpoint_state
    assert endpoint_state.status == word
    assert endpoint_state.until is None
    assert not endpoint_state.answers(endpoint_state.next_at)
    assert MESSAGES[word] in endpoint_state.message
    if word == "BillingEndpointBusy":
        assert endpoint_state.next_at >= 77


def test_without_a_lease_or_with_anothers_it_does_not_start(start: Start, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    error = refused(start, billing=nowhere)
    assert error.status == "CouldNotConnect"
    assert "appliance diagnose" in error.hint
    start()
    other = Start(tmp_path / "other", start.vendor, nowhere)
    shutil.copytree(start.identity.directory / "connected", other.identity.directory / "connected")
    assert refused(other).status == "CouldNotConnect"


def test_a_wrong_key_never_starts_even_with_a_lease(start: Start) -> None:
    start()
    assert refused(start, api_key="0" * 32).status == "Invalid"


def test_an_authority_that_this_host_does_not_trust_is_refused(
    start: Start, tmp_path: Path, vendor: Any
) -> None:
    with pytest.raises(LicenseError) as caught:
        connect(
            connected_mounts(start.settings, start.identity.directory),
            identity=start.identity,
            roots=load_roots(vendor.roots_dir),
            output=tmp_path,
        )
    assert caught.value.code == "UnknownSigner"


@pytest.mark.parametrize(("words", "missing"), [(["Billing=http://x"], "ApiKey"), (["ApiKey=k"], "Billing")])
def test_a_missing_one_of_the_three_is_named(words: list[str], missing: str) -> None:
    settings = Settings.read(words, {})
    assert settings.connected
    with pytest.raises(SettingsError, match=f"^{missing} is missing") as caught:
        metering_client(settings)
    assert exit_code(caught.value) == 78


def test_a_licence_or_a_download_is_no_connected_run() -> None:
    trio = ["Billing=http://x", "ApiKey=k"]
    assert not Settings.read([*trio, "Mounts:License=/l"], {}).connected
    assert not Settings.read([*trio, "DownloadLicense=True"], {}).connected
    assert not Settings.read([], {}).connected


@pytest.mark.parametrize(
    ("words", "tls", "expected"),
    [
        ([], False, None),
        (["HTTP_PROXY=http://proxy:8888"], False, ("proxy", 8888, "")),
        (["HTTP_PROXY=proxy:8888", "HTTPS_PROXY=http://other:1"], True, ("other", 1, "")),
        (["HTTP_PROXY=http://proxy:8888"], True, ("proxy", 8888, "")),
        (
            ["HTTP_PROXY=http://p:1", "HTTP_PROXY_CREDS=user:secret"],
            False,
            ("p", 1, "Basic dXNlcjpzZWNyZXQ="),
        ),
        (["HTTP_PROXY=http://user:secret@p:1"], False, ("p", 1, "Basic dXNlcjpzZWNyZXQ=")),
        (["HTTP_PROXY=http://p:1", "NO_PROXY=a.example, example.com"], False, None),
        (["HTTP_PROXY=http://p:1", "NO_PROXY=ample.com"], False, ("p", 1, "")),
    ],
)
def test_proxies_are_taken_as_the_containers_take_them(
    words: list[str], tls: bool, expected: tuple[str, int, str] | None
) -> None:
    found = proxy_of(Settings.read(words, {}), "license.example.com", tls=tls)
    assert (found and (found.host, found.port, found.authorization)) == expected


def test_a_proxy_that_is_no_address_is_named() -> None:
    with pytest.raises(SettingsError, match="HTTP_PROXY"):
        proxy_of(Settings.read(["HTTP_PROXY=https://p:1"], {}), "h", tls=False)


def test_a_proxy_that_is_not_there_is_named_instead_of_the_endpoint(start: Start) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    error = refused(start, http_proxy=proxy)
    assert f"nobody listens at the proxy {proxy}" in error.message


@pytest.mark.e2e
def test_a_start_that_misses_one_of_the_three_makes_nothing(tmp_path: Path) -> None:
    words = ("Eula=accept", "Billing=http://127.0.0.1:9", f"Mounts:State={tmp_path / 'state'}")
    done = run_forked_text("appliance", words, environ=clean_environ())
    assert done.returncode == 78
    assert "ApiKey is missing" in done.stderr
    assert not (tmp_path / "state").exists()
