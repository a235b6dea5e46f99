"""Kill -9 under load: what was answered is in the ledger, and the service starts again by itself."""

import random
import threading
import time

import httpx2
import pytest

from license.evidence.verify import verify
from license.roots import load_roots
from tests.support.site import SENTENCE, VERSION, Service, Site


def load(service: Service, stop: threading.Event, receipts: list[str]) -> None:
    body = {
        "kind": "EntityRecognition",
        "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
    }
    with service.client() as client:
        while not stop.is_set():
            try:
                reply = client.post("/language/:analyze-text", params=VERSION, json=body)
            except httpx2.HTTPError:
                return
            if reply.status_code == 200:
                receipts.append(reply.headers["Usage-Record"])


@pytest.mark.e2e
def test_after_kill_9_every_answered_request_is_in_a_ledger_that_verifies(site: Site) -> None:
    site.issue()
    receipts: list[str] = []
    chance = random.Random(4)  # noqa: S311 (moments, not secrets)
    for _ in range(3):
        service = site.start()
        stop = threading.Event()
        callers = [threading.Thread(target=load, args=(service, stop, receipts)) for _ in range(4)]
        for caller in callers:
            caller.start()
        time.sleep(0.3 + chance.random() / 2)
        service.kill()
        stop.set()
        for caller in callers:
            caller.join()
    last = site.start()
    with last.client() as client:
        usage = client.get("/records/usage-logs/").json()
    assert last.stop() == 0
    assert len(receipts) == len(set(receipts)) > 20
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert [finding.code for finding in report.findings] == ["cut-off"] * 3, "each kill is told, nothing else"
    assert report.exit_code == 0
    recorded = usage["meters"][0]["quantity"]
    assert recorded >= len(receipts), "answered means durable"
    assert recorded <= len(receipts) + 3 * 4, "at most what was in flight at each kill is recorded unanswered"
