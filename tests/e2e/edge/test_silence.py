"""Callers who connect and say nothing, too little or too slowly: they cost nobody else an answer."""

import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.paths import ROOT
from tests.support.site import Service, Site
from tests.support.wire import ANALYZE, BODY, Wire, head, post, seconds_until, wire

pytestmark = pytest.mark.e2e

FILES = 1024
SILENT = 1100
MANY = 20
BUNDLE = ROOT / "appliance" / "api" / "swagger" / "swagger-ui-bundle.js"
QUICK = ("Http:HeadSeconds=2", "Http:BodySeconds=2", "Http:KeepAliveSeconds=3")


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This side holds more than a thousand connections too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def crowd(service: Service, sent: bytes, *, number: int = SILENT) -> list[socket.socket]:
    parts = urlsplit(service.url)
    found = []
    for _ in range(number):
        one = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
        if sent:
            one.sendall(sent)
        found.append(one)
    return found


def is_served(service: Service, request: bytes) -> bool:
    """Whether a caller is answered now; while there is no room its connection is closed."""
    with suppress(OSError, EOFError), wire(service.url) as caller:
        caller.send(request)
        return caller.reply().status == 200
    return False


@pytest.mark.parametrize(
    "sent", [b"", head("GET", "/ready")[:-6], head("POST", ANALYZE, Content_Length=999) + b"{"]
)
def test_more_silent_connections_than_file_descriptors_keep_nobody_out(site: Site, sent: bytes) -> None:
    site.issue()
    service = site.start(prefix=("prlimit", f"--nofile={FILES}:{FILES}"))
    with ExitStack() as closing:
        for one in crowd(service, sent):
            closing.enter_context(one)
        seconds_until(lambda: is_served(service, head("GET", "/ready")))
        if not sent:  # they ask for nothing, so they make room for who does
            with wire(service.url) as caller:
                caller.send(post())
                assert caller.reply().status == 200
        seconds_until(lambda: is_served(service, post()))  # and who fell silent in a request makes room too
        site.issue()
        service.reload()
        seconds_until(lambda: "licence" in service.text().rpartition("ready: ")[2])
    assert service.stop() == 0


def test_silent_tls_handshakes_keep_nobody_out(site: Site, certificate: tuple[Path, Path]) -> None:
    site.issue()
    service = site.start(
        f"Tls:Certificate={certificate[0]}",
        f"Tls:Key={certificate[1]}",
        prefix=("prlimit", f"--nofile={FILES}:{FILES}"),
    )
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with ExitStack() as closing:
        for one in crowd(service, b""):
            closing.enter_context(one)
        with wire(service.url, context=context) as caller:
            caller.send(post())
            assert caller.reply().status == 200
    assert service.stop() == 0
    assert "timeout graceful shutdown exceeded" not in service.text()  # they do not hold up a stop either


def test_a_silent_tls_handshake_has_an_end(site: Site, certificate: tuple[Path, Path]) -> None:
    site.issue()
    service = site.start(f"Tls:Certificate={certificate[0]}", f"Tls:Key={certificate[1]}", *QUICK)
    with wire(service.url) as one:
        assert one.ended()


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, vendor: object) -> Iterator[Service]:
    site = Site(tmp_path_factory.mktemp("quick") / "site", vendor)  # type: ignore[arg-type]
    site.issue()
    yield site.start(*QUICK)
    site.close()


def test_who_never_asks_is_closed(quick: Service) -> None:
    with wire(quick.url) as one:
        assert one.ended()


def test_a_head_that_does_not_end_is_refused(quick: Service) -> None:
    with wire(quick.url) as one:
        one.send(head("GET", "/ready")[:-4])
        reply = one.reply()
        assert reply.status == 408
        assert "head" in reply.error()["message"]
        assert one.ended()


@pytest.mark.parametrize("before", [0, 1], ids=["first request", "later request"])
def test_a_head_that_drips_is_refused(quick: Service, before: int) -> None:
    with wire(quick.url) as one:
        for _ in range(before):
            one.send(post())
            assert one.reply().status == 200
        assert drip(one, head("GET", "/ready", X="a" * 10_000), 0.1) == 408


def test_a_body_that_does_not_end_is_refused(quick: Service) -> None:
    with wire(quick.url) as one:
        one.send(post()[:-5])
        reply = one.reply()
        assert reply.status == 408
        assert "body" in reply.error()["message"]
        assert one.ended()


def test_a_body_that_drips_is_refused(quick: Service) -> None:
    with wire(quick.url) as one:
        assert drip(one, post(BODY + b" " * 10_000), 0.1, start=400) == 408


def test_a_body_that_takes_longer_than_the_silence_that_is_borne_is_served(quick: Service) -> None:
    request = post(BODY + b" " * 40_000)
    with wire(quick.url) as one:
        for at in range(0, len(request), 5_000):
            one.send(request[at : at + 5_000])
            time.sleep(0.6)
        assert one.reply().status == 200


def test_an_idle_connection_is_kept_as_long_as_the_setting_says(quick: Service) -> None:
    with wire(quick.url) as one:
        for _ in range(2):
            one.send(post())
            assert one.reply().status == 200
            time.sleep(2)  # longer than a head may take, shorter than a connection is kept
        assert one.ended()


@pytest.mark.slow
def test_a_connection_is_kept_longer_than_by_clients_and_proxies(service: Service) -> None:
    with wire(service.url) as one:
        one.send(post())
        assert one.reply().status == 200
        time.sleep(7)  # uvicorn's own time is 5 seconds
        one.send(post())
        assert one.reply().status == 200


def test_who_does_not_read_the_reply_is_closed(quick: Service) -> None:
    parts = urlsplit(quick.url)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(20)
        one.connect((parts.hostname or "", parts.port or 0))
        one.sendall(head("GET", "/swagger/swagger-ui-bundle.js") * MANY)
        time.sleep(5)
        received = 0
        with suppress(ConnectionResetError):
            while part := one.recv(1 << 20):
                received += len(part)
    assert received < MANY * BUNDLE.stat().st_size


def test_at_the_cap_only_probes_are_answered_beside_requests_under_way(site: Site) -> None:
    site.issue()
    service = site.start("Http:Connections=16")
    with ExitStack() as closing:
        busy = [closing.enter_context(wire(service.url)) for _ in range(16)]
        for one in busy:
            one.send(post()[:-1])
        time.sleep(0.2)
        with wire(service.url) as caller:
            caller.send(post())
            reply = caller.reply()
            assert reply.status == 503
            assert reply.headers["retry-after"]
            reply.error()
        with wire(service.url) as probe:
            probe.send(head("GET", "/ready"))
            assert probe.reply().status == 200
        for one in busy:
            one.send(BODY[-1:])
            assert one.reply().status == 200


def drip(one: Wire, data: bytes, pause: float, *, start: int = 1) -> int:
    """Send the beginning, then a byte now and then until there is a reply; return its status."""
    one.send(data[:start])
    one.socket.setblocking(False)
    for at in range(start, len(data)):
        time.sleep(pause)
        try:
            if one.socket.recv(1, socket.MSG_PEEK):
                break
        except BlockingIOError:
            one.send(data[at : at + 1])
    one.socket.settimeout(20)
    return one.reply().status
