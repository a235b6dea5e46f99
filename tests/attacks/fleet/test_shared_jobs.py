"""Edit the job database of a fleet, or start several workers, so that more is answered than is recorded."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.issuing.issue import Terms
from tests.attacks.test_edited_jobs import HUGE
from tests.e2e.test_jobs_survive import RECORDS, counted, finished, state, submit
from tests.support.site import Service, Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def fleet(site: Site, new_site: Callable[..., Site], tmp_path: Path) -> tuple[Site, Site, tuple[str, ...]]:
    """Two replicas that share their jobs, not started yet."""
    other = new_site("other")
    for one in (site, other):
        one.issue()
    words = (f"Jobs:Database=sqlite:///{tmp_path / 'jobs.db'}", "Jobs:Fleet=site", "Jobs:LapseSeconds=1")
    return site, other, words


def edit(words: tuple[str, ...], *statements: str, **values: object) -> None:
    path = words[0].partition("sqlite:///")[2]
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as store, store:
        for statement in statements:
            store.execute(statement, values)


def reopened(words: tuple[str, ...], job: str, recorder: str, text: str) -> None:
    """Open a job that has ended again, with one other text, as if another replica were recording its task."""
    edit(
        words,
        "INSERT INTO document (job_id, position, content) VALUES (:job, 0, :content)",
        "UPDATE job SET open = 1, owner = '', claimed_until = 0 WHERE id = :job",
        "UPDATE task SET status = 'notStarted', outcome = NULL, recorder = :recorder, recording_since = 0",
        job=job,
        content=json.dumps(["0", text]),
        recorder=recorder,
    )


def ended(service: Service) -> str:
    with service.client() as client:
        job = submit(client, 1, tasks=1)
        assert finished(client, job)["status"] == "succeeded"
    return job


def test_a_task_that_another_replica_is_said_to_record_is_not_answered_without_a_record(
    fleet: tuple[Site, Site, tuple[str, ...]],
) -> None:
    one, other, words = fleet
    service = one.start(*words)
    job = ended(service)
    before = counted(one)
    for recorder in ("0123456789ab", "x" * 60):
        reopened(words, job, recorder, HUGE)
        with service.client() as client:
            found = finished(client, job)
        assert found["status"] == "failed"
        assert "UsageUndecided" in json.dumps(found)
        assert "entities" not in json.dumps(found)
        edit(words, "DELETE FROM document")
    assert counted(one) == before
    assert service.stop() == 0
    del other


def test_a_task_that_is_said_to_be_this_replicas_own_is_recorded_unless_its_ledger_proves_it(
    fleet: tuple[Site, Site, tuple[str, ...]],
) -> None:
    one, other, words = fleet
    service = one.start(*words)
    job = ended(service)
    (name,) = [path.parent.name for path in one.output.rglob("ledger-1.db")]
    before = counted(one)
    reopened(words, job, name, HUGE)
    with service.client() as client:
        assert finished(client, job)["status"] == "succeeded"
        usage = client.get("/records/usage-logs/").json()["meters"][0]["quantity"]
    assert usage == RECORDS + -(-len(HUGE) // 1000)
    assert len(counted(one)) == len(before) + 1
    assert service.stop() == 0
    del other


@pytest.mark.slow
def test_a_job_taken_over_by_an_edit_is_counted_by_the_one_that_answers(
    fleet: tuple[Site, Site, tuple[str, ...]],
) -> None:
    one, other, words = fleet
    first, second = one.start(*words), other.start(*words)
    with first.client() as client:
        job = submit(client, 25, tasks=4)
    edit(words, "UPDATE job SET owner = '', claimed_until = 0")
    with second.client() as client:
        assert finished(client, job)["status"] == "succeeded"
        assert state(client, job)["status"] == "succeeded"
    assert first.stop() == 0
    assert second.stop() == 0
    tasks = [name.partition(":")[0] for site in (one, other) for name in counted(site)]
    assert len(tasks) == len(set(tasks)) == 4


def test_a_plan_that_blocks_is_not_used_once_by_each_of_several_workers(site: Site) -> None:
    site.issue(terms=Terms(binding="any"), meters={TEXT_RECORDS: 5}, overage="block")
    result = site.run("Workers=2", "Engine:Sessions=1", "Engine:BatchTokens=128")
    assert result.returncode == 78
    assert "needs a plan that records" in result.stderr
    assert not list(site.output.rglob("ledger-*.db")), "nothing was begun"
