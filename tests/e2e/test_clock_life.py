"""Clocks that jump, at a running service: the real processes, with the wall clock moved under them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.site import SENTENCE, VERSION, Service, Site

DAY = 86_400
SHIM = """\
import os, time
_time, _offset = time.time, int(os.environ["TEST_WALL_OFFSET"])
time.time = lambda: _time() + _offset
"""


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Authority]:
    """A vendor who issued everything seventy days ago."""
    with Authority.create(tmp_path / "vendor", clock=lambda: int(time.time()) - 70 * DAY) as authority:
        yield authority


@pytest.fixture
def move_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Move the wall clock of every process that is started from now on, by that many days."""
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(SHIM)
    monkeypatch.setenv("PYTHONPATH", str(shim))

    def move(days: int) -> None:
        monkeypatch.setenv("TEST_WALL_OFFSET", str(days * DAY))

    return move


def serves(service: Service) -> bool:
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
    with service.client() as client:
        return client.post("/language/:analyze-text", params=VERSION, json=body).status_code == 200


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run_once(site: Site) -> dict[str, Any]:
    service = site.start()
    assert serves(service)
    body = service.status()
    assert service.stop() == 0
    return body


@pytest.mark.slow
@pytest.mark.e2e
def test_a_server_that_was_off_for_two_months_is_accepted_by_a_person(
    site: Site, move_clock: Callable[[int], None]
) -> None:
    site.issue()
    move_clock(-60)
    assert run_once(site)["clock"]["state"] == "ok"
    move_clock(0)
    service = site.start()
    assert serves(service)
    body = service.status()
    assert body["clock"]["state"] == "held"
    assert "appliance clock accept" in next(n["hint"] for n in body["notices"] if n["code"] == "ClockHeld")
    shown = site.operate("clock", "show")
    assert "held" in shown.stdout
    assert "60 days ahead" in shown.stdout
    accepted = site.operate("clock", "accept", "--yes")
    assert accepted.returncode == 0, accepted.stderr
    service.reload()
    until(lambda: bool(service.status()["clock"]["state"] == "ok"))
    assert not (site.state / "clock-accept.json").exists()
    assert serves(service)
    assert "accepted: the operator confirmed it" in service.text()
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert {"clock-held", "clock-adopted"} <= {finding.code for finding in report.findings}
    assert report.exit_code == 1, "told, not broken"
    again = site.operate("clock", "accept", "--yes")
    assert again.returncode == 1
    assert "there is nothing to accept" in again.stderr


@pytest.mark.slow
@pytest.mark.e2e
def test_one_start_in_2099_burns_nothing(site: Site, move_clock: Callable[[int], None]) -> None:
    site.issue()
    move_clock(0)
    run_once(site)
    move_clock(73 * 365)
    assert run_once(site)["clock"]["state"] == "held"
    move_clock(0)
    body = run_once(site)
    assert body["clock"]["state"] == "ok"
    assert body["license"]["state"] == "Valid"


@pytest.mark.e2e
def test_a_very_first_start_in_2099_is_refused_and_burns_nothing(
    site: Site, move_clock: Callable[[int], None]
) -> None:
    site.issue()
    move_clock(73 * 365)
    refused = site.run()
    assert refused.returncode == 78
    assert "the licence expired at" in refused.stderr
    move_clock(0)
    assert run_once(site)["license"]["state"] == "Valid"


@pytest.mark.slow
@pytest.mark.e2e
def test_a_clock_that_ran_ahead_is_put_right_by_a_new_licence_only(
    site: Site, move_clock: Callable[[int], None], tmp_path: Path
) -> None:
    site.issue()
    move_clock(-30)
    run_once(site)
    move_clock(10)  # within the gap that is believed at a start
    assert run_once(site)["clock"]["state"] == "ok"
    move_clock(0)
    service = site.start()
    assert serves(service)
    assert service.status()["clock"]["state"] == "behind"
    with Authority.open(site.vendor.home) as today:
        site.vendor = today
        site.issue(into=tmp_path / "stick")
        assert site.operate("license", "install", str(tmp_path / "stick")).returncode == 0
        service.reload()
        until(lambda: bool(service.status()["clock"]["state"] == "ok"))
    assert serves(service)
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert "clock-lowered" in {finding.code for finding in report.findings}
    assert "time-back" not in {finding.code for finding in report.findings}


@pytest.mark.slow
@pytest.mark.e2e
def test_a_licence_used_up_by_a_clock_ahead_is_put_right_at_the_start(
    site: Site, move_clock: Callable[[int], None]
) -> None:
    first = site.issue(terms=Terms(days=100, grace_days=30, report_days=50))
    move_clock(-30)
    run_once(site)
    for days in (10, 50, 90):  # somebody nudges it on, start by start
        move_clock(days)
        service = site.start()
        state = service.status()["license"]["state"]
        assert service.stop() == 0
    assert state == "Expired"
    move_clock(0)
    with Authority.open(site.vendor.home) as today:
        site.vendor = today
        renewed = site.issue()
        assert renewed.serial > first.serial
        body = run_once(site)
    assert (body["license"]["state"], body["clock"]["state"]) == ("Valid", "ok")
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert not {"time-back", "day", "license-back"} & {finding.code for finding in report.findings}
