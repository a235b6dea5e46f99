"""An authority with one resource, and a machine licensed from it, on one clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.config.identity import load_identity
from appliance.ledger.transfer.openings import load_openings
from license.authority.authority import Authority
from license.authority.book.heads import HeadRepository
from license.authority.book.resource import Resource
from license.authority.ingest import Ingested, ingest_bundle
from license.authority.openings import DEFAULT_STRETCHES
from license.crypto.hpke import HpkeKey
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import load_roots
from tests.support.evidence import METER, export, run_days
from tests.support.ledger import Machine, Vendor


@dataclass
class Customer:
    """An authority with one resource, and a machine licensed from it."""

    authority: Authority
    resource: Resource
    machine: Machine
    place: Path
    count: int = field(default=0)

    def license(self, **terms: object) -> AuthenticLicense:
        from license.authority.issuing.issue import Terms

        request = LicenseRequest(
            instance=self.machine.identity.verifying.vkey,
            product="ner",
            software="test",
            created=self.machine.wall,
            hpke=HpkeKey.generate().public,
        )
        issued = self.authority.issue(
            self.resource,
            sign_request(request, self.machine.identity),
            terms=Terms(**terms),  # type: ignore[arg-type]
        )
        roots = load_roots(self.authority.roots_dir)
        return open_license(issued.note, issued.issuer_note, roots=roots)

    def export(self, *, full: bool = False, machine: Machine | None = None) -> Path:
        self.count += 1
        return export(machine or self.machine, self.place / f"{self.count}.zip", full=full)

    def ingest(self, path: Path | None = None, *, machine: Machine | None = None) -> Ingested:
        """Take an export in, and the answer to what is asked about it."""
        done = self.ask(path)
        return self.ask(self.answer(done, machine=machine)) if done.openings else done

    def ask(self, path: Path | None = None, *, stretches: int = DEFAULT_STRETCHES) -> Ingested:
        """Take an export in, and leave what is asked unanswered."""
        return ingest_bundle(self.authority, path or self.export(), stretches=stretches)

    def answer(self, asked: Ingested, *, machine: Machine | None = None) -> Path:
        """Show what the vendor asks for."""
        self.count += 1
        folder = self.place / f"asked-{self.count}"
        folder.mkdir()
        (folder / "openings.note").write_bytes(asked.openings)
        (folder / "issuer.note").write_bytes(self.authority.keyring.issuer_note)
        shown = machine or self.machine
        openings = load_openings(
            shown.directory, folder / "openings.note", load_roots(self.authority.roots_dir)
        )
        return export(shown, self.place / f"{self.count}.zip", openings=openings)

    def sizes(self) -> list[int]:
        return [log.head.size for log in HeadRepository(self.authority.store.engine).logs(self.resource.name)]


@contextmanager
def used_since(begun: int, place: Path, vendor: Vendor) -> Iterator[Customer]:
    """A machine whose keys lie where the commands look for them, licensed, and used for two days."""
    identity = load_identity(place / "machine" / "state")
    machine = Machine(place / "machine", vendor, identity=identity.signing, wall=begun)
    machine.directory = machine.output / "customner" / identity.instance
    authority = Authority.create(place / "authority", clock=lambda: machine.wall)
    resource = authority.create_resource(
        "acme", customer="Acme Ltd", meters={METER: 1000}, period=("2026-01-01", "2099-01-01")
    ).resource
    made = Customer(authority, resource, machine, place)
    machine.licensed = made.license()
    run_days(machine, 2)
    with authority:
        yield made


@pytest.fixture
def customer(tmp_path: Path, vendor: Vendor) -> Iterator[Customer]:
    machine = Machine(tmp_path / "machine", vendor)
    authority = Authority.create(
        tmp_path / "authority", name="license.example.com", clock=lambda: machine.wall
    )
    resource = authority.create_resource(
        "acme", customer="Acme Ltd", meters={METER: 50}, period=("2026-01-01", "2028-01-01")
    ).resource
    made = Customer(authority, resource, machine, tmp_path)
    machine.licensed = made.license()
    with authority:
        yield made
