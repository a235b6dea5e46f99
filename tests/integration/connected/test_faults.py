"""Whatever the way to the endpoint does: what the authority has counted is what the ledger says, exactly."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.errors import LicenseRefusal
from appliance.licensing.admission import AdmissionControl
from appliance.metering.reporter import Reporter
from license.authority.book.metering import MeterRepository
from license.authority.http.app import Limits, make_app
from license.client.http import parse_proxy
from license.client.metering import MeteringClient
from license.encoding.strict import format_time
from license.metering_protocol import MESSAGES, open_report
from tests.integration.connected.conftest import METER, Machine, Vendor, free_port, serving
from tests.integration.connected.network import (
    Answer,
    Relay,
    TlsEndpoint,
    another_log,
    drip,
    garble,
    hang,
    lose_reply,
    not_http,
    pass_on,
    reset_at_once,
    reset_in_reply,
    told,
    twice,
)

REFUSED = b'{"error": {"code": "x", "message": "told so", "hint": "wait"}, "status": "%s"}'
PATIENCE = 30.0
SHORT = 0.6  # for ways on which no answer comes

# What the way does, the status word it is known by, and whether the report was delivered all the same.
FAULTS: list[tuple[str, Answer, str, bool]] = [
    ("hanging", hang, "CouldNotConnect", False),
    ("slow", drip, "CouldNotConnect", True),
    ("reset at once", reset_at_once, "CouldNotConnect", False),
    ("reset in the answer", reset_in_reply, "", True),
    ("acknowledgement lost", lose_reply, "CouldNotConnect", True),
    ("not HTTP", not_http, "Unknown", False),
    ("401", told(401, REFUSED % b"Invalid"), "Invalid", False),
    ("401 without a word", told(401, b""), "Invalid", False),
    ("403", told(403, REFUSED % b"ContainerUseUnauthorized"), "ContainerUseUnauthorized", False),
    ("409", told(409, REFUSED % b"Mismatch"), "Mismatch", False),
    (
        "429",
        told(429, REFUSED % b"BillingEndpointBusy", b"Retry-After: 1234\r\n"),
        "BillingEndpointBusy",
        False,
    ),
    ("500", told(500), "Unknown", False),
    ("503", told(503, b"", b"Retry-After: 5\r\n"), "Unknown", False),
    ("redirect", told(302, b"", b"Location: http://elsewhere.example/\r\n"), "Unknown", False),
    ("wrong JSON", garble, "Unknown", True),
    ("another answer", another_log, "Unknown", True),
    ("no status word", told(200, b'{"log": "x", "next": 3}'), "Unknown", False),
]


@contextmanager
def relayed(endpoint: str, answer: Answer) -> Iterator[Relay]:
    relay = Relay(endpoint, answer)
    try:
        yield relay
    finally:
        relay.close()


def through(machine: Machine, url: str, timeout_s: float = PATIENCE) -> Callable[[], None]:
    """Return what makes one attempt over another way."""

    def attempt() -> None:
        reporter: Reporter = machine.reporter
        reporter.client = MeteringClient(billing=url, api_key=machine.client.api_key, timeout_s=timeout_s)
        reporter.attempt()
        reporter.client = machine.client

    return attempt


@pytest.mark.parametrize(("answer", "word", "delivered"), [pytest.param(*f[1:], id=f[0]) for f in FAULTS])
def test_totals_are_exact_after_every_fault(
    machine: Machine, meter: Vendor, endpoint: str, answer: Answer, word: str, delivered: bool
) -> None:
    machine.use(3, 1)
    with relayed(endpoint, answer) as relay:
        for failed in (1, 2):
            through(machine, relay.url, SHORT if answer in (hang, drip) else PATIENCE)()
            endpoint_state = machine.reporter.endpoint_state
            assert endpoint_state.failed == failed
            assert endpoint_state.status == word or not word
            assert endpoint_state.message
            machine.use(2)
    assert (relay.delivered > 0) == delivered
    assert machine.position() == 0
    machine.reporter.attempt()
    assert machine.reporter.endpoint_state.failed == 0
    assert meter.metered() == machine.recorded()
    assert sum(tally.quantity for tally in meter.metered().values()) == 8
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()


def test_a_report_that_arrives_twice_is_counted_once(machine: Machine, meter: Vendor, endpoint: str) -> None:
    machine.use(3, 1)
    with relayed(endpoint, twice) as relay:
        through(machine, relay.url)()
    assert machine.reporter.endpoint_state.failed == 0
    assert meter.metered() == machine.recorded()


def test_nobody_listens(machine: Machine, meter: Vendor) -> None:
    machine.use(3)
    through(machine, f"http://127.0.0.1:{free_port()}")()
    endpoint_state = machine.reporter.endpoint_state
    assert (endpoint_state.failed, endpoint_state.status) == (1, "CouldNotConnect")
    assert MESSAGES["CouldNotConnect"] in endpoint_state.message
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()


def test_a_certificate_that_nobody_vouches_for(machine: Machine, meter: Vendor, tmp_path: Path) -> None:
    machine.use(3)
    endpoint = TlsEndpoint(tmp_path)
    through(machine, endpoint.url, 5)()
    endpoint.close()
    endpoint_state = machine.reporter.endpoint_state
    assert (endpoint_state.failed, endpoint_state.status) == (1, "CouldNotConnect")
    assert "certificate" in endpoint_state.message
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()


def test_retry_after_is_waited_for(machine: Machine, endpoint: str) -> None:
    busy = told(429, REFUSED % b"BillingEndpointBusy", b"Retry-After: 1234\r\n")
    with relayed(endpoint, busy) as relay:
        through(machine, relay.url)()
    assert machine.reporter.endpoint_state.next_at == machine.clock.now() + 1_234


def test_the_authority_that_forgot_is_told_again(machine: Machine, meter: Vendor) -> None:
    machine.use(3, 1)
    machine.reporter.attempt()
    first = machine.position()
    machine.use(5)
    machine.reporter.attempt()
    with meter.authority.store.engine.begin() as connection:  # as a book restored from an older backup
        connection.exec_driver_sql("UPDATE metered_log SET next = ?", (first,))
        connection.exec_driver_sql("UPDATE metered_sum SET entries = 2, quantity = 4, billed = 4")
    machine.use(7)
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()


def test_an_older_ledger_is_not_reported_over_a_newer_count(machine: Machine, meter: Vendor) -> None:
    machine.use(3)
    machine.reporter.attempt()
    with meter.authority.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE metered_log SET next = 5000")
    machine.use(1)
    machine.reporter.attempt()
    endpoint_state = machine.reporter.endpoint_state
    assert endpoint_state.failed == 1
    assert "put back to an older state" in endpoint_state.message


def test_what_was_used_over_many_days_goes_out_in_records_of_days(machine: Machine, meter: Vendor) -> None:
    for day in range(4):
        machine.use(*range(1, 3 + day))
        machine.time.pass_time(86_400)
    machine.reporter.attempt()
    assert len(meter.metered()) == 4
    assert meter.metered() == machine.recorded()


def test_the_rest_is_reported_at_the_stop_and_what_is_left_at_the_next_start(
    machine: Machine, meter: Vendor
) -> None:
    machine.use(3)
    machine.reporter.close()
    assert meter.metered() == machine.recorded()
    machine.use(2)  # recorded after the last report, before the ledger is closed
    machine.ledger.close()
    machine.open()
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()
    assert sum(tally.quantity for tally in meter.metered().values()) == 5


def test_a_log_that_was_set_aside_is_reported_too(machine: Machine, meter: Vendor) -> None:
    machine.use(3)
    machine.close()
    tampered = machine.directory / "ledger-1.db"
    machine.identity.directory.joinpath("head").unlink()
    for key in machine.identity.directory.glob("day-*.key"):
        key.unlink()
    machine.open()
    machine.use(4)
    machine.reporter.attempt()
    assert not tampered.exists()
    assert len({origin for origin, _, _ in meter.metered()}) == 2
    assert meter.metered() == machine.recorded()
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()


def test_a_proxy_carries_reports_and_sees_its_credentials(
    machine: Machine, meter: Vendor, endpoint: str
) -> None:
    machine.use(3)
    with relayed(endpoint, pass_on) as relay:
        proxy = parse_proxy(relay.url, "user:secret")
        machine.reporter.client = MeteringClient(
            billing="http://license.example.invalid:8080", api_key=meter.key, proxy=proxy, timeout_s=5
        )
        # The relay is the proxy: it alone knows where that name leads.
        machine.reporter.attempt()
        machine.reporter.client = machine.client
        (sent, *_) = relay.requests
    assert sent.startswith(b"POST http://license.example.invalid:8080/v1/usage HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in sent


def test_beyond_the_free_units_queries_are_refused_until_there_are_new_ones(
    new_vendor: Callable[..., Vendor], tmp_path: Path
) -> None:
    free = new_vendor(tier="F0", period=("2026-01-01", "2028-01-01"))
    with serving(make_app(free.authority, Limits())) as url:
        machine = Machine(
            tmp_path / "free",
            free.authority.roots_dir,
            MeteringClient(billing=url, api_key=free.key),
            free.time,
        )
        machine.open()
        machine.use(4_999)
        machine.reporter.attempt()
        machine.reporter.check(machine.clock.now())
        machine.use(1)
        machine.reporter.attempt()
        with pytest.raises(LicenseRefusal) as caught:
            machine.reporter.check(machine.clock.now())
        assert caught.value.code == "OutOfQuota"
        assert machine.reporter.endpoint_state.failed == 0
        assert free.metered() == machine.recorded()
        machine.time.pass_time(15 * 86_400)  # the next month
        machine.reporter.attempt()
        machine.reporter.check(machine.clock.now())
        machine.close()


@pytest.mark.parametrize("told_so", [True, False], ids=["by the endpoint", "by the lease"])
def test_units_that_were_bought_serve_after_the_next_report(
    new_vendor: Callable[..., Vendor], tmp_path: Path, told_so: bool
) -> None:
    vendor = new_vendor(tier="DC0", meters={METER: 10}, overage="block", period=("2026-01-01", "2028-01-01"))
    with serving(make_app(vendor.authority, Limits())) as url:
        client = MeteringClient(billing=url, api_key=vendor.key)
        machine = Machine(tmp_path / "machine", vendor.authority.roots_dir, client, vendor.time)
        machine.open()
        gate = AdmissionControl(
            manager=machine.manager, now=machine.clock.now, used=machine.ledger.used, meter=METER
        )
        gate.metering = machine.reporter
        machine.use(10 if told_so else 9)
        if told_so:
            machine.reporter.attempt()
        with pytest.raises(LicenseRefusal, match="used up"):
            gate.admit(3)
        machine.reporter.attempt()
        vendor.authority.add_units("acme", METER, 10)
        machine.reporter.attempt()
        gate.admit(3)
        lease = machine.manager.current.license.id
        machine.reporter.attempt()
        assert machine.manager.current.license.id == lease
        machine.close()


def test_the_log_says_that_queries_are_answered_for_as_long_as_they_are(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = through(machine, f"http://127.0.0.1:{free_port()}")
    last = machine.reporter.answers_until()
    assert last is not None
    for _ in range(10):
        machine.time.pass_time(max(0, machine.reporter.endpoint_state.next_at - machine.clock.now()))
        attempt()
    machine.reporter.check(machine.clock.now())
    tenth = caplog.records[-1]
    assert tenth.levelname == "ERROR"
    assert f"(10 of 10); no query is answered after {format_time(last)}" in tenth.getMessage()
    machine.time.pass_time(last + 1 - machine.clock.now())
    attempt()
    assert "(11 in a row); no query is answered." in caplog.records[-1].getMessage()


def test_an_installation_is_known_to_the_resource_that_leased_to_it(machine: Machine, meter: Vendor) -> None:
    (known,) = MeterRepository(meter.authority.store.engine).instances("acme")
    assert known.instance == machine.identity.instance


def test_the_relay_of_these_tests_hangs_up_in_the_middle(endpoint: str) -> None:
    with relayed(endpoint, reset_in_reply) as relay:
        address = relay.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=60) as client:
            client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(ConnectionError):
                while client.recv(65_536):
                    pass


def forged(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver nothing, and acknowledge all."""
    said = open_report(request.partition(b"\r\n\r\n")[2]).report
    body = {"status": "Valid", "message": "", "log": said.log, "next": said.next}
    told(200, json.dumps(body).encode())(relay, connection, request)


def test_an_acknowledgement_that_is_not_the_endpoint_s_loses_nothing(
    machine: Machine, meter: Vendor, endpoint: str
) -> None:
    machine.use(3, 1)
    with relayed(endpoint, forged) as relay:
        through(machine, relay.url)()
    assert machine.position() > 0
    assert meter.metered() == {}
    machine.reporter.attempt()  # nothing was used since: it asks, and learns that nothing is counted
    assert meter.metered() == machine.recorded()


def test_an_idle_appliance_tells_the_authority_what_it_forgot(machine: Machine, meter: Vendor) -> None:
    machine.use(3, 1)
    machine.reporter.attempt()
    with meter.authority.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM metered_sum")
        connection.exec_driver_sql("DELETE FROM metered_log")
    assert meter.metered() == {}
    machine.reporter.attempt()
    assert meter.metered() == machine.recorded()


def test_a_lost_acknowledgement_is_found_again_without_further_usage(
    machine: Machine, meter: Vendor, endpoint: str
) -> None:
    machine.use(3)
    with relayed(endpoint, lose_reply) as relay:
        through(machine, relay.url)()
    assert machine.position() == 0
    machine.reporter.attempt()
    assert machine.position() > 0
    assert meter.metered() == machine.recorded()


def test_an_authority_that_forgot_the_installation_knows_it_again(machine: Machine, meter: Vendor) -> None:
    machine.use(3, 1)
    machine.reporter.attempt()
    with meter.authority.store.engine.begin() as connection:
        for table in ("metered_sum", "metered_log", "connected_instance"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 (names of ours)
    machine.reporter.attempt()
    assert (machine.reporter.endpoint_state.status, machine.reporter.endpoint_state.failed) == ("Mismatch", 1)
    machine.reporter.attempt()
    assert machine.reporter.endpoint_state.failed == 0
    assert meter.metered() == machine.recorded()
