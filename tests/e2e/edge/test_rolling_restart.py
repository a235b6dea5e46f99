"""Two replicas behind HAProxy, by the page, are restarted one by one under load: no request fails."""

import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from license.authority.authority import Authority
from tests.e2e.edge.test_proxies import PAGE, configuration, free_port, wait_for
from tests.support.site import NO_TLS, Service, Site
from tests.support.wire import ANALYZE, BODY

pytestmark = pytest.mark.e2e
JOBS = "/language/analyze-text/jobs?api-version=2023-04-01"
JOB = {
    "analysisInput": {"documents": [{"id": "1", "language": "en", "text": "Ada Lovelace lived in London."}]},
    "tasks": [{"kind": "EntityRecognition"}],
}
LAME_DUCK_SECONDS = 1  # and HAProxy asks five times a second, so that the test is short


@pytest.fixture
def replicas(tmp_path: Path, vendor: Authority) -> Iterator[list[tuple[Site, int]]]:
    found = []
    for name in ("one", "two"):
        site = Site(tmp_path / name, vendor)
        site.issue()
        found.append((site, free_port()))
    yield found
    for site, _ in found:
        site.close()


def started(site: Site, port: int) -> Service:
    return site.start(f"Http:LameDuckSeconds={LAME_DUCK_SECONDS}", f"Http:Port={port}")


@pytest.fixture
def balancer(tmp_path: Path, replicas: list[tuple[Site, int]]) -> Iterator[str]:
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("haproxy is not installed: apt-get install haproxy")
    backend = re.search(r"```haproxy replicas\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert backend
    port = free_port()
    text = configuration("haproxy").split("\nbackend appliance")[0] + "\n" + backend[1]
    text = text.replace("bind :8443 ssl crt /etc/haproxy/tls/ner.pem", f"bind 127.0.0.1:{port}")
    text = text.replace("X-Forwarded-Proto https", "X-Forwarded-Proto http").replace(
        "inter 1s", "inter 200ms"
    )
    for address, (_, own) in zip(("10.0.0.7:5000", "10.0.0.8:5000"), replicas, strict=True):
        assert address in text
        text = text.replace(address, f"127.0.0.1:{own}")
    (tmp_path / "haproxy.cfg").write_text(text)
    with (tmp_path / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", str(tmp_path / "haproxy.cfg")], stderr=log)
    try:
        wait_for(port, tmp_path / "haproxy.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


class Load:
    """Callers that go on asking, each with connections of its own, and what they were answered."""

    def __init__(self, url: str, callers: int) -> None:
        self.statuses: list[int | str] = []
        self._url, self._done = url, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._done.is_set():
            with httpx2.Client(base_url=self._url, trust_env=False, verify=NO_TLS, timeout=30) as client:
                for _ in range(5):
                    try:
                        self.statuses.append(client.post(ANALYZE, content=BODY).status_code)
                    except httpx2.HTTPError as error:
                        self.statuses.append(repr(error))
                    time.sleep(0.02)

    def end(self) -> list[int | str]:
        self._done.set()
        for thread in self._threads:
            thread.join(60)
        return self.statuses


def test_no_request_fails_while_one_replica_after_the_other_is_restarted(
    replicas: list[tuple[Site, int]], balancer: str
) -> None:
    services = [started(site, port) for site, port in replicas]
    with httpx2.Client(base_url=balancer, trust_env=False, verify=NO_TLS) as client:
        until = time.monotonic() + 30
        while client.get("/ready").status_code != 200 and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.6)  # the balancer has seen that both are ready
        for _ in range(8):  # each job is asked for at the replica that has it
            place = client.post(JOBS, json=JOB).headers["operation-location"]
            path = httpx2.URL(place).raw_path.decode()
            assert [client.get(path).status_code for _ in range(4)] == [200] * 4
    load = Load(balancer, callers=4)
    for (site, port), service in zip(replicas, services, strict=True):
        time.sleep(0.6)  # the balancer has seen that both are ready
        begun = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=NO_TLS) as client:
            while client.get("/ready").status_code == 200:
                time.sleep(0.05)
            assert client.get("/ready").json()["message"] == "The service is stopping."
            assert client.post(ANALYZE, content=BODY).status_code == 200
        assert service.process.wait(60) == 0
        assert time.monotonic() - begun >= LAME_DUCK_SECONDS
        started(site, port)
    statuses = load.end()
    assert len(statuses) > 100
    assert set(statuses) == {200}, [one for one in statuses if one != 200][:5]
