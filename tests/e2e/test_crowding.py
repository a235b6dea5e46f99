"""What callers see while the model's queue is full."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.site import SENTENCE, VERSION, Site

pytestmark = pytest.mark.e2e

LONG = (SENTENCE + " ") * 30
ANALYZE = "/language/:analyze-text"
LEGACY = "/text/analytics/v3.1/entities/recognition/general"
JOBS = "/language/analyze-text/jobs"


def body(text: str) -> dict[str, Any]:
    documents = [{"id": str(number), "language": "en", "text": text} for number in range(5)]
    return {"kind": "EntityRecognition", "analysisInput": {"documents": documents}}


def test_a_full_queue_refuses_at_the_door_takes_jobs_and_loses_nothing(site: Site) -> None:
    site.issue()
    service = site.start("Engine:QueueTokens=16", "Engine:Sessions=1")
    names = {"projectName": "demo", "deploymentName": "production"}
    job = {
        "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
        "tasks": [{"kind": "CustomEntityRecognition", "parameters": names}],
    }

    def ask(number: int) -> httpx2.Response:
        with service.client() as client:
            if number % 3 == 0:
                return client.post(LEGACY, json=body(LONG)["analysisInput"])
            return client.post(ANALYZE, params=VERSION, json=body(LONG))

    with ThreadPoolExecutor(16) as pool, service.client() as client:
        asked = [pool.submit(ask, number) for number in range(32)]
        submitted = client.post(JOBS, params=VERSION, json=job)
        assert submitted.status_code == 202
        assert client.get("/ready").status_code == 200
        replies = [one.result() for one in asked]
        statuses = Counter(reply.status_code for reply in replies)
        assert set(statuses) == {200, 429}
        for reply in replies:
            assert reply.headers["apim-request-id"]
            assert ("Usage-Record" in reply.headers) == (reply.status_code == 200)
            if reply.status_code == 429:
                assert reply.headers["Retry-After"] == "1"
                assert reply.headers["content-type"] == "application/json; charset=utf-8"
                assert reply.json()["error"]["code"] == "TooManyRequests"
        refused = 'endpoint="refused_at_the_door",status="429"'
        assert refused in client.get("/metrics").text, "most were refused before they were read"
        assert client.post(ANALYZE, params=VERSION, json=body(SENTENCE)).status_code == 200
        while client.get(submitted.headers["operation-location"]).json()["status"] != "succeeded":
            time.sleep(0.05)
        (meter,) = client.get("/records/usage-logs/").json()["meters"]
    records = 5 * -(-len(LONG) // 1000)
    assert meter["quantity"] == statuses[200] * records + 5 + 1
    assert service.stop() == 0
    assert verify(site.output, load_roots(site.vendor.roots_dir)).exit_code == 0


def test_a_long_job_does_not_make_the_queue_full_for_requests(site: Site) -> None:
    site.issue()
    service = site.start("Engine:QueueTokens=400", "Engine:Sessions=1", "Engine:BatchTokens=1024")
    job = {
        "analysisInput": {"documents": [{"id": "1", "text": (SENTENCE + " ") * (20_000 // len(SENTENCE))}]},
        "tasks": [{"kind": "EntityRecognition"}],
    }
    with service.client() as client:
        place = client.post(JOBS, params=VERSION, json=job).headers["operation-location"]
        while "appliance_queue_tokens 0" in client.get("/metrics").text:
            time.sleep(0.02)
        statuses = [client.post(ANALYZE, params=VERSION, json=body(SENTENCE)).status_code for _ in range(10)]
        assert statuses == [200] * 10
        assert client.get(place).json()["status"] == "running", "it was there all the while"
        while client.get(place).json()["status"] == "running":
            time.sleep(0.05)
        assert client.get(place).json()["status"] == "succeeded"
