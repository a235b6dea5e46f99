"""The service as a process that runs connected: start, report, stop answering, resume, stop."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.ledger.read.reports import usage_by_day
from license.authority.book.metering import usage_of
from license.authority.ingest import ingest_bundle
from license.encoding.strict import parse_time
from tests.integration.connected.conftest import ConnectedSite
from tests.integration.connected.network import Relay, pass_on, reset_at_once
from tests.support.forked_process import run_forked_text
from tests.support.site import SENTENCE, VERSION, Service, clean_environ

ROUTE = "/language/:analyze-text"
BODY = {
    "kind": "EntityRecognition",
    "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}, {"id": "2", "text": "Secret " * 200}]},
}


def ask(service: Service) -> Any:
    with service.client() as client:
        return client.post(ROUTE, params=VERSION, json=BODY)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_word(service: Service) -> None:
    """A busy machine may miss an attempt; a stop reports the rest only after one that was answered."""
    until(lambda: bool(service.status()["metering"]["failedAttempts"] == 0))


def counted(site: ConnectedSite) -> int:
    usage = usage_of(site.vendor.store.engine, site.resource)
    return sum(tally.quantity for log in usage for tally in log.days.values())


def recorded(site: ConnectedSite) -> int:
    return sum(tally.quantity for used in usage_by_day(site.output) for tally in used.sums.values())


@pytest.mark.e2e
def test_connected_then_disconnected_then_connected_on_one_ledger(
    connected: ConnectedSite, billing: str, tmp_path: Path
) -> None:
    """The cable is cut on purpose, by accident, and for a while: one ledger, every unit counted once."""
    connected.issue(into=tmp_path / "another")  # the vendor's serials do not begin with this machine
    relay = Relay(billing, pass_on)
    connected.online = (f"Billing={relay.url}", connected.online[1], "Metering:IntervalSeconds=1")
    serve_connected(connected)
    serve_disconnected(connected, relay)
    assert serve_after_a_dead_start(connected, relay).stop() == 0
    relay.close()
    assert counted(connected) == recorded(connected)
    done = connected.operate("usage", "verify", str(connected.output), settings=False)
    assert done.returncode == 0, done.stdout
    sent = b"".join(relay.requests)
    assert b"TextRecords" in sent
    assert not [text for text in ("Merkel", "Reuters", "Berlin", "Secret") if text.encode() in sent]
    # What then comes by hand is the same usage.
    export = tmp_path / "usage.zip"
    words = ("usage", "export", str(connected.output), "--state", str(connected.state), "-o", str(export))
    run_forked_text("appliance", words, environ=clean_environ()).check_returncode()
    asked = ingest_bundle(connected.vendor, export)
    assert asked.accepted == ()
    # It is a summary: the vendor asks to see entries of it, and the same command shows them.
    question = tmp_path / "question"
    question.mkdir()
    (question / "openings.note").write_bytes(asked.openings)
    (question / "issuer.note").write_bytes(connected.vendor.keyring.issuer_note)
    answer = (*words, "--open", str(question / "openings.note"), "--roots", str(connected.vendor.roots_dir))
    run_forked_text("appliance", answer, environ=clean_environ()).check_returncode()
    taken = ingest_bundle(connected.vendor, export)
    assert taken.accepted
    assert not {finding.code for finding in taken.report.findings if finding.severity}
    assert counted(connected) == recorded(connected)


def serve_connected(site: ConnectedSite) -> None:
    """Answer, report, and report the rest at the stop."""
    service = site.start()
    assert "Submitting metering to 'http://127.0.0.1" in service.text()
    assert "Disconnected" not in service.text()
    assert ask(service).status_code == 200
    until(lambda: counted(site) == 3)
    wait_for_word(service)
    said = service.status()
    assert (said["apiStatus"], said["apiStatusMessage"]) == ("Valid", "Api Key is valid, no action needed.")
    metering = said["metering"]
    assert metering["status"] == "Valid"
    assert metering["answersUntil"] > metering["nextAttempt"] >= metering["lastContact"]
    assert ask(service).status_code == 200
    wait_for_word(service)
    assert service.stop() == 0
    assert counted(site) == 6


def serve_disconnected(site: ConnectedSite, relay: Relay) -> None:
    """Fetch a licence while the cable is there, then serve without it."""
    trio, site.online = site.online, ()
    fetched = site.run(*trio[:2], "DownloadLicense=True")
    assert fetched.returncode == 0, fetched.stderr
    sent = len(relay.requests)
    service = site.start()
    assert "Disconnected: metering is recorded, nothing is submitted." in service.text()
    assert "metering" not in service.status()
    assert ask(service).status_code == 200
    assert service.stop() == 0
    assert len(relay.requests) == sent
    assert counted(site) == 6
    site.online = trio


def serve_after_a_dead_start(site: ConnectedSite, relay: Relay) -> Service:
    """Start connected on a dead cable: records are read, and nothing is answered before there is word."""
    assert site.start().stop() == 0  # the lease is now as new as the licence that was fetched
    relay.answer = reset_at_once
    service = site.start()
    refused = ask(service)
    error = refused.json()["error"]["innererror"]
    assert (refused.status_code, error["code"]) == (503, "CouldNotConnect")
    assert "the key was not checked yet" in error["message"]
    assert int(refused.headers["Retry-After"]) >= 1
    with service.client() as client:
        assert client.get("/ready").status_code == 503
        assert client.get("/records/usage-logs/").json()["meters"][0]["quantity"] == 9
    assert service.status()["apiStatus"] == "CouldNotConnect"
    relay.answer = pass_on
    until(lambda: ask(service).status_code == 200)
    until(lambda: counted(site) >= 12)
    wait_for_word(service)
    return service


@pytest.mark.e2e
@pytest.mark.slow
def test_when_the_cable_fails_it_answers_until_the_second_it_shows_and_resumes_by_itself(
    connected: ConnectedSite, billing: str
) -> None:
    relay = Relay(billing, pass_on)
    connected.online = (f"Billing={relay.url}", connected.online[1], "Metering:IntervalSeconds=1")
    service = connected.start()
    relay.answer = reset_at_once
    until(lambda: bool(service.status()["metering"]["failedAttempts"] >= 9))
    shown = parse_time(service.status()["metering"]["answersUntil"])
    while int(time.time()) < shown:
        assert ask(service).status_code == 200
        time.sleep(0.2)
    until(lambda: ask(service).status_code == 503)
    assert int(time.time()) >= shown
    assert "could not be reported since" in ask(service).json()["error"]["innererror"]["message"]
    relay.answer = pass_on
    until(lambda: ask(service).status_code == 200)
    assert service.stop() == 0
    relay.close()
    assert counted(connected) == recorded(connected)
