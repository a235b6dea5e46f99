"""A vendor, a machine whose clock a test sets, and ledgers between them; no code under test is patched."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.host.effective_clock import ClockSources, EffectiveClock, Reading
from appliance.ledger.ledger import Ledger
from license.crypto.ed25519 import SigningKey
from license.licenses.license import License
from license.licenses.terms import InstanceBinding, Plan
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import Delegation
from license.trust.roots import TrustRoots
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

DAY = 86_400
NOON = 1_790_000_000 - 1_790_000_000 % DAY + DAY // 2  # 2026-09-21T12:00:00Z


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.01)


@dataclass
class Vendor:
    """Root and issuer, and the licences they give."""

    directory: Path
    root: SigningKey = field(default_factory=lambda: SigningKey.generate("vendor.example/root"))
    issuer: SigningKey = field(default_factory=lambda: SigningKey.generate("vendor.example/issuer"))

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.path = self.directory / "root.vkey"
        self.path.write_text(self.root.verifying.vkey + "\n")

    @property
    def roots(self) -> TrustRoots:
        return TrustRoots(keys=(self.root.verifying,), sources=(self.path,))

    def license(
        self,
        vkey: str,
        *,
        serial: int = 1,
        epoch: int = 1,
        issued: int = NOON - DAY,
        days: int = 400,
        overage: str = "record",
        subscription: str = "sub-1",
    ) -> AuthenticLicense:
        delegation = Delegation(
            role="issuer",
            vkey=self.issuer.verifying.vkey,
            not_before=NOON - 1000 * DAY,
            not_after=NOON + 1000 * DAY,
            epoch=epoch,
        )
        expires = issued + days * DAY
        claims = License(
            id=f"01J{serial:023d}",
            serial=serial,
            issued=issued,
            not_before=issued,
            expires=expires,
            terminates=expires + 30 * DAY,
            report_by=issued,
            customer="Example Hospital",
            subscription=subscription,
            product="ner",
            plan=Plan(
                tier="DC0",
                period=(issued - issued % DAY, expires),
                meters=(("Ner.TextRecords", 1000),),
                overage=overage,
            ),
            instance=InstanceBinding(binding="instance", vkeys=(vkey,)),
        )
        issuer_note = sign_note(render_statement("delegation", delegation.to_claims()), self.root)
        note = sign_note(render_statement("license", claims.to_claims()), self.issuer)
        return open_license(note, issuer_note, roots=self.roots, product="ner", instance_vkey=vkey)


@dataclass
class Machine:
    """One installation: its directories, key and clocks."""

    home: Path
    vendor: Vendor
    identity: SigningKey = field(default_factory=lambda: SigningKey.generate("offline-appliance/instance"))
    wall: int = NOON
    uptime: float = 1000.0
    boot: str = "first"
    service: str = "customner"

    def __post_init__(self) -> None:
        self.output = self.home / "output"
        self.state = self.home / "state"
        self.output.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.directory = self.output / self.service / "instance"
        self.licensed = self.vendor.license(self.identity.verifying.vkey)

    def pass_time(self, seconds: int) -> None:
        self.wall += seconds
        self.uptime += seconds

    def clock(self) -> EffectiveClock:
        def read() -> Reading:
            return Reading(wall=self.wall, uptime=self.uptime, boot=self.boot)

        return EffectiveClock(sources=ClockSources(read=read, synchronised=lambda: False))

    def renew(self, **terms: Any) -> AuthenticLicense:
        return self.vendor.license(self.identity.verifying.vkey, **terms)

    def open(self, licensed: AuthenticLicense | None = None, clock: EffectiveClock | None = None) -> Ledger:
        return Ledger.open(
            self.directory,
            identity=self.identity,
            state=self.state,
            clock=clock or self.clock(),
            license=licensed or self.licensed,
            software="offline-appliance 0.1.0",
            service=self.service,
        )

    @property
    def database(self) -> Path:
        return self.directory / "ledger-1.db"

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Do something to the database behind the ledger's back."""
        connection = sqlite3.connect(self.database, isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def texts(self) -> list[str]:
        return [str(text) for (text,) in self.sql("SELECT text FROM entry ORDER BY n")]

    def kinds(self) -> list[str]:
        return [text.split('"')[3] for text in self.texts()]


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return Vendor(tmp_path_factory.mktemp("roots"))


@pytest.fixture
def machine(tmp_path: Path, vendor: Vendor) -> Machine:
    return Machine(tmp_path / "machine", vendor)


@pytest.fixture
def opened(machine: Machine) -> Iterator[Ledger]:
    ledger = machine.open()
    yield ledger
    ledger.close()
