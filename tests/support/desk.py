"""A site on this machine: the real process of a desk, and real replicas that run connected to it."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from appliance.pipeline.pipeline import TEXT_RECORDS
from appliance.site.home import Home
from license.authority.authority import Authority
from license.authority.book.resource import Resource
from license.authority.issuing.issue import Terms
from tests.support.forked_process import ForkedProcess, run_forked_text
from tests.support.site import AnyProcess, Service, Site, clean_environ

Run = "subprocess.CompletedProcess[str]"


class Replica(Site):
    """A replica: today's connected appliance, whose endpoint is the desk."""

    online: tuple[str, ...] = ()

    @property
    def mounts(self) -> tuple[str, ...]:
        return (*self.online, *(mount for mount in super().mounts if "License" not in mount))


class DeskSite:
    """A desk with its licence, and its replicas."""

    def __init__(
        self, home: Path, vendor: Authority, *, product: str = "ner", service: str = "customner"
    ) -> None:
        self.path, self.vendor, self.product, self.service = home, vendor, product, service
        self.home = home / "desk"
        self.replicas: list[Replica] = []
        self.desks: list[Service] = []
        self.resource: Resource | None = None
        self.url = ""
        home.mkdir(parents=True, exist_ok=True)

    def buy(self, units: int, *, meter: str = TEXT_RECORDS, **resource: Any) -> Resource:
        """Enter a plan that blocks."""
        values = {"overage": "block"} | resource
        self.resource = self.vendor.create_resource(
            customer="Test customer", product=self.product, meters={meter: units}, **values
        ).resource
        return self.resource

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return run_forked_text("appliance", ["site", *words], environ=clean_environ())

    def set_up(
        self,
        *,
        instances: int = 10,
        lease_s: int = 3_600,
        terms: Terms | None = None,
        models: tuple[str, ...] = (),
    ) -> None:
        """Request, issue and install a site licence, as an operator and a vendor do."""
        assert self.resource is not None
        request, delivery = self.path / "request.note", self.path / "delivery"
        lines = [word for line in models for word in ("--model", line)]
        words = ("request", "--home", str(self.home), "--service", self.service, "-o", str(request))
        asked = self.run(*words, *lines)
        assert asked.returncode == 0, asked.stderr
        issued = self.vendor.issue(
            self.resource, request.read_bytes(), terms=terms or Terms(site=instances, lease_s=lease_s)
        )
        delivery.mkdir(exist_ok=True)
        (delivery / "license.note").write_bytes(issued.note)
        (delivery / "issuer.note").write_bytes(issued.issuer_note)
        installed = self.run(
            "install", str(delivery), "--home", str(self.home), "--roots", str(self.vendor.roots_dir)
        )
        assert installed.returncode == 0, installed.stderr

    @property
    def key(self) -> str:
        return Home(path=self.home).api_key()

    def start(self, *words: str, port: int = 0, wait: bool = True, prefix: tuple[str, ...] = ()) -> Service:
        """Start the desk, by `prefix` if there is one; again on the port that replicas know."""
        log = self.path / f"desk-{len(self.desks)}.log"
        given = [
            *("site", "serve", "--home", str(self.home), "--roots", str(self.vendor.roots_dir)),
            *("--heartbeat", "1", "--port", str(port or self.port)),
            *words,
        ]
        process: AnyProcess
        with log.open("wb") as output:
            if prefix:
                command = [*prefix, sys.executable, "-m", "appliance", *given]
                process = subprocess.Popen(command, stdout=output, stderr=output, env=clean_environ())
            else:
                process = ForkedProcess(
                    "appliance", given, environ=clean_environ(), stdout=output, stderr=output
                )
        desk = Service(process, log)
        self.desks.append(desk)
        if wait:
            self.url = desk.wait_ready().url
        return desk

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2]) if self.url else 0

    def replica(self, name: str = "") -> Replica:
        site = Replica(self.path / (name or f"replica-{len(self.replicas)}"), self.vendor)
        interval = "Metering:IntervalSeconds=1"
        site.online = (f"Billing={self.url}", f"ApiKey={self.key}", interval)
        self.replicas.append(site)
        return site

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--home", str(self.home), "--url", self.url, "--json")
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def meter(self) -> dict[str, int]:
        meters: list[dict[str, int]] = self.status()["plan"]["meters"]
        return meters[0]

    def export(self, out: Path) -> Path:
        done = self.run("export", "--home", str(self.home), "--url", self.url, "-o", str(out))
        assert done.returncode == 0, done.stderr
        return out

    def close(self) -> None:
        for replica in self.replicas:
            replica.close()
        for desk in self.desks:
            if desk.process.poll() is None:
                desk.kill()


def until(true: Any, seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
