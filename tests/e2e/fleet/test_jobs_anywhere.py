"""Three replicas with one job database: any of them shows, ends and takes over jobs, counted once."""

import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from azure.ai.textanalytics import TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import RequestsTransport
from sqlalchemy import create_engine, text

from license.authority.authority import Authority
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.e2e.test_jobs_survive import JOBS, finished, state, submit
from tests.support.site import SENTENCE, VERSION, Service, Site

pytestmark = pytest.mark.e2e
LAPSE_SECONDS = 2


class Fleet:
    """Replicas, each with keys, licence and ledger of its own, whose jobs lie in one database."""

    def __init__(self, home: Path, vendor: Authority, url: str, size: int = 3) -> None:
        self.vendor = vendor
        self.words = (f"Jobs:Database={url}", "Jobs:Fleet=site", f"Jobs:LapseSeconds={LAPSE_SECONDS}")
        self.sites = [Site(home / str(number), vendor) for number in range(size)]
        self.services: list[Service] = []
        self.chance = random.Random(7)  # noqa: S311 (which replica, not a secret)
        for site in self.sites:
            site.issue()

    def start(self) -> "Fleet":
        self.services = [site.start(*self.words) for site in self.sites]
        return self

    def restart(self, number: int) -> None:
        self.services[number] = self.sites[number].start(*self.words)

    def any(self) -> Service:
        return self.chance.choice([one for one in self.services if one.process.poll() is None])

    def records(self) -> Counter[str]:
        """How many usage records each task has, in all ledgers together."""
        found: Counter[str] = Counter()
        for site in self.sites:
            for database in site.output.rglob("ledger-*.db"):
                with contextlib.closing(sqlite3.connect(database)) as connection:
                    rows = connection.execute(
                        "SELECT json_extract(text,'$.id') FROM entry WHERE kind='use'"
                    ).fetchall()
                found.update(str(name).partition(":")[0] for (name,) in rows)
        return found

    def close(self) -> None:
        for site in self.sites:
            site.close()


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """A database of its own on the server."""
    name = f"fleet{time.time_ns()}"
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres.replace("/postgres?", f"/{name}?")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def fleet(tmp_path: Path, vendor: Authority, database: str) -> Iterator[Fleet]:
    made = Fleet(tmp_path, vendor, database)
    yield made.start()
    made.close()


class AnyReplica(RequestsTransport):  # type: ignore[misc]  # the library has no types for it
    """The transport of the official client behind a balancer that remembers nothing."""

    def __init__(self, pick: Callable[[], str]) -> None:
        super().__init__()
        self._pick = pick
        self.asked: Counter[str] = Counter()

    def send(self, request: Any, **options: Any) -> Any:
        netloc = urlsplit(self._pick()).netloc
        self.asked[netloc] += 1
        request.url = urlunsplit(urlsplit(request.url)._replace(netloc=netloc))
        return super().send(request, **options)


def ended_at(fleet: Fleet, job: str) -> dict[str, Any]:
    """The job's end, asked for at another replica each time."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        with fleet.any().client() as client:
            if state(client, job, top=1)["status"] not in ("notStarted", "running", "cancelling"):
                return state(client, job)
        time.sleep(0.05)
    raise AssertionError("the job never ended")


def test_thirty_polls_at_random_replicas_find_the_job(fleet: Fleet) -> None:
    with fleet.services[0].client() as client:
        job = submit(client, 2)
    statuses = []
    for _ in range(30):
        with fleet.any().client() as client:
            statuses.append(client.get(f"{JOBS}/{job}", params=VERSION).status_code)
    assert statuses == [200] * 30
    assert ended_at(fleet, job)["status"] == "succeeded"


def test_the_official_client_polls_at_random_replicas(fleet: Fleet) -> None:
    transport = AnyReplica(lambda: fleet.any().url)
    official = TextAnalyticsClient(fleet.services[0].url, AzureKeyCredential("unused"), transport=transport)
    for _ in range(4):
        poller = official.begin_recognize_custom_entities(
            [SENTENCE * 20] * 25, "demo", "production", polling_interval=1
        )
        documents = list(poller.result())
        assert len(documents) == 25
        assert all(not document.is_error and document.entities for document in documents)
    assert len(transport.asked) == 3
    assert sorted(fleet.records().values()) == [1] * 4


@pytest.mark.slow
def test_the_jobs_of_a_replica_killed_at_any_moment_end_elsewhere_and_are_counted_once(fleet: Fleet) -> None:
    jobs: list[str] = []
    for number in (0, 1, 2):
        with fleet.services[number].client() as client:
            jobs += [submit(client, documents) for documents in (1, 8, 20)]
        time.sleep(fleet.chance.random() / 2)
        fleet.services[number].kill()
        fleet.restart(number) if number else None  # the first one stays away
    fleet.restart(0)  # what only it can tell, if anything, it tells now
    for job in jobs:
        found = ended_at(fleet, job)
        assert found["status"] == "succeeded"
        assert [len(item["results"]["documents"]) for item in found["tasks"]["items"]] in (
            [1, 1],
            [8, 8],
            [20, 20],
        )
    assert [service.stop() for service in fleet.services] == [0, 0, 0]
    records = fleet.records()
    assert len(records) == 2 * len(jobs), "every task is counted"
    assert set(records.values()) == {1}, "and by one replica"
    for site in fleet.sites:
        assert verify(site.output, load_roots(fleet.vendor.roots_dir)).exit_code == 0


@pytest.mark.slow
def test_a_job_of_a_killed_replica_is_taken_over_while_that_stays_away(fleet: Fleet) -> None:
    with fleet.services[0].client() as client:
        job = submit(client, 25, tasks=6)
        assert state(client, job)["status"] in ("notStarted", "running")
    fleet.services[0].kill()
    assert ended_at(fleet, job)["status"] == "succeeded"
    records = fleet.records()
    assert len(records) == 6
    assert set(records.values()) == {1}


@pytest.mark.slow
def test_a_stop_hands_jobs_over_at_once(fleet: Fleet) -> None:
    with fleet.services[0].client() as client:
        job = submit(client, 25, tasks=6)
    assert fleet.services[0].stop() == 0
    with fleet.any().client() as client:
        assert finished(client, job)["status"] == "succeeded"
    assert set(fleet.records().values()) == {1}


def test_a_job_is_cancelled_at_another_replica_than_the_one_that_runs_it(fleet: Fleet) -> None:
    with fleet.services[0].client() as client:
        job = submit(client, 25, tasks=8)
    with fleet.services[1].client() as client:
        reply = client.post(f"{JOBS}/{job}:cancel", params=VERSION)
        assert reply.status_code == 202
    found = ended_at(fleet, job)
    assert found["status"] == "cancelled"
    assert len(fleet.records()) < 8
