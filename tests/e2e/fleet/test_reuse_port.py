"""Two services that were started by themselves share one port; one of them stops under load."""

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.e2e.edge.test_proxies import free_port
from tests.e2e.fleet.test_workers import Load, answered_by, until
from tests.support.site import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def sites(tmp_path: Path, vendor: Authority) -> list[Site]:
    return [Site(tmp_path / name, vendor) for name in ("one", "two")]


def test_both_answer_and_no_request_fails_when_one_stops(
    sites: list[Site], request: pytest.FixtureRequest
) -> None:
    port = free_port()
    words = ("Http:ReusePort=True", f"Http:Port={port}", "Http:LameDuckSeconds=1")
    for site in sites:
        request.addfinalizer(site.close)
        site.issue()
    one, two = (site.start(*words) for site in sites)
    found = answered_by(one)
    until(lambda: len(found.update(answered_by(one)) or found) == 2)
    load = Load(one.url, callers=4)
    time.sleep(0.5)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(60) == 0
    time.sleep(0.5)
    statuses = load.end()
    assert load.refused == 0
    assert set(statuses) == {200}, Counter(map(str, statuses))
    assert len(answered_by(two, times=10)) == 1


def test_a_port_is_shared_only_by_those_that_all_say_so(
    sites: list[Site], request: pytest.FixtureRequest
) -> None:
    for site in sites:
        request.addfinalizer(site.close)
        site.issue()
    port = free_port()
    sites[0].start(f"Http:Port={port}")
    result = sites[1].run(f"Http:Port={port}", "Http:ReusePort=True")
    assert result.returncode == 78
    assert f"port {port} is taken" in result.stderr
