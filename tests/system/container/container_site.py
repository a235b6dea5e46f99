"""A site as containers, as docs/deploy/site/compose.yaml has it, and what was answered through HAProxy."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.ingest import ingest_bundle
from license.authority.issuing.issue import Terms
from license.evidence.verify.result import Severity
from tests.support.desk import until
from tests.support.site import SENTENCE, VERSION
from tests.system.container.composed import Composed
from tests.system.container.engine import Engine
from tests.system.container.host import USER

DOCUMENT = {"id": "1", "language": "en", "text": SENTENCE}
BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [DOCUMENT]}}
JOB = {
    "analysisInput": {"documents": [DOCUMENT]},
    "tasks": [{"kind": "EntityRecognition", "taskName": "one"}],
}
READY = "/usr/lib/postgresql/15/bin/pg_isready"
ENGLISH = ("-e", "Models__General=en")
"""Options of a replica: the smaller general model, which starts in less time."""
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

    def up(self, *replicas: str, desk: tuple[str, ...] = (), options: tuple[str, ...] = ENGLISH) -> None:
        """Start all of it; `desk` and `options` are words of podman for the desk and for each replica."""
        # A desk listens for two heartbeats before it grants units.
        self.made.up("desk", *desk, command=[*self.made.services["desk"]["command"], "--heartbeat", "1"])
        self.made.up("postgres")
        self.made.up("haproxy")
        asks = ["exec", self.made.name("postgres"), READY, "-q", "-h", "postgres"]
        until(lambda: self.made.engine.run(*asks, check=False).returncode == 0)
        self.start_replicas(*replicas, options=options)

    def start_replicas(self, *replicas: str, options: tuple[str, ...] = ENGLISH) -> None:
        for replica in replicas:
            self.create(replica, options=options)
        for replica in replicas:
            self.made.engine.wait_ready(self.made.name(replica))

    def create(self, replica: str, *, options: tuple[str, ...] = ENGLISH) -> str:
        """Start a replica that need not get ready, and return the name of its container."""
        self.made.up(replica, "-e", "Metering__IntervalSeconds=1", *options, like="text-1")
        return self.made.name(replica)

    def start_desk(self) -> None:
        """Start the desk that was stopped, and wait until it answers."""
        self.made.engine.run("start", self.made.name("desk"))

        def answers() -> bool:
            try:
                return bool(self.status())
            except httpx2.TransportError:
                return False

        # The engine may take more than a minute until its network reaches a container that was started again.
        until(answers, seconds=180)

    def desk_does(self, *words: str) -> str:
        """Type a command of the desk in its container."""
        typed = ["appliance", "site", *words, "--home", "/desk"]
        return self.made.engine.run("exec", self.made.name("desk"), *typed).stdout

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
        key = (self.made.home / "desk/api.key").read_text().strip()
        return self._get("desk", ":5080/v1/site", {"Ocp-Apim-Subscription-Key": key})

    def replica_status(self, replica: str) -> dict[str, Any]:
        return self._get(replica, ":5000/status", {"Host": "localhost"})

    def instance(self, replica: str) -> str:
        """Return the twelve digits by which the desk knows a replica."""
        return str(self.replica_status(replica)["ledger"]["origin"].split("/")[2])

    def _get(self, service: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        """Ask one container by its address in the network without a way out."""
        (network,) = self.made.engine.inspect(self.made.name(service))["NetworkSettings"]["Networks"].values()
        with httpx2.Client(trust_env=False, timeout=30) as client:
            reply = client.get(f"http://{network['IPAddress']}{path}", headers=headers)
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

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
        try:
            with self.client() as client:
                reply = client.get(job)
        except httpx2.TransportError:  # a client asks again, as the official one does
            return "unavailable"
        if reply.status_code == 503:  # the database is away
            return "unavailable"
        assert reply.status_code == 200, reply.text
        return str(reply.json()["status"])

    def stop(self, *replicas: str) -> None:
        for replica in replicas:
            self.made.engine.run("stop", "--time", "60", self.made.name(replica))
            state = self.made.engine.inspect(self.made.name(replica))["State"]
            assert state["ExitCode"] == 0, self.made.engine.logs(self.made.name(replica))[-2000:]

    def export(self, out: Path) -> Path:
        self.desk_does("export", "-o", "/desk/site.zip")
        out.write_bytes((self.made.home / "desk/site.zip").read_bytes())
        return out


@contextmanager
def open_site(
    home: Path,
    engine: Engine,
    images: dict[str, str],
    vendor: Authority,
    *,
    port: int,
    meters: dict[str, int] | None = None,
    service: str = "",
    lease_s: int = 3_600,
) -> Iterator[ContainerSite]:
    """A site with its licence, as the head of the file says; nothing of it runs yet.

    Args:
        home: Its folder.
        engine: Podman.
        images: For each image of the file, the one that stands for it here.
        vendor: Who licenses it.
        port: Port of this host for HAProxy.
        meters: Units of its plan, which blocks.
        service: `speechtotext`; empty for text.
        lease_s: How long a replica serves without word.
    """
    for parent in (home, home.parent, home.parent.parent):
        parent.chmod(0o755)
    meters = meters or {TEXT_RECORDS: 100}
    (home / "desk").mkdir(mode=0o700)
    os.chown(home / "desk", USER, USER)
    asking = Composed(engine, home, images, {}, port)
    if service:
        asking.services["request"]["command"] += ["--service", service]
    request = asking.run("request")
    resource = vendor.create_resource(
        f"site-{port}",
        customer="Acme Ltd",
        meters=meters,
        overage="block",
        product="speech" if service else "ner",
        tier="DC0",
    ).resource
    issued = vendor.issue(resource, request.encode(), terms=Terms(site=7, lease_s=lease_s))
    (home / "delivery").mkdir()
    (home / "delivery/license.note").write_bytes(issued.note)
    (home / "delivery/issuer.note").write_bytes(issued.issuer_note)
    variables = {
        "SITE_KEY": (home / "desk/api.key").read_text().strip(),
        "POSTGRES_PASSWORD": "0123456789abcdef",
    }
    made = Composed(engine, home, images, variables, port)
    made.run("install")
    made.make_networks()
    try:
        yield ContainerSite(made, vendor, next(iter(meters.values())))
    finally:
        made.down()


def settle(
    site: ContainerSite, tmp_path: Path, *replicas: str, lost: int = 0, told: tuple[str, ...] = ()
) -> None:
    """Stop replicas in order, and compare what was answered with the desk's count and with the vendor's.

    Args:
        site: The site.
        tmp_path: For the export.
        replicas: Those that run.
        lost: Units that were written off.
        told: Codes of all that the vendor hears of the site.
    """
    site.stop(*replicas)
    meter = site.meter()
    assert (meter["open"], meter["lost"]) == (0, lost), site.status()
    # A request whose replica was killed may have been counted before its answer was lost.
    assert site.answered <= meter["charged"] <= site.plan, (site.answered, meter)
    taken = ingest_bundle(site.vendor, site.export(tmp_path / "site.zip"))
    found = tuple(one.code for one in taken.report.findings if one.severity > Severity.CLEAN)
    assert found == told, taken.report.findings
    assert taken.report.exit_code == (1 if told else 0)
    assert [account.used.billed for account in taken.accounts] == [meter["charged"]]


def asks_on(site: ContainerSite, meanwhile: Callable[[], object], requests: int = 60) -> str:
    """Do something under load, see that no request failed, and return a job that was posted afterwards."""
    site.hammer(requests, meanwhile)
    assert site.failed == []
    site.wait_for_units()
    site.answered += 1
    return site.post_job()


def all_succeed(site: ContainerSite, jobs: list[str]) -> None:
    """Wait until every job has succeeded, or say what the last answers were."""
    said: dict[str, str] = {}

    def succeeded() -> bool:
        said.update((job, site.poll(job)) for job in jobs if said.get(job) != "succeeded")
        return set(said.values()) == {"succeeded"}

    try:
        until(succeeded, seconds=180)
    except AssertionError as error:
        raise AssertionError(f"not every job succeeded: {said}") from error
