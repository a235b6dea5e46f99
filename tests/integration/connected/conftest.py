"""An authority that meters, machines that run connected, and a network between them that fails as told."""

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from appliance.config.directories import LEASE_DIRECTORY
from appliance.config.identity import Identity, load_identity
from appliance.config.products import CUSTOM_NER
from appliance.host.effective_clock import ClockSources, EffectiveClock, Reading, system_sources
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.read.reports import usage_by_day
from appliance.licensing.manager import LicenseManager
from appliance.metering.lease import Connection, fetch_lease
from appliance.metering.reporter import Reporter
from appliance.metering.reports import find_logs
from appliance.metering.schedule import EndpointState, ReportInterval
from license.authority.authority import Authority, CreatedResource
from license.authority.book.metering import usage_of
from license.authority.http.app import Limits, make_app
from license.client.metering import MeteringClient
from license.encoding.strict import format_date
from license.evidence.log.entry import Tally
from license.trust.roots import load_roots
from tests.support.site import Site

DAY = 86_400
NOON = 1_790_000_000 - 1_790_000_000 % DAY + DAY // 2  # 2026-09-21T12:00:00Z
METER = CUSTOM_NER.meter
Sums = dict[tuple[str, str, str], Tally]


@dataclass
class Time:
    """The clocks of a test: they stand where it puts them."""

    now: int = NOON
    uptime: float = 1_000.0

    def __call__(self) -> int:
        return self.now

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        self.uptime += seconds

    def sources(self) -> ClockSources:
        def read() -> Reading:
            return Reading(wall=self.now, uptime=self.uptime, boot="first")

        return ClockSources(read=read, synchronised=lambda: True)


class RealTime(Time):
    """The clocks of this machine."""

    def __getattribute__(self, name: str) -> Any:
        return int(time.time()) if name == "now" else super().__getattribute__(name)

    def sources(self) -> ClockSources:
        return system_sources()


@dataclass
class Vendor:
    """An authority with one resource."""

    authority: Authority
    created: CreatedResource
    time: Time

    @property
    def key(self) -> str:
        return self.created.key1

    def metered(self, resource: str = "") -> Sums:
        """What the authority has counted: by log, day and meter."""
        name = resource or self.created.resource.name
        return {
            (log.origin, date, meter): tally
            for log in usage_of(self.authority.store.engine, name)
            for (date, meter), tally in log.days.items()
        }


@dataclass
class Machine:
    """One installation that reports, with the service's own ledger and reporter but no model."""

    home: Path
    roots_dir: Path
    client: MeteringClient
    time: Time
    interval: int = 600
    count: int = field(default=0)

    def __post_init__(self) -> None:
        self.identity: Identity = load_identity(self.home / "state")
        self.directory = self.home / "output" / "customner" / self.identity.instance
        self.roots = load_roots(self.roots_dir)

    def open(self, client: MeteringClient | None = None) -> None:
        """Check the key at the endpoint, then open the ledger under the lease."""
        client = client or self.client
        state = self.identity.directory
        lease = fetch_lease(
            client,
            identity=self.identity,
            roots=self.roots,
            service=CUSTOM_NER,
            directory=state / LEASE_DIRECTORY,
            serial=0,
            now=self.time.now,
        )
        self.clock = EffectiveClock(sources=self.time.sources(), floor=lease.license.issued)
        self.manager = LicenseManager(
            state / LEASE_DIRECTORY,
            roots=self.roots,
            product="ner",
            instance_vkey=self.identity.vkey,
            time_under=lambda _: self.clock.now(),
            lease=True,
        )
        self.ledger = Ledger.open(
            self.directory,
            identity=self.identity.signing,
            state=state,
            clock=self.clock,
            license=self.manager.current,
            software="test",
        )
        timeout = max(1, int(client.timeout_s))
        interval = ReportInterval(seconds=self.interval, attempts=10, timeout=timeout)
        endpoint_state = EndpointState(interval=interval, next_at=self.time.now)
        connection = Connection(
            client=client,
            identity=self.identity,
            roots=self.roots,
            service=CUSTOM_NER,
            directory=state / LEASE_DIRECTORY,
            endpoint_state=endpoint_state.opened(self.time.now, status="Valid", message=""),
        )
        self.reporter = Reporter(
            connection,
            ledger=self.ledger,
            directory=self.directory,
            manager=self.manager,
            now=self.clock.now,
            reload=self.reload,
        )

    def reload(self) -> None:
        self.manager.reload(self.ledger.change_license, time_under=lambda _: self.clock.now())

    def use(self, *quantities: int) -> None:
        """Record some requests."""

        async def commit() -> None:
            for quantity in quantities:
                self.count += 1
                use = UsageRecord(
                    meter=METER, quantity=quantity, billed=quantity, request_id=f"r{self.count}"
                )
                await self.ledger.commit([use])

        asyncio.run(commit())

    def recorded(self) -> Sums:
        """What the ledger says: by log, day and meter."""
        return {
            (used.origin, format_date(used.day), meter): tally
            for used in usage_by_day(self.home / "output")
            for meter, tally in used.sums.items()
        }

    def position(self) -> int:
        """How far the ledger says that it is counted."""
        return max(
            (max(log.acknowledged.values(), default=0) for log in find_logs(self.directory)), default=0
        )

    def close(self) -> None:
        self.reporter.abandon()
        self.ledger.close()


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an application on loopback."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def new_vendor(tmp_path: Path) -> Iterator[Callable[..., Vendor]]:
    made: list[Vendor] = []

    def make(**resource: object) -> Vendor:
        time_ = Time()
        home = tmp_path / f"vendor{len(made)}"
        authority = Authority.create(home, name="license.example.com", clock=time_)
        values: dict[str, object] = {"customer": "Acme Ltd", "tier": "S0"} | resource
        created = authority.create_resource("acme", **values)  # type: ignore[arg-type]
        made.append(Vendor(authority, created, time_))
        return made[-1]

    yield make
    for one in made:
        one.authority.close()


@pytest.fixture
def meter(new_vendor: Callable[..., Vendor]) -> Vendor:
    return new_vendor()


@pytest.fixture
def endpoint(meter: Vendor) -> Iterator[str]:
    """The vendor's real service on a real socket."""
    with serving(make_app(meter.authority, Limits(reports=100_000, reads=100_000))) as url:
        yield url


@pytest.fixture
def machine(tmp_path: Path, meter: Vendor, endpoint: str) -> Iterator[Machine]:
    client = MeteringClient(billing=endpoint, api_key=meter.key, timeout_s=5)
    made = Machine(tmp_path / "machine", meter.authority.roots_dir, client, meter.time)
    made.open()
    yield made
    made.close()


class ConnectedSite(Site):
    """A site whose service runs connected while `online` holds the trio's other two."""

    online: tuple[str, ...] = ()
    resource: str = ""

    @property
    def mounts(self) -> tuple[str, ...]:
        mounts = super().mounts
        return (*self.online, *(mount for mount in mounts if "License" not in mount or not self.online))


@pytest.fixture
def connected(tmp_path: Path, vendor: Authority, billing: str) -> Iterator[ConnectedSite]:
    """A site that runs connected to the shared vendor, with a resource of its own."""
    name = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]
    created = vendor.create_resource(f"c-{name}", customer="Acme Ltd", tier="S0")
    site = ConnectedSite(tmp_path / "site", vendor)
    site.resource = created.resource.name
    site.online = (f"Billing={billing}", f"ApiKey={created.key1}", "Metering:IntervalSeconds=1")
    yield site
    site.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def hastily(client: MeteringClient, seconds: float) -> MeteringClient:
    return replace(client, timeout_s=seconds)
