"""Kill -9 under load: what was answered is in the ledger, and the service starts again by itself."""

import logging
import random
import threading
import time
from collections import Counter

import httpx2
import pytest

from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.recorded import Asked, check_vendor_counts, uses
from tests.support.site import SENTENCE, VERSION, Service, Site

_log = logging.getLogger(__name__)

CALLERS = (1, 2, 3, 4)
"""Units that each caller asks for at a time, so that a record tells whose request it was."""


def load(service: Service, stop: threading.Event, asked: Asked, units: int) -> None:
    """Ask for so many units at a time, until the service is gone."""
    documents = [{"id": str(number), "text": SENTENCE} for number in range(units)]
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": documents}}
    with service.client() as client:
        while not stop.is_set():
            try:
                reply = client.post("/language/:analyze-text", params=VERSION, json=body)
            except httpx2.HTTPError:
                asked.cut[units] += 1
                return
            if reply.status_code == 200:
                assert reply.headers["Usage-Record"] not in asked.answered
                asked.answered[reply.headers["Usage-Record"]] = units


def run_and_kill(site: Site, asked: Asked, chance: random.Random) -> None:
    """Start, ask from four sides, and kill at some instant: one time in five before it was ready."""
    if chance.random() < 0.2:
        service = site.start(wait=False)
        time.sleep(chance.uniform(0.2, 1.5))
        service.kill()
        return
    service = site.start()
    stop = threading.Event()
    callers = [threading.Thread(target=load, args=(service, stop, asked, units)) for units in CALLERS]
    for caller in callers:
        caller.start()
    answered, patience = len(asked.answered), time.monotonic() + 20 * (chance.random() < 0.8)
    while len(asked.answered) == answered and time.monotonic() < patience:
        time.sleep(0.005)  # a slow machine is to answer as well before it is killed, four times in five
    time.sleep(chance.uniform(0.02, 0.4))
    service.kill()
    stop.set()
    for caller in callers:
        caller.join()


def crash(site: Site, *, kills: int) -> None:
    site.issue()
    asked = Asked()
    chance = random.Random(4)  # noqa: S311 (moments, not secrets)
    for _ in range(kills):
        run_and_kill(site, asked, chance)
    last = site.start()
    with last.client() as client:
        usage = client.get("/records/usage-logs/").json()
    assert last.stop() == 0
    assert len(asked.answered) > kills // 2
    entries = uses(site)
    assert len({use.request_id for use in entries.values()}) == len(entries), "each is recorded once"
    found = {receipt: entries.pop(receipt).quantity for receipt in asked.answered}
    assert found == asked.answered, "answered means durable"
    left = Counter(use.quantity for use in entries.values())
    assert left <= asked.cut, "whatever else is recorded belongs to a request that was cut"
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert {finding.code for finding in report.findings} == {"cut-off"}, "each kill is told, nothing else"
    assert report.exit_code == 0
    assert usage["meters"][0]["quantity"] == sum(asked.answered.values()) + sum(left.elements())
    check_vendor_counts(site, uses(site))
    facts = (kills, len(asked.answered), asked.cut.total(), left.total())
    _log.info("%d kills: %d answered, %d cut, of which %d recorded", *facts)


@pytest.mark.e2e
def test_after_kill_9_every_answered_request_is_in_a_ledger_that_verifies(site: Site) -> None:
    crash(site, kills=4)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_same_two_hundred_times(site: Site) -> None:
    crash(site, kills=200)
