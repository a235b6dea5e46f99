"""The configurations of `docs/deploy/proxy.md` with the real nginx and HAProxy in front of a real service."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from azure.ai.textanalytics import RecognizeEntitiesAction, TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import RequestsTransport

from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, Service, Site
from tests.support.wire import ANALYZE, BODY

pytestmark = pytest.mark.e2e
PAGE = ROOT / "docs" / "deploy" / "proxy.md"
PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}
TIMES = 34  # of each of three refusals: a hundred and more
KEY = "0123456789abcdef"
HEADERS = {"Ocp-Apim-Subscription-Key": KEY}
Start = Callable[[str, Service], str]


def configuration(name: str) -> str:
    found = re.search(rf"```{name}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, f"the page has no configuration of {name}"
    return found[1]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    site = Site(tmp_path_factory.mktemp("behind") / "site", vendor)
    site.issue()
    yield site.start("Http:AllowedHosts=ner.example.com", f"ApiKeys:one={KEY}")
    site.close()


@pytest.fixture(scope="module")
def start(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start("nginx", service)` runs that proxy by the page, before the service, and returns its address."""
    running: list[subprocess.Popen[bytes]] = []
    addresses: dict[tuple[str, str], str] = {}

    def run(name: str, service: Service) -> str:
        program = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            pytest.skip(f"{name} is not installed: apt-get install {PACKAGES[name]}")
        if (name, service.url) not in addresses:
            port = free_port()
            folder = tmp_path_factory.mktemp(name)
            both = folder / "both.pem"
            both.write_text(certificate[0].read_text() + certificate[1].read_text())
            text = configuration(name).replace("127.0.0.1:5000", service.url.removeprefix("http://"))
            words = MAKERS[name](text, folder, port, both)
            with (folder / "log").open("wb") as log:
                running.append(subprocess.Popen([program, *words], stderr=log))
            wait_for(port, folder / "log")
            addresses[name, service.url] = f"https://localhost:{port}"
        return addresses[name, service.url]

    yield run
    for one in running:
        one.terminate()
        one.wait(20)


def nginx(text: str, folder: Path, port: int, both: Path) -> list[str]:
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = re.sub(r"/etc/nginx/tls/ner\.(pem|key)", str(both), text)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off;\n{paths}{text}}}\n"
    )
    return ["-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "user root;" if is_root() else ""]


def haproxy(text: str, folder: Path, port: int, both: Path) -> list[str]:
    text = text.replace("bind :8443", f"bind 127.0.0.1:{port}").replace("/etc/haproxy/tls/ner.pem", str(both))
    (folder / "haproxy.cfg").write_text(text)
    return ["-db", "-f", str(folder / "haproxy.cfg")]


MAKERS: dict[str, Callable[[str, Path, int, Path], list[str]]] = {"nginx": nginx, "haproxy": haproxy}


def is_root() -> bool:
    return os.geteuid() == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def wait_for(port: int, log: Path) -> None:
    for _ in range(200):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest, start: Start, behind: Service) -> str:
    return start(request.param, behind)


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


def test_a_job_of_the_official_client_goes_through(proxy: str, certificate: tuple[Path, Path]) -> None:
    transport = RequestsTransport(connection_verify=str(certificate[0]))
    with TextAnalyticsClient(proxy, AzureKeyCredential(KEY), transport=transport) as client:
        found = client.begin_analyze_actions([SENTENCE] * 3, actions=[RecognizeEntitiesAction()]).result()
        assert [one.is_error for (one,) in found] == [False] * 3


def test_links_name_the_proxy(proxy: str, trusting: ssl.SSLContext) -> None:
    job = {
        "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
        "tasks": [{"kind": "EntityRecognition"}],
    }
    with httpx2.Client(base_url=proxy, verify=trusting, trust_env=False, headers=HEADERS) as client:
        spoofed = {
            "X-Forwarded-Prefix": "/evil",
            "Forwarded": "host=evil.example",
            "X-Forwarded-Host": "evil",
        }
        paths = ("", "/ai") if "nginx" in client.get("/ready").headers.get("server", "") else ("",)
        for path in paths:
            reply = client.post(
                f"{path}/language/analyze-text/jobs?api-version=2023-04-01", json=job, headers=spoofed
            )
            assert reply.status_code == 202, reply.text
            place = reply.headers["operation-location"]
            assert place.startswith(f"{proxy}{path}/language/analyze-text/jobs/")
            assert client.get(place).status_code == 200


def test_a_foreign_name_is_refused_through_it_too(proxy: str, trusting: ssl.SSLContext) -> None:
    with httpx2.Client(base_url=proxy, verify=trusting, trust_env=False, headers=HEADERS) as client:
        assert client.get("/status", headers={"Host": "ner.example.com"}).status_code == 200
        assert client.get("/status", headers={"Host": "evil.example"}).status_code == 421


def test_an_offer_to_upgrade_goes_through(proxy: str, trusting: ssl.SSLContext) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    with httpx2.Client(base_url=proxy, verify=trusting, trust_env=False, headers=HEADERS) as client:
        for _ in range(3):
            assert client.post(ANALYZE, content=BODY, headers=offer).status_code == 200


def test_every_refusal_of_a_large_body_arrives(proxy: str, trusting: ssl.SSLContext) -> None:
    with httpx2.Client(
        base_url=proxy, verify=trusting, trust_env=False, headers=HEADERS, timeout=60
    ) as client:
        body = b"x" * (6 << 20)
        for path, key, status in ((ANALYZE, KEY, 413), ("/no/such/path", KEY, 404), (ANALYZE, "wrong", 401)):
            headers = {"Ocp-Apim-Subscription-Key": key}
            statuses = [client.post(path, content=body, headers=headers).status_code for _ in range(TIMES)]
            assert statuses == [status] * TIMES


def test_every_refusal_of_a_large_body_arrives_at_node(proxy: str, certificate: tuple[Path, Path]) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs")
    program = ROOT / "tests" / "clients" / "programs" / "refused.mjs"
    done = subprocess.run(
        [node, str(program), proxy + ANALYZE, "100", str(6 << 20), f"Ocp-Apim-Subscription-Key: {KEY}"],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"NODE_EXTRA_CA_CERTS": str(certificate[0])},
        check=False,
    )
    assert done.stdout.split() == ["413"] * 100, done.stderr[-2000:]


@pytest.mark.parametrize("name", PACKAGES)
def test_refusals_of_a_full_queue_arrive(
    start: Start, full: Service, trusting: ssl.SSLContext, name: str
) -> None:
    with httpx2.Client(base_url=start(name, full), verify=trusting, trust_env=False, timeout=60) as client:
        sent = [client.post(ANALYZE, content=b"x" * (6 << 20)).status_code for _ in range(100)]
    assert set(sent) <= {400, 429}
    assert sent.count(429) > 50


def test_the_pages_find_their_parts_below_a_path(
    start: Start, behind: Service, trusting: ssl.SSLContext
) -> None:
    with httpx2.Client(
        base_url=start("nginx", behind), verify=trusting, trust_env=False, headers=HEADERS
    ) as client:
        for page in ("/ai/", "/ai/swagger"):
            parts = re.findall(r'(?:href|src)="(/[^"]+)"', client.get(page).text)
            assert len(parts) > 3
            for part in parts:
                assert part.startswith("/ai/")
                assert client.get(part).status_code == 200, part
        assert client.get("/ai/openapi.json").json()["servers"] == [{"url": "/ai"}]


def test_pooled_connections_outlive_the_pause_of_their_callers(proxy: str, trusting: ssl.SSLContext) -> None:
    with httpx2.Client(base_url=proxy, verify=trusting, trust_env=False, headers=HEADERS) as client:
        for pause in (0, 5.02):  # uvicorn's own time is 5 seconds
            time.sleep(pause)
            assert [client.post(ANALYZE, content=BODY).status_code for _ in range(20)] == [200] * 20
