"""Kill -9 under load: what was answered is in the ledger, and the service starts again by itself."""

import contextlib
import random
import threading
import time

import httpx2
import pytest

from license.evidence.log.entry import parse, parse_use
from license.evidence.log.source import open_database
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
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


def run_and_kill(site: Site, receipts: list[str], chance: random.Random) -> None:
    """Start, ask from four sides, and kill at some instant: one time in five before it was ready."""
    if chance.random() < 0.2:
        service = site.start(wait=False)
        time.sleep(chance.uniform(0.2, 1.5))
        service.kill()
        return
    service = site.start()
    stop = threading.Event()
    callers = [threading.Thread(target=load, args=(service, stop, receipts)) for _ in range(4)]
    for caller in callers:
        caller.start()
    answered, patience = len(receipts), time.monotonic() + 20 * (chance.random() < 0.8)
    while len(receipts) == answered and time.monotonic() < patience:
        time.sleep(0.005)  # a slow machine is to answer as well before it is killed, four times in five
    time.sleep(chance.uniform(0.02, 0.4))
    service.kill()
    stop.set()
    for caller in callers:
        caller.join()


def crash(site: Site, *, kills: int) -> None:
    site.issue()
    receipts: list[str] = []
    chance = random.Random(4)  # noqa: S311 (moments, not secrets)
    for _ in range(kills):
        run_and_kill(site, receipts, chance)
    last = site.start()
    with last.client() as client:
        usage = client.get("/records/usage-logs/").json()
    assert last.stop() == 0
    assert len(receipts) == len(set(receipts)) > kills // 2
    entries = recorded(site)
    assert [receipt for receipt in receipts if receipt not in entries] == [], "answered means durable"
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert {finding.code for finding in report.findings} == {"cut-off"}, "each kill is told, nothing else"
    assert report.exit_code == 0
    assert usage["meters"][0]["quantity"] == len(entries)
    assert len(entries) <= len(receipts) + kills * 4, "at most what was in flight is recorded unanswered"


def recorded(site: Site) -> set[str]:
    """Return what the receipts of all recorded usage say."""
    found = set()
    for path in site.output.rglob("ledger-*.db"):
        with contextlib.closing(open_database(path)) as connection:
            texts = [str(text) for (text,) in connection.execute("SELECT text FROM entry ORDER BY n")]
        origin = parse(texts[0]).text("o")
        found |= {f"{origin}/{used.n}" for text in texts if (used := parse_use(text))}
    return found


@pytest.mark.e2e
def test_after_kill_9_every_answered_request_is_in_a_ledger_that_verifies(site: Site) -> None:
    crash(site, kills=4)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_same_two_hundred_times(site: Site) -> None:
    crash(site, kills=200)
