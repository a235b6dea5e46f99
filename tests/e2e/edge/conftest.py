"""A certificate for localhost, and a service whose queue is full most of the time."""

import datetime
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from license.authority.authority import Authority
from tests.support.site import SENTENCE, Service, Site
from tests.support.wire import post, wire


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    certificate, secret = folder / "localhost.pem", folder / "localhost.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, secret


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    """A service whose queue is short."""
    site = Site(tmp_path_factory.mktemp("full") / "site", vendor)
    site.issue()
    yield site.start("Engine:QueueTokens=16", "Engine:Sessions=1", "Limits:BodyBytes=8000000")
    site.close()


@pytest.fixture
def full(narrow: Service) -> Iterator[Service]:
    """A service that three callers keep busy during the test: nearly every other one is answered 429."""
    done = threading.Event()
    documents = [{"id": str(n), "language": "en", "text": SENTENCE * 20} for n in range(5)]
    body = json.dumps({"kind": "EntityRecognition", "analysisInput": {"documents": documents}}).encode()

    def keep_busy() -> None:
        while not done.is_set():
            with wire(narrow.url) as one:
                one.send(post(body))
                one.reply()
            done.wait(0.01)

    with ThreadPoolExecutor(3) as pool:
        busy = [pool.submit(keep_busy) for _ in range(3)]
        try:
            yield narrow
        finally:
            done.set()
        for one in busy:
            one.result()
