"""What callers see while the model's queue is full."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from license.evidence.verify import verify
from license.roots import load_roots
from tests.support.site import SENTENCE, VERSION, Site

pytestmark = pytest.mark.e2e

LONG = (SENTENCE + " ") * 90
ANALYZE = "/language/:analyze-text"
LEGACY = "/text/analytics/v3.1/entities/recognition/general"
JOBS = "/language/analyze-text/jobs"


def body(text: str) -> dict[str, Any]:
    documents = [{"id": str(number), "language": "en", "text": text} for number in range(5)]
    return {"kind": "EntityRecognition", "analysisInput": {"documents": documents}}


def test_a_full_queue_refuses_at_the_door_and_loses_nothing(site: Site) -> None:
    site.issue()
    service = site.start("Engine:QueueTokens=16", "Engine:Sessions=1")

    def ask(number: int) -> httpx2.Response:
        with service.client() as client:
            if number % 3 == 0:
                return client.post(LEGACY, json=body(LONG)["analysisInput"])
            return client.post(ANALYZE, params=VERSION, json=body(LONG))

    with ThreadPoolExecutor(24) as pool:
        replies = list(pool.map(ask, range(48)))
    statuses = Counter(reply.status_code for reply in replies)
    assert set(statuses) == {200, 429}
    for reply in replies:
        assert reply.headers["apim-request-id"]
        assert ("Usage-Record" in reply.headers) == (reply.status_code == 200)
        if reply.status_code == 429:
            assert reply.headers["Retry-After"] == "1"
            assert reply.headers["content-type"] == "application/json; charset=utf-8"
            assert reply.json()["error"]["code"] == "TooManyRequests"
    with service.client() as client:
        refused = 'endpoint="refused_at_the_door",status="429"'
        assert refused in client.get("/metrics").text, "most were refused before they were read"
        assert client.post(ANALYZE, params=VERSION, json=body(SENTENCE)).status_code == 200
        (meter,) = client.get("/records/usage-logs/").json()["meters"]
    records = 5 * -(-len(LONG) // 1000)
    assert meter["quantity"] == statuses[200] * records + 5
    assert service.stop() == 0
    assert verify(site.output, load_roots(site.vendor.roots_dir)).exit_code == 0


def test_jobs_and_other_pages_are_served_while_the_queue_is_full(site: Site) -> None:
    site.issue()
    service = site.start("Engine:QueueTokens=16", "Engine:Sessions=1")
    names = {"projectName": "demo", "deploymentName": "production"}
    job = {
        "analysisInput": {"documents": [{"id": "1", "text": LONG}]},
        "tasks": [{"kind": "CustomEntityRecognition", "parameters": names}],
    }
    with service.client() as client, ThreadPoolExecutor(8) as pool:
        running = [pool.submit(client.post, ANALYZE, params=VERSION, json=body(LONG)) for _ in range(16)]
        assert client.post(JOBS, params=VERSION, json=job).status_code == 202
        assert client.get("/ready").status_code == 200
        assert {one.result().status_code for one in running} <= {200, 429}
    assert service.stop() == 0
