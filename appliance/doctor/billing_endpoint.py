"""What is wrong on the way to the metering endpoint: each step of it, with what was found and what to do.

The steps are those of a report: address, proxy, name, connection, TLS, key, clock. A step whose ground is
missing is left out. Nothing is changed, counted or granted.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from appliance.config.settings import Settings
from appliance.doctor.finding import Finding, Level, failed, passed, warned
from appliance.errors import SettingsError
from appliance.metering.lease import explained, proxy_of
from license.client.http import Endpoint, Reply, failure, get, parse_address
from license.client.licenses import KEY_HEADER, check_key
from license.client.metering import MeteringClient, status_word
from license.encoding.strict import DAY, format_time, shown
from license.errors import DownloadError
from license.metering_protocol import MESSAGES, STATUS_PATH

STEP_SECONDS: Final = 10
SKEW_SECONDS: Final = 300


def diagnose(
    settings: Settings, *, now: Callable[[], float] = time.time, step_s: float = STEP_SECONDS
) -> list[Finding]:
    """Return a finding for each step.

    Args:
        settings: `Billing`, `ApiKey`, and proxies.
        now: The wall clock, Unix seconds.
        step_s: Seconds each step may take.
    """
    findings: list[Finding] = []
    for finding in _steps(settings, now, step_s):
        findings.append(finding)
        if finding.level is Level.FAIL and finding.check not in ("key", "clock"):
            break
    return findings


def _steps(settings: Settings, now: Callable[[], float], step_s: float) -> Iterator[Finding]:
    try:
        endpoint = parse_address(settings.billing, STATUS_PATH)
        proxy = proxy_of(settings, endpoint.host, tls=endpoint.tls)
    except DownloadError as error:
        yield failed("address", f"Billing: {error.message}", error.hint)
        return
    except SettingsError as error:
        yield failed("proxy", error.message, error.hint)
        return
    yield passed("address", f"Billing is {endpoint.shown}")
    if proxy is None:
        yield passed("proxy", "none is set for this host: the endpoint is asked directly")
    else:
        yield passed("proxy", f"asked through {proxy.shown}{' with credentials' if proxy.headers else ''}")
    first = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
    yield _name(first[0])
    yield _connection(first, step_s)
    client = MeteringClient(billing=settings.billing, api_key=settings.api_key, proxy=proxy, timeout_s=step_s)
    if endpoint.tls:
        yield _tls(client.endpoint(STATUS_PATH), step_s)
    yield from _key_and_clock(client, settings.api_key, now)


def _name(host: str) -> Finding:
    try:
        resolved = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return failed(
            "dns", f"the name {shown(host)} is not known here: {reason}", f"getent hosts {shown(host)}"
        )
    addresses = sorted({str(address[0]) for *_, address in resolved})
    return passed("dns", f"{host} is {', '.join(addresses[:4])}")


def _connection(place: tuple[str, int], step_s: float) -> Finding:
    started = time.monotonic()
    try:
        with socket.create_connection(place, timeout=step_s):
            pass
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return failed(
            "tcp",
            f"no connection to {place[0]} port {place[1]}: {reason}",
            "open the way out in firewall and proxy; the endpoint needs this one port",
        )
    took = (time.monotonic() - started) * 1_000
    return passed("tcp", f"{place[0]} port {place[1]} answers in {took:.0f} ms")


def _tls(endpoint: Endpoint, step_s: float) -> Finding:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    proxy = endpoint.proxy
    host, port = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
    connection = http.client.HTTPSConnection(host, port, timeout=step_s, context=context)
    if proxy is not None:
        connection.set_tunnel(endpoint.host, endpoint.port, proxy.headers)
    try:
        connection.connect()
        made = connection.sock
        if not isinstance(made, ssl.SSLSocket):
            return failed("tls", "the connection is not by TLS", "")
        ends = int(ssl.cert_time_to_seconds(str((made.getpeercert() or {}).get("notAfter"))))
        version = made.version()
    except (OSError, http.client.HTTPException, ValueError) as error:
        refusal = failure(endpoint, error, step_s)
        return failed("tls", refusal.message, refusal.hint)
    finally:
        connection.close()
    days = (ends - int(time.time())) // DAY
    if days < 7:
        return warned(
            "tls", f"{version}; the endpoint's certificate ends {format_time(ends)}", "tell the vendor"
        )
    return passed("tls", f"{version}, and this host trusts the certificate, good until {format_time(ends)}")


def _key_and_clock(client: MeteringClient, api_key: str, now: Callable[[], float]) -> Iterator[Finding]:
    endpoint = client.endpoint(STATUS_PATH)
    try:
        check_key(api_key)
        reply = get(endpoint, {KEY_HEADER: api_key, "Accept": "application/json"}, client.timeout_s)
    except DownloadError as error:
        refusal = explained(error)
        yield failed("key", refusal.message, refusal.hint)
        return
    yield _key(endpoint, reply, now)
    yield _clock(reply, now)


def _key(endpoint: Endpoint, reply: Reply, now: Callable[[], float]) -> Finding:
    try:
        word = status_word(endpoint, reply, int(now()))
    except DownloadError as error:
        refusal = explained(error)
        return failed("key", refusal.message, refusal.hint)
    if word != "Valid":
        return failed("key", MESSAGES[word], "upgrade the tier or buy more units, or wait")
    return passed("key", MESSAGES[word])


def _clock(reply: Reply, now: Callable[[], float]) -> Finding:
    try:
        said = parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return warned("clock", "the endpoint does not say what time it is", "compare the clock with another")
    skew = round(now() - said)
    where = "ahead of" if skew > 0 else "behind"
    if abs(skew) > SKEW_SECONDS:
        return failed(
            "clock",
            f"this machine's clock is {abs(skew):,} s {where} the endpoint's: leases are judged wrongly",
            "timedatectl set-ntp true    # or set the clock by hand",
        )
    return passed("clock", f"this machine's clock is {abs(skew)} s {where} the endpoint's")
