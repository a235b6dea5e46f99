"""docs/deploy/site/compose.yaml as containers: desk, replicas, HAProxy, PostgreSQL, a plan that blocks."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.ingest import ingest_bundle
from license.authority.issuing.issue import Terms
from tests.support.desk import until
from tests.support.site import SENTENCE, VERSION
from tests.system.container.composed import PLACE, Composed
from tests.system.container.conftest import ONLY_PODMAN
from tests.system.container.engine import Engine
from tests.system.container.host import USER
from tests.system.container.neighbours import make_neighbours

pytestmark = ONLY_PODMAN
DOCUMENT = {"id": "1", "language": "en", "text": SENTENCE}
BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [DOCUMENT]}}
JOB = {
    "analysisInput": {"documents": [DOCUMENT]},
    "tasks": [{"kind": "EntityRecognition", "taskName": "one"}],
}
READY = "/usr/lib/postgresql/15/bin/pg_isready"
REPLICAS = ("text-1", "text-2", "text-3")


@dataclass
class ContainerSite:
    """The services of the file, and what was answered through HAProxy."""

    made: Composed
    vendor: Authority
    plan: int
    answered: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)

    def up(self, *replicas: str) -> None:
        # A desk listens for two heartbeats before it grants units.
        self.made.up("desk", command=[*self.made.services["desk"]["command"], "--heartbeat", "1"])
        self.made.up("postgres")
        self.made.up("haproxy")
        asks = ["exec", self.made.name("postgres"), READY, "-q", "-h", "postgres"]
        until(lambda: self.made.engine.run(*asks, check=False).returncode == 0)
        self.start_replicas(*replicas)

    def start_replicas(self, *replicas: str) -> None:
        for replica in replicas:
            self.made.up(
                replica, "-e", "Metering__IntervalSeconds=1", "-e", "Models__General=en", like="text-1"
            )
        for replica in replicas:
            self.made.engine.wait_ready(self.made.name(replica))

    def wait_for_units(self) -> None:
        """Wait until a request is answered; those before do not count as failed."""
        until(lambda: self.ask(attempts=1), seconds=60)
        self.refused.clear()
        self.failed.clear()

    def client(self, timeout: float = 10) -> httpx2.Client:
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.made.port}", trust_env=False, timeout=timeout)

    def ask(self, attempts: int = 6) -> bool:
        """Ask once, and again as the official client does; return whether it was answered."""
        said: tuple[int, str] = (0, "")
        for attempt in range(attempts):
            try:
                with self.client() as client:
                    reply = client.post("/language/:analyze-text", params=VERSION, json=BODY)
            except httpx2.TransportError as error:
                said = (0, type(error).__name__)
            else:
                if reply.status_code == 200:
                    self.answered += 1
                    return True
                said = (reply.status_code, reply.text[:300])
                if reply.status_code == 403:
                    self.refused.append(said)
                    return False
            time.sleep(0.1 * (attempt + 1))
        (self.refused if "SliceUsedUp" in said[1] or said[0] == 403 else self.failed).append(said)
        return False

    def hammer(self, requests: int, meanwhile: Callable[[], object] | None = None) -> int:
        """Ask from four callers at once, and return how many were answered."""
        before = self.answered
        with ThreadPoolExecutor(5) as pool:
            other = pool.submit(meanwhile) if meanwhile else None
            list(pool.map(lambda _: self.ask(), range(requests)))
            if other:
                other.result()
        return self.answered - before

    def status(self) -> dict[str, Any]:
        with httpx2.Client(trust_env=False, timeout=30) as client:
            address = self.made.engine.inspect(self.made.name("desk"))["NetworkSettings"]["Networks"]
            (network,) = address.values()
            key = (self.made.home / "desk/api.key").read_text().strip()
            url = f"http://{network['IPAddress']}:5080/v1/site"
            reply = client.get(url, headers={"Ocp-Apim-Subscription-Key": key})
        assert reply.status_code == 200, reply.text
        status: dict[str, Any] = reply.json()
        return status

    def meter(self) -> dict[str, int]:
        meter: dict[str, int] = self.status()["plan"]["meters"][0]
        return meter

    def post_job(self) -> str:
        with self.client() as client:
            reply = client.post("/language/analyze-text/jobs", params=VERSION, json=JOB)
        assert reply.status_code == 202, reply.text
        where = urlsplit(reply.headers["operation-location"])
        assert where.netloc == f"127.0.0.1:{self.made.port}"
        return f"{where.path}?{where.query}"

    def poll(self, job: str) -> str:
        with self.client() as client:
            reply = client.get(job)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["status"])

    def stop(self, *replicas: str) -> None:
        for replica in replicas:
            self.made.engine.run("stop", "--time", "60", self.made.name(replica))
            state = self.made.engine.inspect(self.made.name(replica))["State"]
            assert state["ExitCode"] == 0, self.made.engine.logs(self.made.name(replica))[-2000:]

    def export(self, out: Path) -> Path:
        desk = self.made.name("desk")
        self.made.engine.run(
            "exec", desk, *["appliance", "site", "export", "--home", "/desk", "-o", "/desk/site.zip"]
        )
        out.write_bytes((self.made.home / "desk/site.zip").read_bytes())
        return out


@pytest.fixture(scope="session")
def neighbours(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    try:
        return make_neighbours(engine, tmp_path_factory.mktemp("neighbours"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"HAProxy and PostgreSQL cannot be had: {error.stderr.decode(errors='replace')[-300:]}")


@pytest.fixture
def plan() -> int:
    """Units of the plan."""
    return 100


@pytest.fixture
def site(
    tmp_path: Path,
    engine: Engine,
    images: dict[str, str],
    neighbours: dict[str, str],
    vendor: Authority,
    free_port: Callable[[], int],
    plan: int,
) -> Iterator[ContainerSite]:
    """A site with its licence, as the head of the file says; nothing of it runs yet."""
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    stand_ins = {
        "offline-appliance:0.1.0": images["text"],
        "docker.io/library/haproxy:2.8": neighbours["haproxy"],
        "docker.io/library/postgres:16": neighbours["postgres"],
    }
    port = free_port()
    (tmp_path / "desk").mkdir(mode=0o700)
    os.chown(tmp_path / "desk", USER, USER)
    request = Composed(engine, tmp_path, stand_ins, {}, port).run("request")
    resource = vendor.create_resource(
        f"site-{port}", customer="Acme Ltd", meters={TEXT_RECORDS: plan}, overage="block"
    ).resource
    issued = vendor.issue(resource, request.encode(), terms=Terms(site=7, lease_s=3_600))
    (tmp_path / "delivery").mkdir()
    (tmp_path / "delivery/license.note").write_bytes(issued.note)
    (tmp_path / "delivery/issuer.note").write_bytes(issued.issuer_note)
    variables = {
        "SITE_KEY": (tmp_path / "desk/api.key").read_text().strip(),
        "POSTGRES_PASSWORD": "0123456789abcdef",
    }
    made = Composed(engine, tmp_path, stand_ins, variables, port)
    made.run("install")
    made.make_networks()
    try:
        yield ContainerSite(made, vendor, plan)
    finally:
        made.down()


def settle(site: ContainerSite, tmp_path: Path, *replicas: str) -> None:
    """Stop replicas in order, and compare what was answered with the desk's count and with the vendor's."""
    site.stop(*replicas)
    meter = site.meter()
    assert meter["open"] == meter["lost"] == 0, site.status()
    # A request whose replica was killed may have been counted before its answer was lost.
    assert site.answered <= meter["charged"] <= site.plan, (site.answered, meter)
    taken = ingest_bundle(site.vendor, site.export(tmp_path / "site.zip"))
    assert taken.report.exit_code == 0, taken.report.findings
    assert [account.used.billed for account in taken.accounts] == [meter["charged"]]


def test_a_site_answers_its_plan_through_haproxy_whatever_replica_is_killed(
    site: ContainerSite, tmp_path: Path
) -> None:
    site.up(*REPLICAS)
    site.wait_for_units()
    job = site.post_job()
    until(lambda: site.poll(job) == "succeeded")
    assert {site.poll(job) for _ in range(12)} == {"succeeded"}
    site.answered += 1
    assert site.hammer(30, meanwhile=lambda: site.made.kill("text-1")) == 30
    assert site.failed == []
    assert site.poll(job) == "succeeded"
    site.hammer(60)
    assert site.failed == []
    assert site.answered <= site.plan
    assert {code for code, _ in site.refused} <= {403, 503}, "a refusal is the service's own, not the proxy's"
    # Started again with its own state, the killed one reports, and what it held is for all.
    site.made.engine.run("start", site.made.name("text-1"))
    until(lambda: site.meter()["open"] == 0 or site.ask(attempts=1))
    settle(site, tmp_path, *REPLICAS)


def test_podman_plays_the_pod_of_the_chart_that_prints_the_request(
    engine: Engine, images: dict[str, str], vendor: Authority, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Podman knows no Job: the pod of one is played as it stands, with its claim as a volume."""
    name = f"oa-{free_port()}"
    text = (PLACE / "request.yaml").read_text()
    text = text.replace("registry.example.com/offline-appliance:0.1.0", f"{images['text']}:latest")
    made = {one["kind"]: one for one in yaml.safe_load_all(text.replace("appliance-desk", name))}
    template = made["Job"]["spec"]["template"]
    about = {**template["metadata"], "name": name}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]}
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(yaml.safe_dump_all([made["PersistentVolumeClaim"], pod]))
    try:
        engine.run("kube", "play", str(manifest))
        assert engine.run("wait", f"{name}-request").stdout.strip() == "0", engine.logs(f"{name}-request")
        request = engine.run("logs", f"{name}-request").stdout
        resource = vendor.create_resource(name, customer="Acme Ltd", meters={TEXT_RECORDS: 100}).resource
        issued = vendor.issue(resource, request.encode(), terms=Terms(site=3))
        assert issued.license.site is not None
    finally:
        engine.run("kube", "down", str(manifest), check=False)
        engine.run("volume", "rm", "--force", name, check=False)


def asks_on(site: ContainerSite, meanwhile: Callable[[], object], requests: int = 60) -> str:
    """Do something under load, see that no request failed, and return a job that was posted afterwards."""
    site.hammer(requests, meanwhile)
    assert site.failed == []
    site.wait_for_units()
    site.answered += 1
    return site.post_job()


def all_succeed(site: ContainerSite, jobs: list[str]) -> None:
    until(lambda: set(map(site.poll, jobs)) == {"succeeded"}, seconds=180)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [5_000])
def test_no_request_and_no_job_is_lost_when_a_part_is_killed_paused_or_cut_off(
    site: ContainerSite, tmp_path: Path
) -> None:
    made = site.made

    def pause_the_desk() -> None:
        made.engine.run("pause", made.name("desk"))
        time.sleep(10)
        made.engine.run("unpause", made.name("desk"))

    def kill(service: str) -> None:
        made.kill(service)
        time.sleep(1)
        made.engine.run("start", made.name(service))

    site.up(*REPLICAS)
    site.wait_for_units()
    jobs = [asks_on(site, pause_the_desk)]
    jobs.append(asks_on(site, lambda: kill("desk")))
    jobs.append(asks_on(site, lambda: kill("haproxy")))
    made.cut("text-2")
    jobs.append(asks_on(site, lambda: time.sleep(5)))
    made.cut("text-2", off=False)

    made.kill("postgres")
    assert site.hammer(20) == 20, "requests need no jobs"
    with site.client(timeout=120) as client:
        refused = client.post("/language/analyze-text/jobs", params=VERSION, json=JOB)
    assert refused.status_code == 503, refused.text
    made.engine.run("start", made.name("postgres"))
    all_succeed(site, jobs)
    settle(site, tmp_path, *REPLICAS)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [5_000])
def test_replicas_come_and_go_under_load_and_no_request_or_job_fails(site: ContainerSite) -> None:
    made = site.made

    def restart(replica: str) -> None:
        site.stop(replica)
        made.engine.run("start", made.name(replica))
        made.engine.wait_ready(made.name(replica))

    site.up(*REPLICAS)
    site.wait_for_units()
    jobs = [asks_on(site, partial(restart, replica), requests=100) for replica in REPLICAS]
    jobs.append(asks_on(site, lambda: site.start_replicas("text-4", "text-5", "text-6")))
    until(lambda: site.status()["live"] == 6)
    made.kill("text-6")
    made.engine.run("rm", "--force", "--volumes", made.name("text-6"))
    jobs.append(asks_on(site, lambda: site.stop("text-5", "text-4", "text-3", "text-2"), requests=150))
    all_succeed(site, jobs)
    site.stop("text-1")
    meter = site.meter()
    assert site.answered <= meter["charged"] + meter["open"] <= site.plan, (site.answered, meter)
