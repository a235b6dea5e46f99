"""The real service as the manager starts it: inherited port, notifications, stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from license.authority.issuing.issue import Terms
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.site import SENTENCE, Site, clean_environ

pytestmark = pytest.mark.e2e

LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}


class Started:
    def __init__(self, site: Site, home: Path, *words: str) -> None:
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(str(home / "notify"))
        self.channel.settimeout(60)
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environ = {"NOTIFY_SOCKET": str(home / "notify"), "LISTEN_FDS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(listener.fileno()), *site.command(*words)],
            env=clean_environ() | environ,
            pass_fds=(listener.fileno(),),
        )
        listener.close()

    def said(self) -> list[str]:
        return self.channel.recv(4096).decode().split("\n")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.channel.close()


@pytest.fixture
def start(site: Site, tmp_path: Path) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def start(*words: str) -> Started:
        started.append(Started(site, tmp_path, *words))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_request_made_before_the_model_is_loaded_waits_and_is_answered(
    start: Callable[[], Started],
) -> None:
    service = start()
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{service.url}/language/:analyze-text?api-version=2023-04-01",
        json.dumps(BODY).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 (loopback)
        assert reply.status == 200
        assert reply.headers["Usage-Record"]
    assert service.said() == ["STATUS=loading the model"]
    assert service.said() == ["READY=1", f"STATUS=serving on {service.url}"]


def test_a_stop_while_the_model_loads_ends_well_and_signs_the_ledger(
    start: Callable[[], Started], site: Site
) -> None:
    service = start()
    assert service.said() == ["STATUS=loading the model"]
    os.kill(service.process.pid, signal.SIGTERM)
    assert service.process.wait(30) == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert (report.exit_code, list(report.findings)) == (0, [])


def test_a_connection_accepted_just_before_a_stop_is_still_answered(start: Callable[[], Started]) -> None:
    service = start()
    while "READY=1" not in service.said():
        pass
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as accepted:
        with urllib.request.urlopen(f"{service.url}/ready", timeout=30):  # noqa: S310 (loopback)
            pass  # connections are accepted in order
        os.kill(service.process.pid, signal.SIGTERM)
        while "STOPPING=1" not in service.said():
            pass
        accepted.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert accepted.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
    assert service.process.wait(30) == 0


def test_several_workers_are_one_service_that_is_ready_once(
    start: Callable[..., Started], site: Site
) -> None:
    site.issue(terms=Terms(binding="any"))
    service = start("Workers=2", "Engine:Sessions=1", "Engine:BatchTokens=128")
    assert service.said() == ["STATUS=starting the workers"]
    assert service.said() == ["READY=1", f"STATUS=serving on {service.url} with 2 workers"]
    with urllib.request.urlopen(f"{service.url}/ready", timeout=30) as reply:  # noqa: S310 (loopback)
        assert reply.status == 200
    os.kill(service.process.pid, signal.SIGTERM)
    assert service.said()[:2] == ["STOPPING=1", "STATUS=draining"]
    assert service.process.wait(30) == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert (report.exit_code, len(report.logs)) == (0, 2)
