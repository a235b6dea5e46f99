"""A vendor, a machine and a running authority for the licence tests; nothing here is patched."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from license.authority.authority import Authority
from license.authority.http.app import make_app
from license.authority.issuing.issue import IssuedLicense, Terms
from license.crypto.ed25519 import SigningKey
from license.crypto.hpke import HpkeKey
from license.encoding.strict import parse_time
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import TrustRoots
from tests.support.paths import VECTORS

NOW = parse_time("2026-06-01T12:00:00Z")
METER = "CognitiveServices.Ner.Container.TextRecords"


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS


@pytest.fixture(scope="session")
def alice() -> SigningKey:
    return SigningKey.generate("example.com/alice")


@pytest.fixture(scope="session")
def bob() -> SigningKey:
    return SigningKey.generate("example.com/bob")


@dataclass
class Clock:
    """Stands where the test puts it."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Vendor:
    """An authority with one resource, and one machine that asks it."""

    authority: Authority
    key: str
    machine: SigningKey
    clock: Clock
    hpke: HpkeKey = field(default_factory=HpkeKey.generate)

    @property
    def roots(self) -> TrustRoots:
        return self.authority.keyring.roots

    @property
    def vkey(self) -> str:
        return self.machine.verifying.vkey

    def request(self, product: str = "ner", machine: SigningKey | None = None, **more: Any) -> bytes:
        machine = machine or self.machine
        values: dict[str, Any] = {"software": "test 1", "created": self.clock(), "hpke": self.hpke.public}
        wanted = LicenseRequest(instance=machine.verifying.vkey, product=product, **values | more)
        return sign_request(wanted, machine)

    def issue(self, request: bytes | None = None, **terms: Any) -> IssuedLicense:
        resource = self.authority.store.find_by_key(self.key)
        assert resource is not None
        return self.authority.issue(resource, request or self.request(), terms=Terms(**terms))

    def opened(self, **terms: Any) -> AuthenticLicense:
        issued = self.issue(**terms)
        return open_license(issued.note, issued.issuer_note, roots=self.roots)


def make_vendor(home: Path, **resource: Any) -> Vendor:
    clock = Clock()
    authority = Authority.create(home, name="license.example.com", clock=clock)
    vendor = Vendor(authority, "", SigningKey.generate("offline-appliance/instance"), clock)
    values = {"customer": "Acme Ltd", "meters": {METER: 1_000}, "period": ("2026-01-01", "2028-01-01")}
    vendor.key = authority.create_resource("acme-ner", **values | resource).key1
    return vendor


@pytest.fixture(scope="session")
def vendor_at() -> Callable[..., Vendor]:
    """Make a vendor in a directory; whoever does closes it."""
    return make_vendor


@pytest.fixture
def new_vendor(tmp_path: Path) -> Iterator[Callable[..., Vendor]]:
    """Make vendors that are closed when the test ends."""
    made: list[Vendor] = []

    def make(**resource: Any) -> Vendor:
        made.append(make_vendor(tmp_path / f"vendor{len(made)}", **resource))
        return made[-1]

    yield make
    for vendor in made:
        vendor.authority.close()


@pytest.fixture
def vendor(new_vendor: Callable[..., Vendor]) -> Vendor:
    return new_vendor()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """One vendor for the tests that leave its keys and resources alone."""
    vendor = make_vendor(tmp_path_factory.mktemp("shared") / "vendor")
    yield vendor
    vendor.authority.close()


@pytest.fixture(scope="session")
def issued(shared: Vendor) -> tuple[IssuedLicense, Vendor]:
    """One licence for the tests that only read it."""
    return shared.issue(), shared


@pytest.fixture(scope="session")
def url(shared: Vendor) -> Iterator[str]:
    """The address of the shared vendor."""
    with serving(make_app(shared.authority)) as url:
        yield url


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an app on a free loopback port, on a real socket, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve() -> Callable[[Starlette], Any]:
    return serving
