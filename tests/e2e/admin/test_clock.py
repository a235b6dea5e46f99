"""The clock on the operators' page: one that ran far ahead is confirmed by somebody who looked at another."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.operators import KEYS, answer, operator, refusal, told
from tests.support.site import Service, Site

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


def started(site: Site, monkeypatch: pytest.MonkeyPatch, days: int) -> Service:
    monkeypatch.setenv("TEST_WALL_OFFSET", str(days * DAY))
    return site.start(*KEYS)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_clock_that_is_not_believed_is_confirmed_from_the_page(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(SHIM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shim"))
    site.issue()
    service = started(site, monkeypatch, -60)
    with service.client() as client:
        assert answer(client).status_code == 200
    assert service.stop() == 0

    service = started(site, monkeypatch, 0)
    with operator(service) as client:
        clock = told(client, "overview")["clock"]
        assert clock["state"] == "held"
        for wrong in ({"boot": "another"}, {"wall": clock["seen"]["wall"] - 3_600}):
            reply = client.post("/admin/api/clock/accept", json={**clock["seen"], **wrong})
            assert refusal(reply) == (409, "ClockRefusal")
        assert told(client, "overview")["clock"]["state"] == "held"
        accepted = client.post("/admin/api/clock/accept", json=clock["seen"])
        assert accepted.json()["clock"]["state"] == "ok"
        assert refusal(client.post("/admin/api/clock/accept", json=clock["seen"])) == (409, "ClockRefusal")
    assert "accepted: operator ada confirmed it" in service.text()
    assert service.stop() == 0
