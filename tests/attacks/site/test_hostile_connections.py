"""Who connects to a desk and says nothing, too little or too much: replicas keep their leases and slices."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from appliance.server.connection.connections import ConnectionLimits
from appliance.site.http import SITE_PATH
from license.authority.authority import Authority
from license.client.licenses import KEY_HEADER
from license.metering_protocol import LEASE_PATH, USAGE_PATH
from license.slices.protocol import SLICE_PATH
from tests.support.desk import DeskSite, until
from tests.support.replicas import InProcessSite
from tests.support.wire import Reply, Wire, head, wire

FILES = 512
IDLE = 500
LEASE_SECONDS = 16
RENEWED_AFTER = 10
QUICK = ConnectionLimits(connections=8, head_seconds=1, body_seconds=1, keep_alive_seconds=2)


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This side holds as many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[InProcessSite]:
    """A site whose desk waits a second for what is slow."""
    made = InProcessSite(tmp_path, limits=QUICK)
    made.license(100)
    with made.open():
        yield made
    made.close()


def crowd(opened: ExitStack, url: str, sent: bytes, number: int) -> None:
    parts = urlsplit(url)
    for _ in range(number):
        one = opened.enter_context(
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
        )
        one.sendall(sent)


def told(site: DeskSite) -> list[dict[str, Any]]:
    """What the desk says of its replicas, as soon as it says it."""
    said: list[list[dict[str, Any]]] = []

    def asked() -> bool:
        with suppress(AssertionError):
            said.append(site.status()["replicas"])
        return bool(said)

    until(asked)
    return said[0]


def refusal(reply: Reply) -> dict[str, Any]:
    """The refusal in a reply, in the shape of a desk's."""
    body: dict[str, Any] = reply.json()
    assert set(body) == {"error", "status"}
    assert set(body["error"]) == {"code", "message", "hint"}
    assert all(body["error"].values())
    return body


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="silent"),
        pytest.param(head("POST", SLICE_PATH)[:-6], id="begun", marks=pytest.mark.slow),  # as long again
    ],
)
def test_a_lease_is_renewed_while_500_idle_connections_are_held(
    tmp_path: Path, vendor: Authority, sent: bytes
) -> None:
    with closing(DeskSite(tmp_path / "site", vendor)) as site:
        hold_idle_connections(site, sent)


def hold_idle_connections(site: DeskSite, sent: bytes) -> None:
    """Hold as many idle connections as a desk has files, for longer than half a lease."""
    site.buy(1_000)
    site.set_up(lease_s=LEASE_SECONDS)
    site.start(prefix=("prlimit", f"--nofile={FILES}:{FILES}"))
    site.replica().start()
    (before,) = site.status()["replicas"]
    with ExitStack() as opened:
        crowd(opened, site.url, sent, IDLE)
        time.sleep(RENEWED_AFTER)
        (after,) = told(site)
        assert after["lease"] != before["lease"]
        assert after["state"] == "Live"
        assert after["leaseUntil"] > before["leaseUntil"]


def test_who_never_asks_is_closed(quick: InProcessSite) -> None:
    with wire(quick.url) as one:
        assert one.ended()


def test_a_head_that_does_not_end_is_refused_in_a_desks_words(quick: InProcessSite) -> None:
    with wire(quick.url) as one:
        one.send(head("GET", SITE_PATH)[:-4])
        reply = one.reply()
        assert (reply.status, refusal(reply)["error"]["code"]) == (408, "RequestTimeout")
        assert one.ended()


@pytest.mark.parametrize("path", [SLICE_PATH, LEASE_PATH, USAGE_PATH])
def test_a_body_that_does_not_end_is_refused_and_costs_nobody_a_slice(
    quick: InProcessSite, path: str
) -> None:
    keyed = {KEY_HEADER.replace("-", "_"): quick.place.api_key()}
    with wire(quick.url) as one:
        one.send(head("POST", path, Content_Length=999, **keyed) + b"x")
        assert quick.member().start().ask() == "Answered"
        reply = one.reply()
        assert (reply.status, refusal(reply)["error"]["code"]) == (408, "RequestTimeout")
        assert one.ended()


def test_a_body_that_drips_is_refused(quick: InProcessSite) -> None:
    keyed = {KEY_HEADER.replace("-", "_"): quick.place.api_key()}
    with wire(quick.url) as one:
        one.send(head("POST", SLICE_PATH, Content_Length=999, **keyed))
        begun = time.monotonic()
        drip(one)
        assert one.reply().status == 408
        assert time.monotonic() - begun < 20


def drip(one: Wire) -> None:
    """Send a byte now and then until there is a reply."""
    one.socket.setblocking(False)
    for _ in range(200):
        time.sleep(0.1)
        try:
            if one.socket.recv(1, socket.MSG_PEEK):
                break
        except BlockingIOError:
            one.send(b"x")
    one.socket.settimeout(20)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head("GET", SITE_PATH, X="a" * 70_000), 431),
        (head("GET", "/" + "a" * 70_000), 414),
        (b"\x16\x03\x01 no HTTP\r\n\r\n", 400),
    ],
    ids=["long head", "long address", "TLS"],
)
def test_what_is_no_request_of_a_replica_is_refused_in_a_desks_words(
    quick: InProcessSite, sent: bytes, status: int
) -> None:
    with wire(quick.url) as one:
        one.send(sent)
        reply = one.reply()
        assert reply.status == status
        assert refusal(reply)["status"] == "Unknown"
        assert one.ended()


def test_at_the_cap_a_replica_is_told_to_come_again_and_probes_are_answered(quick: InProcessSite) -> None:
    keyed = {KEY_HEADER.replace("-", "_"): quick.place.api_key()}
    with ExitStack() as opened:
        busy = [opened.enter_context(wire(quick.url)) for _ in range(QUICK.connections)]
        for one in busy:
            one.send(head("POST", SLICE_PATH, Content_Length=2, **keyed) + b"x")
        with wire(quick.url) as caller:
            caller.send(head("GET", SITE_PATH))
            reply = caller.reply()
            assert (reply.status, refusal(reply)["status"]) == (503, "BillingEndpointBusy")
            assert reply.headers["retry-after"]
        with wire(quick.url) as probe:
            probe.send(head("GET", "/ready"))
            assert probe.reply().status == 200
    assert quick.member().start().ask() == "Answered"
