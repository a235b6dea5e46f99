"""A vendor and an isolated site on this machine: real keys, real processes, real sockets."""

import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
from pydantic import TypeAdapter

from appliance.api.operations.responses import Status, StatusWithoutKey
from appliance.config.identity import load_identity
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.book.resource import Resource
from license.authority.issuing.issue import Terms
from license.files import write_atomic
from license.licenses.license import License
from license.licenses.request import LicenseRequest, sign_request
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement
from tests.support.forked_process import ForkedProcess, can_fork, run_forked_text

AnyProcess = ForkedProcess | subprocess.Popen[bytes]
START_SECONDS = 60
_CHOOSES_MODEL = ("Models:", "ExportedModelName=", "Service=", "Product=")
VERSION = {"api-version": "2023-04-01"}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP: each would read the certificates of the system, for 20 ms of a processor."""
SENTENCE = "Angela Merkel met reporters from Reuters in Berlin."


_STATUS: TypeAdapter[Status | StatusWithoutKey] = TypeAdapter(Status | StatusWithoutKey)


class Service:
    """One running service process."""

    def __init__(self, process: AnyProcess, log: Path) -> None:
        self.process = process
        self.log = log
        self.url = ""

    def wait_ready(self) -> "Service":
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.text().splitlines():
                _, found, url = line.partition(" ready: ")
                if found:
                    self.url = url
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.text()[-3000:]}")

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def client(self, **options: Any) -> httpx2.Client:
        options = {"verify": NO_TLS, **options}
        return httpx2.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def status(self) -> dict[str, Any]:
        """`/status`, which must be what the OpenAPI document says."""
        with self.client() as client:
            reply = client.get("/status")
        assert reply.status_code == 200
        _STATUS.validate_json(reply.content)
        body: dict[str, Any] = reply.json()
        return body

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Site:
    """The isolated server's mounts, and the commands its operator types."""

    # Otherwise each first start would spend a second on measuring what suits this machine.
    fixed: tuple[str, ...] = ("Engine:Sessions=2", "Engine:BatchTokens=128")
    general: tuple[str, ...] = ("Models:General=en",)
    """The smaller general model, which starts in less time; the default where that is the subject: `()`."""
    forks = True
    """Whether services are forked from a process that has imported the product, or started anew."""

    def __init__(self, home: Path, vendor: Authority) -> None:
        self.home = home
        self.vendor = vendor
        self.running: list[Service] = []
        for name in ("license", "output", "state"):
            (home / name).mkdir(parents=True)

    @property
    def license(self) -> Path:
        return self.home / "license"

    @property
    def output(self) -> Path:
        return self.home / "output"

    @property
    def state(self) -> Path:
        return self.home / "state"

    def buy(self, *, product: str = "ner", **resource: Any) -> Resource:
        """Have the vendor enter what a customer bought."""
        resource.setdefault("meters", {TEXT_RECORDS: 1_000_000})
        return self.vendor.create_resource(customer="Test customer", product=product, **resource).resource

    def issue(
        self,
        *,
        terms: Terms | None = None,
        product: str = "ner",
        into: Path | None = None,
        changes: dict[str, Any] | None = None,
        bought: Resource | None = None,
        **resource: Any,
    ) -> License:
        """Carry a request out and a licence in, by files.

        Args:
            terms: What the vendor grants.
            product: What it is for.
            into: Directory for the two notes, if not the licence mount.
            changes: Claims that no command of the vendor gives, such as an end in a few seconds; signed all
                the same by the real issuer.
            bought: What it is issued for, if not something new.
            resource: What is bought.
        """
        identity = load_identity(self.state)
        hpke = None if identity.hpke is None else identity.hpke.public
        request = LicenseRequest(
            instance=identity.vkey, hpke=hpke, product=product, software="test", created=int(time.time())
        )
        if bought is None:
            bought = self.buy(product=product, **resource)
        issued = self.vendor.issue(bought, sign_request(request, identity.signing), terms=terms)
        licensed, note = issued.license, issued.note
        if changes is not None:
            licensed = replace(licensed, **changes)
            note = sign_note(render_statement("license", licensed.to_claims()), self.vendor.keyring.issuer)
        directory = into or self.license
        directory.mkdir(parents=True, exist_ok=True)
        # As an operator's `mv` does it: first what proves, then what is proved.
        for name, data in (("issuer.note", issued.issuer_note), ("license.note", note)):
            write_atomic(directory / name, data)
        return licensed

    def command(self, *words: str, roots: Path | None = None) -> list[str]:
        return [sys.executable, "-m", "appliance", *self.words(*words, roots=roots)]

    def words(self, *words: str, roots: Path | None = None) -> list[str]:
        return [
            *("serve", "--roots", str(roots or self.vendor.roots_dir)),
            *("Eula=accept", *self.mounts, "Http:Host=127.0.0.1", "Http:Port=0"),
            *(() if any(word.startswith("Engine:") for word in words) else self.fixed),
            *(() if any(word.startswith(_CHOOSES_MODEL) for word in words) else self.general),
            *words,
        ]

    def operate(
        self, *words: str, stdin: bytes = b"", settings: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run one of the operator's commands, such as `license show`, in a process of its own."""
        given = [*words, "--roots", str(self.vendor.roots_dir), *(self.mounts if settings else ())]
        return run_forked_text("appliance", given, environ=clean_environ(), stdin=stdin)

    @property
    def mounts(self) -> tuple[str, ...]:
        return (
            f"Mounts:License={self.license}",
            f"Mounts:Output={self.output}",
            f"Mounts:State={self.state}",
        )

    def run(self, *words: str, roots: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a start that is expected to end by itself."""
        return run_forked_text("appliance", self.words(*words, roots=roots), environ=clean_environ())

    def start(self, *words: str, prefix: tuple[str, ...] = (), wait: bool = True) -> Service:
        log = self.home / f"service-{len(self.running)}.log"
        with log.open("wb") as output:
            process: AnyProcess
            environ = clean_environ()
            if prefix or not self.forks or not can_fork(environ):
                command = [*prefix, *self.command(*words)]
                process = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
            else:
                given = self.words(*words)
                process = ForkedProcess("appliance", given, environ=environ, stdout=output, stderr=output)
        service = Service(process, log)
        self.running.append(service)
        return service.wait_ready() if wait else service

    def close(self) -> None:
        for service in self.running:
            if service.process.poll() is None:
                service.kill()


def clean_environ() -> dict[str, str]:
    """The environment without what would mute telemetry on its own or change settings."""
    dropped = {"CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "EULA"}
    return {name: value for name, value in os.environ.items() if name.upper() not in dropped}
