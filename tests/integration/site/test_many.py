"""Two hundred replicas of one desk over real HTTP: what its process costs, and that none is left out."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from license.authority.authority import Authority
from license.client.metering import MeteringClient
from license.crypto.ed25519 import SigningKey
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.merkle import Frontier, consistency_path, leaf_hash, node_hash
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.verify import AuthenticLicense
from license.metering_protocol import UsageRecord, UsageReport, sign_report
from license.slices.protocol import Standing, sign_standing
from license.trust.roots import load_roots
from tests.support.desk import DeskSite
from tests.support.replicas import METER

REPLICAS = 200
HEARTBEAT = 20
SECONDS = 60
UNITS = 10_000_000


@dataclass
class Simulated:
    """A replica that says what a real one says, and answers nothing: the cost is the desk's."""

    client: MeteringClient
    vendor: Authority
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("offline-appliance/instance"))
    leaves: list[bytes] = field(default_factory=list)
    known: int = 0
    reported: int = 0
    used: int = 0
    told: int = 0
    allowed: int = 0
    lease: AuthenticLicense | None = None

    @property
    def log(self) -> str:
        return f"offline-appliance/customner/{self.key.verifying.fingerprint}/1"

    def take_lease(self) -> None:
        now = int(time.time())
        request = LicenseRequest(
            instance=self.key.verifying.vkey, product="ner", software="simulated", created=now
        )
        self.lease = self.client.lease(
            sign_request(request, self.key),
            roots=load_roots(self.vendor.roots_dir),
            product="ner",
            instance_vkey=self.key.verifying.vkey,
            now=now,
        )

    def _subtree(self, level: int, index: int) -> bytes:
        if not level:
            return self.leaves[index]
        return node_hash(self._subtree(level - 1, 2 * index), self._subtree(level - 1, 2 * index + 1))

    def _root(self) -> bytes:
        frontier = Frontier()
        frontier.extend(self.leaves, [])
        return frontier.root()

    def _growth(self, since: int) -> tuple[bytes, ...]:
        size = len(self.leaves)
        return tuple(consistency_path(since, size, self._subtree)) if 0 < since < size else ()

    def work(self) -> None:
        """Use some units of the slice: an entry each."""
        for _ in range(3):
            if self.used < self.allowed:
                self.leaves.append(leaf_hash(f"{self.log} {len(self.leaves)}".encode()))
                self.used += 1

    def report(self) -> None:
        size, now = len(self.leaves), int(time.time())
        entries = self.used - self.told
        if not entries:
            return
        record = UsageRecord(meter=METER, entries=entries, quantity=entries, billed=entries, at=now)
        report = UsageReport(log=self.log, first=self.reported, next=size, software="0", records=(record,))
        signed = sign_report(report, root=self._root(), growth=self._growth(self.reported), key=self.key)
        self.reported = self.client.report(signed, now=now).next
        self.told = self.used

    def speak(self) -> None:
        assert self.lease is not None
        now, term = int(time.time()), self.lease.license.plan.period[0]
        if not self.leaves:
            self.leaves.append(leaf_hash(self.log.encode()))
        standing = Standing(
            instance=self.key.verifying.vkey,
            head=Checkpoint(origin=self.log, size=len(self.leaves), root=self._root()),
            since=self.known,
            growth=self._growth(self.known),
            term=term,
            used=((METER, self.used),),
            wants=((METER, 50),),
            created=now,
        )
        reply = self.client.slice(sign_standing(standing, self.key), now=now)
        self.known = reply.head
        claims = reply.slice.decode()
        self.allowed = int(claims.partition(f'"{METER}": ')[2].partition("\n")[0])


@pytest.fixture
def site(new_desk: Callable[..., DeskSite]) -> Iterator[DeskSite]:
    made = new_desk()
    made.buy(UNITS)
    made.set_up(instances=REPLICAS, lease_s=2 * SECONDS)
    yield made


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.slow
@pytest.mark.e2e
def test_two_hundred_replicas_cost_a_desk_less_than_half_a_core(site: DeskSite, vendor: Authority) -> None:
    """Each speaks every 20 s and reports every 60; leases of two minutes are renewed at half."""
    desk = site.start("--heartbeat", str(HEARTBEAT))
    client = MeteringClient(billing=site.url, api_key=site.key, timeout_s=30)
    replicas = [Simulated(client, vendor) for _ in range(REPLICAS)]
    failed: list[str] = []
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Simulated.take_lease, replicas))
    begun, spent = time.monotonic(), cpu_seconds(desk.process.pid)
    done = threading.Event()

    def run(mine: list[Simulated]) -> None:
        for turn in range(SECONDS // HEARTBEAT):
            for number, one in enumerate(mine):
                due = begun + turn * HEARTBEAT + number * HEARTBEAT / len(mine)
                done.wait(max(0.0, due - time.monotonic()))
                try:
                    one.speak()
                    one.work()
                    if turn == number % (SECONDS // HEARTBEAT):
                        one.report()
                        one.take_lease()
                except Exception as error:
                    failed.append(repr(error))

    threads = [threading.Thread(target=run, args=(replicas[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed, spent = time.monotonic() - begun, cpu_seconds(desk.process.pid) - spent
    share = spent / passed
    assert failed == []
    assert site.status()["live"] == REPLICAS
    for one in replicas:
        one.report()
    assert site.meter()["charged"] == sum(one.used for one in replicas) > REPLICAS
    assert 0 < share < 0.5, f"{share:.3f} of a core, {spent:.1f} s of {passed:.0f}"
