"""Jobs outlive a stop and a kill -9: every accepted job ends, and is counted exactly once."""

import contextlib
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.site import SENTENCE, VERSION, Site

JOBS = "/language/analyze-text/jobs"
LONG = SENTENCE * 20
RECORDS = -(-len(LONG) // 1000)


def submit(client: httpx2.Client, documents: int, tasks: int = 2) -> str:
    names = {"projectName": "demo", "deploymentName": "production", "stringIndexType": "UnicodeCodePoint"}
    reply = client.post(
        JOBS,
        params=VERSION,
        json={
            "displayName": "überlebt",
            "analysisInput": {"documents": [{"id": str(n), "text": LONG} for n in range(documents)]},
            "tasks": [
                {"kind": "CustomEntityRecognition", "taskName": str(n), "parameters": names}
                for n in range(tasks)
            ],
        },
    )
    assert reply.status_code == 202, reply.text
    return reply.headers["operation-location"].partition("?")[0].rpartition("/")[2]


def state(client: httpx2.Client, job: str, *, top: int = 1000) -> dict[str, Any]:
    reply = client.get(f"{JOBS}/{job}", params=VERSION | {"top": str(top), "showStats": "true"})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def finished(client: httpx2.Client, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        # What a task has found so far is long, and the service that writes it would be kept from its work.
        if state(client, job, top=1)["status"] not in ("notStarted", "running"):
            return state(client, job)
        time.sleep(0.05)
    raise AssertionError("the job never ended")


def counted(site: Site) -> dict[str, int]:
    """Usage entries by request id, straight from the ledger's bytes."""
    (database,) = site.output.rglob("ledger-*.db")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT json_extract(text,'$.id'), count(*) FROM entry WHERE kind='use' GROUP BY 1"
        )
        return dict(rows.fetchall())


def on_disk(directory: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in directory.glob("jobs.db*"))


@pytest.mark.e2e
def test_jobs_outlive_kill_9_at_any_moment_and_count_exactly_once(site: Site) -> None:
    site.issue()
    chance = random.Random(5)  # noqa: S311 (moments, not secrets)
    jobs: list[str] = []
    for _ in range(3):
        service = site.start()
        with service.client() as client:
            jobs += [submit(client, documents) for documents in (1, 4, 8)]
            time.sleep(chance.random())
        service.kill()
    last = site.start()
    with last.client() as client:
        for number, job in enumerate(jobs):
            found = finished(client, job)
            assert found["status"] == "succeeded"
            assert found["displayName"] == "überlebt"
            expected = (1, 4, 8)[number % 3]
            for item in found["tasks"]["items"]:
                assert item["results"]["statistics"]["transactionsCount"] == expected * RECORDS
                assert len(item["results"]["documents"]) == expected
        usage = client.get("/records/usage-logs/").json()
    assert last.stop() == 0
    entries = counted(site)
    assert set(entries.values()) == {1}, "no task is counted twice"
    assert len(entries) == 2 * len(jobs), "every task is counted"
    assert usage["meters"][0]["quantity"] == 3 * 2 * (1 + 4 + 8) * RECORDS
    assert verify(site.output, load_roots(site.vendor.roots_dir)).exit_code == 0
    assert not on_disk(site.state, b"Angela Merkel met"), "texts are gone once their results exist"


@pytest.mark.e2e
def test_a_stop_does_not_wait_for_a_long_job_which_goes_on_after_it(site: Site) -> None:
    site.issue()
    service = site.start()
    with service.client() as client:
        job = submit(client, 25, tasks=4)
        assert state(client, job)["status"] in ("notStarted", "running")
    assert service.stop() == 0
    assert on_disk(site.state, b"Angela Merkel met"), "the stop left texts that have no result yet"
    last = site.start()
    with last.client() as client:
        assert finished(client, job)["status"] == "succeeded"
    assert last.stop() == 0
    assert sorted(counted(site).values()) == [1, 1, 1, 1]
