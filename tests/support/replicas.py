"""A desk and replicas of a site in this process: the real ledger, gate, reporter and HTTP, and no model."""

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance.config.directories import LEASE_DIRECTORY
from appliance.config.identity import Identity, load_identity
from appliance.config.products import CUSTOM_NER
from appliance.errors import ApplianceError
from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.read.reports import usage_by_day
from appliance.licensing.admission import AdmissionControl
from appliance.licensing.manager import LicenseManager
from appliance.licensing.request import request_note
from appliance.metering.lease import Connection, fetch_lease, leased_interval
from appliance.metering.reporter import Reporter
from appliance.metering.schedule import EndpointState, ReportInterval
from appliance.server.connection.connections import ConnectionLimits
from appliance.server.desk import listen, make_server
from appliance.site.desk import Desk
from appliance.site.home import Home
from appliance.site.lease import DeskRules
from license.authority.authority import Authority
from license.authority.book.resource import Resource
from license.authority.issuing.issue import Terms
from license.client.metering import MeteringClient
from license.licenses.directory import save_license
from license.licenses.verify import open_license
from license.trust.roots import TrustRoots, load_roots
from tests.integration.connected.conftest import NOON, Time

METER = CUSTOM_NER.meter
RULES = DeskRules(heartbeat_s=20, patience_s=3_600)


@dataclass
class InProcessSite:
    """A vendor, and a desk that is opened and closed at will; clocks stand where the test puts them."""

    home: Path
    time: Time = field(default_factory=Time)
    lease_s: int = 3_600
    instances: int = 10
    rules: DeskRules = RULES
    limits: ConnectionLimits | None = None

    def __post_init__(self) -> None:
        self.authority = Authority.create(self.home / "vendor", name="license.example.com", clock=self.time)
        self.resource: Resource | None = None
        self.place = Home(path=self.home / "desk")
        self.place.make(CUSTOM_NER)
        self.desk: Desk | None = None
        self.url = ""
        self.members: list[Member] = []

    def license(self, units: int = 100, *, overage: str = "block", **terms: Any) -> None:
        """Sell a plan, and give its site licence to the desk."""
        if self.resource is None:
            self.resource = self.authority.create_resource(
                "acme", customer="Acme Ltd", meters={METER: units}, overage=overage
            ).resource
        note = request_note(self.place.identity(), CUSTOM_NER, created=self.time.now)
        granted = Terms(**({"site": self.instances, "lease_s": self.lease_s} | terms))
        issued = self.authority.issue(self.authority.store.get("acme"), note, terms=granted)
        roots = self.authority.keyring.roots
        save_license(self.place.license, open_license(issued.note, issued.issuer_note, roots=roots))

    @contextmanager
    def open(self, *, restored: bool = False, listened: bool = True) -> Iterator[Desk]:
        """Run the desk; it has listened to its replicas unless that is the subject."""
        roots = load_roots(self.authority.roots_dir)
        desk = Desk(self.place, roots=roots, rules=self.rules, sources=self.time.sources(), restored=restored)
        try:
            with self._serving(desk, roots) as url:
                self.desk, self.url = desk, url
                for member in self.members:
                    member.client = replace(member.client, billing=url)
                    if member.reporter is not None:
                        member.reporter.client = member.client
                if listened:
                    self.time.pass_time(2 * self.rules.heartbeat_s)
                yield desk
        finally:
            self.desk = None
            desk.close()

    @contextmanager
    def _serving(self, desk: Desk, roots: TrustRoots) -> Iterator[str]:
        """Serve a desk on loopback, by the server of `appliance site serve`."""
        server = make_server(desk, api_key=self.place.api_key(), roots=roots, limits=self.limits)
        listener = listen("127.0.0.1", 0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

    def member(self, name: str = "") -> "Member":
        client = MeteringClient(billing=self.url, api_key=self.place.api_key(), timeout_s=10)
        made = Member(self.home / (name or f"replica-{len(self.members)}"), self, client)
        self.members.append(made)
        return made

    def answered(self) -> int:
        """Units in the usage logs of all replicas that are still there."""
        return sum(
            tally.billed
            for member in self.members
            if (member.home / "output").exists()
            for used in usage_by_day(member.home / "output")
            for tally in used.sums.values()
        )

    def copy(self, to: str) -> None:
        """Copy the whole directory of the desk aside."""
        shutil.copytree(self.place.path, self.home / to)

    def put_back(self, copy: str) -> None:
        """Put a copy of the desk in its place."""
        shutil.rmtree(self.place.path)
        shutil.copytree(self.home / copy, self.place.path)

    @property
    def charged(self) -> int:
        """Units of the plan that the desk has counted or written off."""
        assert self.desk is not None
        book = self.desk.book
        return sum(units for (meter, term), units in book.charged.items() if term and meter == METER)

    @property
    def open_units(self) -> int:
        """Units of the plan that replicas may still use."""
        assert self.desk is not None
        return sum(self.desk.book.open(key) for key in self.desk.book.charged if key[1])

    def close(self) -> None:
        for member in self.members:
            member.kill()
        self.authority.close()


@dataclass
class Member:
    """A replica without a model."""

    home: Path
    site: InProcessSite
    client: MeteringClient
    reporter: Reporter | None = None
    count: int = 0

    def start(self) -> "Member":
        """Take a lease, open the ledger, and make the first attempt, as a start does."""
        self.identity: Identity = load_identity(self.home / "state")
        state, site = self.identity.directory, self.site
        directory = state / LEASE_DIRECTORY
        roots = load_roots(site.authority.roots_dir)
        lease = fetch_lease(
            self.client,
            identity=self.identity,
            roots=roots,
            service=CUSTOM_NER,
            directory=directory,
            serial=0,
            now=site.time.now,
        )
        self.clock = EffectiveClock(sources=site.time.sources(), floor=lease.license.issued)
        self.manager = LicenseManager(
            directory,
            roots=roots,
            product="ner",
            instance_vkey=self.identity.vkey,
            time_under=lambda _: self.clock.now(),
            lease=True,
        )
        self.ledger = Ledger.open(
            self.home / "output" / "customner" / self.identity.instance,
            identity=self.identity.signing,
            state=state,
            clock=self.clock,
            license=self.manager.current,
            software="test",
        )
        interval = leased_interval(ReportInterval(seconds=600, attempts=1, timeout=5), lease)
        opened = EndpointState(interval=interval, next_at=site.time.now)
        self.reporter = Reporter(
            Connection(
                client=self.client,
                identity=self.identity,
                roots=roots,
                service=CUSTOM_NER,
                directory=directory,
                endpoint_state=opened.opened(site.time.now, status="Valid", message=""),
            ),
            ledger=self.ledger,
            directory=self.home / "output" / "customner" / self.identity.instance,
            manager=self.manager,
            now=self.clock.now,
            reload=lambda: self.manager.reload(
                self.ledger.change_license, time_under=lambda _: self.clock.now()
            ),
        )
        self.gate = AdmissionControl(
            manager=self.manager, now=self.clock.now, used=self.ledger.used, meter=METER
        )
        self.gate.metering = self.reporter
        self.reporter.attempt()
        return self

    @property
    def of(self) -> str:
        return self.identity.instance

    @property
    def log(self) -> str:
        """Name of the usage log that it writes."""
        return self.ledger.origin

    def ask(self, units: int = 1) -> str:
        """Ask for an answer of so many units; returns `Answered`, or the code of the refusal."""

        async def answer() -> None:
            with self.gate.admit(units):
                self.count += 1
                use = UsageRecord(
                    meter=METER, quantity=units, billed=units, request_id=f"{self.home.name}-{self.count}"
                )
                await self.ledger.commit([use])

        try:
            asyncio.run(answer())
        except ApplianceError as error:
            return error.code
        return "Answered"

    def speak(self) -> None:
        """Do what the reporter's thread does when it comes round."""
        assert self.reporter is not None
        now = self.clock.now()
        if self.reporter.endpoint_state.is_due(now) or self.reporter.slices.due(now):
            self.reporter._attempt_due(now)

    def use_all(self, units: int = 1, most: int = 1_000) -> int:
        """Ask until nothing more is answered, with a second for the desk in between; returns the units."""
        answered = refused = 0
        while refused < 3 and answered < most:
            if self.ask(units) == "Answered":
                answered, refused = answered + units, 0
            else:
                refused += 1
                self.site.time.pass_time(1)
            self.speak()
        return answered

    def stop(self) -> None:
        """Stop in order."""
        assert self.reporter is not None
        self.reporter.close()
        self.ledger.close()
        self.reporter = None

    def kill(self) -> None:
        """End without a word to the desk."""
        if self.reporter is not None:
            self.reporter.abandon()
            self.ledger.close()
            self.reporter = None


__all__ = ["METER", "NOON", "RULES", "InProcessSite", "Member"]
