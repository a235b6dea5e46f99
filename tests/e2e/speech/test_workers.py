"""The speech service as several workers on one port: all of them hear, and a stop loses no answer."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from license.authority.issuing.issue import Terms
from tests.e2e.fleet.test_workers import recorded, until, workers
from tests.e2e.speech.test_rest import post, wav
from tests.support.site import Service, Site

pytestmark = pytest.mark.e2e


def heard_by(service: Service, times: int = 12) -> Counter[str]:
    """Which installation recorded how many answers, each over a connection of its own."""
    found: Counter[str] = Counter()
    for _ in range(times):
        with service.client() as client:
            reply = post(client, wav())
        assert reply.status_code == 200
        assert reply.json()["DisplayText"] == "Turn left."
        found[reply.headers["usage-record"].split("/")[2]] += 1
    return found


def test_all_workers_hear_and_one_that_dies_comes_back(new_site: Callable[..., Site], tones: Path) -> None:
    site = new_site(terms=Terms(binding="any"))
    service = site.start("Service=speechtotext", f"Mounts:Model={tones}", "Workers=2")
    found = heard_by(service)
    until(lambda: len(found.update(heard_by(service)) or found) == 2)
    first = workers(service)[0]
    os.kill(first, signal.SIGKILL)
    heard = found + heard_by(service)
    until(lambda: len(workers(service)) == 2 and first not in workers(service))
    heard += heard_by(service)
    assert service.stop() == 0
    assert recorded(site) == 2 * heard.total(), "1.5 seconds are two"
