"""The service as a process that runs connected: start, report, stop answering, resume, stop."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from license.authority.metering import usage_of
from tests.connected.conftest import ConnectedSite
from tests.support.site import SENTENCE, VERSION, Service

ROUTE = "/language/:analyze-text"
BODY = {
    "kind": "EntityRecognition",
    "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}, {"id": "2", "text": "Secret " * 200}]},
}


def ask(service: Service) -> Any:
    with service.client() as client:
        return client.post(ROUTE, params=VERSION, json=BODY)


def status(service: Service) -> dict[str, Any]:
    with service.client() as client:
        found: dict[str, Any] = client.get("/status").json()
        return found


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def counted(site: ConnectedSite) -> int:
    name = next(r.name for r in site.vendor.store.resources() if r.name == resource_of(site))
    usage = usage_of(site.vendor.store.engine, name)
    return sum(tally.quantity for log in usage for tally in log.days.values())


def resource_of(site: ConnectedSite) -> str:
    key = next(word for word in site.online if word.startswith("ApiKey=")).partition("=")[2]
    found = site.vendor.store.find_by_key(key)
    assert found is not None
    return found.name


@pytest.mark.e2e
def test_a_connected_run_answers_reports_and_reports_the_rest_at_its_stop(connected: ConnectedSite) -> None:
    service = connected.start()
    assert "Submitting metering to 'http://127.0.0.1" in service.text()
    assert "Disconnected" not in service.text()
    assert ask(service).status_code == 200
    until(lambda: counted(connected) == 3)
    said = status(service)
    assert (said["apiStatus"], said["apiStatusMessage"]) == ("Valid", "Api Key is valid, no action needed.")
    metering = said["metering"]
    assert metering["status"] == "Valid"
    assert metering["failedAttempts"] == 0, metering
    assert metering["answersUntil"] > metering["nextAttempt"] >= metering["lastContact"]
    assert ask(service).status_code == 200
    assert service.stop() == 0
    assert counted(connected) == 6
