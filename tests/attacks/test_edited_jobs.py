"""Edit the job store of a stopped service so that other texts pass for counted ones."""

import asyncio
import contextlib
import json
import shutil
import sqlite3
import time

import httpx2
import pytest

from appliance.config.identity import load_identity
from appliance.jobs.store import JobStore
from appliance.jobs.usage_id import UsageIds
from appliance.pipeline.pipeline import TEXT_RECORDS
from tests.e2e.test_jobs_survive import LONG, RECORDS, counted, finished, state, submit
from tests.e2e.test_licence_life import until
from tests.support.site import SENTENCE, VERSION, Service, Site

HUGE = SENTENCE * 40  # about 2,000 characters


def jobs_db(site: Site) -> sqlite3.Connection:
    connection = sqlite3.connect(site.state / "jobs.db")
    connection.row_factory = sqlite3.Row
    return connection


def replace_texts(site: Site, job: str, text: str, count: int, *, task_id: str = "") -> None:
    """Open a job that has ended again, with other documents, and under another task's id if one is given."""
    with contextlib.closing(jobs_db(site)) as store, store:
        store.execute("DELETE FROM document WHERE job_id = ?", (job,))
        rows = [(job, n, json.dumps([str(n), text])) for n in range(count)]
        store.executemany("INSERT INTO document (job_id, position, content) VALUES (?, ?, ?)", rows)
        store.execute("UPDATE job SET open = 1, ledger_origin = '', ledger_size = 0 WHERE id = ?", (job,))
        store.execute("UPDATE task SET status = 'notStarted', outcome = NULL WHERE job_id = ?", (job,))
        if task_id:
            store.execute("UPDATE task SET id = ? WHERE job_id = ?", (task_id, job))


def ended_job(service: Service) -> str:
    with service.client() as client:
        job = submit(client, 1, tasks=1)
        assert finished(client, job)["status"] == "succeeded"
    return job


def quantity(client: httpx2.Client) -> int:
    return int(client.get("/records/usage-logs/").json()["meters"][0]["quantity"])


@pytest.mark.e2e
def test_texts_put_into_a_counted_job_are_counted(site: Site) -> None:
    site.issue()
    service = site.start()
    job = ended_job(service)
    with service.client() as client:
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
        reply = client.post("/language/:analyze-text", params=VERSION, json=body)
        assert reply.status_code == 200
        before = quantity(client)
    assert service.stop() == 0
    (other,) = [entry for entry in counted(site) if ":" not in entry]  # of the request, and of any client
    (own,) = [entry for entry in counted(site) if ":" in entry]
    for task_id in ("", other, own):
        replace_texts(site, job, HUGE, 5, task_id=task_id)
        service = site.start()
        with service.client() as client:
            assert finished(client, job)["status"] == "succeeded"
            units = 5 * -(-len(HUGE) // 1000)
            assert quantity(client) - before == units
            before = quantity(client)
        assert service.stop() == 0


@pytest.mark.e2e
def test_texts_put_into_a_counted_job_are_not_answered_beyond_the_plan_nor_after_the_licence(
    site: Site,
) -> None:
    site.issue(meters={TEXT_RECORDS: RECORDS}, overage="block")
    service = site.start()
    job = ended_job(service)
    assert service.stop() == 0
    before = counted(site)
    replace_texts(site, job, HUGE, 5)
    service = site.start()
    with service.client() as client:
        not_answered(client, job)
        end = int(time.time()) + 3
        site.issue(changes={"expires": end, "terminates": end, "report_by": end})
        service.reload()
        until(lambda: client.get("/status").json()["apiStatus"] == "Expired")
    assert service.stop() == 0
    assert counted(site) == before
    (own,) = before
    replace_texts(site, job, HUGE, 5, task_id=own)
    service = site.start()
    with service.client() as client:
        not_answered(client, job)
        assert client.get("/status").json()["apiStatus"] == "Expired"
    assert service.stop() == 0
    assert counted(site) == before


def not_answered(client: httpx2.Client, job: str) -> None:
    assert finished(client, job)["status"] == "failed"
    assert "entities" not in json.dumps(state(client, job))


@pytest.mark.e2e
def test_the_counted_texts_themselves_are_done_again_without_being_counted(site: Site) -> None:
    site.issue()
    service = site.start()
    job = ended_job(service)
    assert service.stop() == 0
    before = counted(site)
    replace_texts(site, job, LONG, 1)
    service = site.start()
    with service.client() as client:
        assert finished(client, job)["status"] == "succeeded"
    assert service.stop() == 0
    assert counted(site) == before


@pytest.mark.e2e
def test_a_log_put_beside_proves_nothing_although_its_identifier_is_by_the_installations_key(
    site: Site,
) -> None:
    """Who reads the key can name any texts; what was counted is only what a log signed."""
    site.issue()
    service = site.start()
    job = ended_job(service)
    assert service.stop() == 0
    (own,) = counted(site)
    replace_texts(site, job, HUGE, 5)
    forged = asyncio.run(usage_id(site, job))
    (ledger,) = site.output.rglob("ledger-1.db")
    beside = ledger.with_name("damaged-1.db")
    shutil.copy(ledger, beside)
    with contextlib.closing(sqlite3.connect(beside)) as log, log:
        change = "UPDATE entry SET text = replace(text, ?, ?) WHERE kind = 'use'"
        assert log.execute(change, (own, forged)).rowcount == 1
    service = site.start()
    with service.client() as client:
        assert finished(client, job)["status"] == "succeeded"
    assert service.stop() == 0
    assert counted(site) == {own: 1, forged: 1}


async def usage_id(site: Site, wanted: str) -> str:
    """What the usage of the job is recorded under, as it stands in the job store now."""
    identity = load_identity(site.state)
    store = JobStore.open(directory=site.state, url="", instance=identity.instance, capacity=100)
    try:
        (job,) = await store.take([wanted])
        return UsageIds(identity.secret()).of(job.tasks[0], job.documents)
    finally:
        store.close()
