"""An authority with one resource, and a machine licensed from it, on one clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from license.authority.authority import Authority
from license.authority.book.heads import HeadRepository
from license.authority.book.resource import Resource
from license.authority.ingest import Ingested, ingest_bundle
from license.crypto.hpke import HpkeKey
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import load_roots
from tests.support.evidence import METER, export
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

    def ingest(self, path: Path | None = None) -> Ingested:
        return ingest_bundle(self.authority, path or self.export())

    def sizes(self) -> list[int]:
        return [log.head.size for log in HeadRepository(self.authority.store.engine).logs(self.resource.name)]


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
