"""Several workers on one port, as real processes: all answer, any may die, a stop fails no request."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from appliance.host.cpus import usable_cores
from appliance.pipeline.pipeline import TEXT_RECORDS
from appliance.server.workers import share_out
from license.authority.issuing.issue import Terms
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.e2e.edge.test_proxies import free_port
from tests.e2e.test_jobs_survive import JOBS, finished, submit
from tests.support.site import NO_TLS, VERSION, Service, Site
from tests.support.wire import ANALYZE, BODY

pytestmark = pytest.mark.e2e
BEARER = Terms(binding="any")
SIZED = ("Engine:Sessions=1", "Engine:BatchTokens=128")


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def two_free_ports() -> int:
    """A port that is free, as the next one is."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", first + 1)):
            return first


def workers(service: Service) -> list[int]:
    """The processes of the workers, the supervisor's children."""
    pid = service.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def answered_by(service: Service, *, times: int = 40) -> Counter[str]:
    """Which installation answered how many requests, each over a connection of its own."""
    found: Counter[str] = Counter()
    for _ in range(times):
        with service.client() as client:
            reply = client.post(ANALYZE, content=BODY)
        assert reply.status_code == 200, reply.text
        found[reply.headers["usage-record"].split("/")[2]] += 1
    return found


def recorded(site: Site) -> int:
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0, report
    return sum(tally.quantity for log in report.logs for tally in log.days.values())


class Load:
    """Callers that go on asking; what they were answered, and when the port was closed to them."""

    def __init__(self, url: str, callers: int) -> None:
        self.statuses: list[int | str] = []
        self.refused = 0
        self._url, self._done = url, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._done.is_set():
            with httpx2.Client(base_url=self._url, trust_env=False, verify=NO_TLS, timeout=30) as client:
                try:
                    for _ in range(5):
                        self.statuses.append(client.post(ANALYZE, content=BODY).status_code)
                except httpx2.ConnectError:
                    self.refused += 1  # nothing was sent
                    time.sleep(0.05)
                except httpx2.HTTPError as error:
                    self.statuses.append(repr(error))

    def end(self) -> list[int | str]:
        self._done.set()
        for thread in self._threads:
            thread.join(60)
        return self.statuses


def test_all_workers_answer_at_one_port_each_with_a_ledger_of_its_own(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=3", *SIZED)
    assert len(workers(service)) == 3
    shares = [sorted(os.sched_getaffinity(pid)) for pid in workers(service)]
    planned = share_out(sorted(os.sched_getaffinity(0)), 3, usable=usable_cores())
    assert shares == [sorted(share) for share in planned]
    found = answered_by(service)
    until(lambda: len(found.update(answered_by(service)) or found) == 3)
    assert {path.parent.name for path in site.output.rglob("ledger-1.db")} == set(found)
    assert sorted(path.name for path in site.state.glob("worker-*")) == ["worker-2", "worker-3"]
    assert service.stop() == 0
    assert recorded(site) == sum(found.values())


def test_each_worker_answers_for_itself_at_a_port_of_its_own(site: Site) -> None:
    site.issue(terms=BEARER)
    first = two_free_ports()
    service = site.start("Workers=2", *SIZED, f"Workers:Port={first}")
    for port in (first, first + 1):
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=NO_TLS) as client:
            names = {client.post(ANALYZE, content=BODY).headers["usage-record"] for _ in range(3)}
            assert len({name.split("/")[2] for name in names}) == 1
            assert "appliance_recorded_units_total" in client.get("/metrics").text
    assert service.stop() == 0
    assert len({path.parent.name for path in site.output.rglob("ledger-1.db")}) == 2


def test_a_worker_that_dies_is_started_again_and_no_connection_fails_meanwhile(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=2", *SIZED)
    before = workers(service)
    os.kill(before[0], signal.SIGKILL)
    answered_by(service, times=60)
    until(lambda: len(workers(service)) == 2 and before[0] not in workers(service))
    until(lambda: len(answered_by(service)) == 2)
    assert "worker 1 ended by SIGKILL and is started again" in service.text()
    assert service.stop() == 0


@pytest.mark.slow
def test_a_worker_that_is_stuck_is_killed_and_started_again(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=2", *SIZED)
    stuck = workers(service)[1]
    os.kill(stuck, signal.SIGSTOP)
    until(lambda: "worker 2 is stuck and is killed" in service.text(), 60)
    until(lambda: len(workers(service)) == 2 and stuck not in workers(service))
    until(lambda: len(answered_by(service)) == 2)
    assert service.stop() == 0


def test_a_stop_under_load_fails_no_request(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=2", *SIZED, "Http:LameDuckSeconds=1")
    load = Load(service.url, callers=6)
    time.sleep(1.5)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
    statuses = load.end()
    assert load.refused, "the callers went on until the port was closed"
    assert len(statuses) > 50
    assert set(statuses) == {200}, Counter(map(str, statuses))
    assert recorded(site) == len(statuses)


def test_a_worker_that_cannot_start_ends_all_with_its_exit_code(site: Site) -> None:
    site.issue()  # for the key of the first worker alone
    result = site.run("Workers=2", *SIZED)
    assert result.returncode == 78
    assert "another machine" in result.stderr or "WrongMachine" in result.stderr, result.stderr
    assert "worker 2 could not start (exit status 78)" in result.stderr


def test_each_worker_may_have_a_licence_bound_to_its_own_key(site: Site, tmp_path: Path) -> None:
    bought = site.buy()
    site.issue(bought=bought)
    request = tmp_path / "request-2.note"
    words = ("license", "request", f"Mounts:State={site.state / 'worker-2'}", "-o", str(request))
    asked = site.operate(*words, settings=False)
    assert asked.returncode == 0, asked.stderr
    second = site.vendor.issue(bought, request.read_bytes())
    (site.license / "license-2.note").write_bytes(second.note)
    service = site.start("Workers=2", *SIZED)
    found = answered_by(service)
    until(lambda: len(found.update(answered_by(service)) or found) == 2)
    assert service.stop() == 0
    assert recorded(site) == found.total()


def test_jobs_are_found_at_every_worker_and_outlive_one(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=2", *SIZED, "Jobs:LapseSeconds=2")
    with service.client() as client:
        job = submit(client, 25, tasks=4)
    for _ in range(10):
        with service.client() as client:
            assert client.get(f"{JOBS}/{job}", params=VERSION).status_code == 200
    os.kill(workers(service)[0], signal.SIGKILL)
    with service.client() as client:
        assert finished(client, job)["status"] == "succeeded"
    assert service.stop() == 0
    assert recorded(site) == 4 * 25 * 2


def test_when_the_supervisor_is_killed_its_workers_drain_and_end(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=2", *SIZED)
    left = workers(service)
    service.kill()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
    assert recorded(site) == 0


def test_a_reload_reaches_every_worker(site: Site) -> None:
    site.issue(terms=BEARER)
    service = site.start("Workers=2", *SIZED)
    renewed = site.issue(terms=BEARER)
    service.reload()
    until(lambda: service.text().count(f"licence {renewed.id} (serial {renewed.serial}) is in force") == 2)
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Workers=2", "Authoring:Enabled=True", "ApiKeys:a=0123456789abcdef"), "exclude each other"),
        (("Workers=2", "Jobs:Database=sqlite:////tmp/x.db"), "Jobs:Fleet=NAME"),
        (("Workers=0",), "Workers cannot be '0'"),
    ],
)
def test_what_several_workers_cannot_do_is_refused(site: Site, words: tuple[str, ...], said: str) -> None:
    site.issue(terms=BEARER)
    result = site.run(*words)
    assert result.returncode == 78
    assert said in result.stderr


def test_more_workers_than_logs_and_a_plan_that_blocks_are_refused(site: Site) -> None:
    site.issue(terms=Terms(binding="any", max_logs=2))
    result = site.run("Workers=3", *SIZED)
    assert result.returncode == 78
    assert "the licence allows 2" in result.stderr
    site.issue(terms=BEARER, meters={TEXT_RECORDS: 5}, overage="block")
    result = site.run("Workers=2", *SIZED)
    assert result.returncode == 78
    assert "needs a plan that records" in result.stderr
