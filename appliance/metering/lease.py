"""The lease of a connected run: asked for before the first answer, kept in the state directory, renewed.

It is a licence note like any other (`docs/formats.md`, part Connected), so admission, ledger and audit are
those of a disconnected run. The key has been checked when it was granted in this run. A lease of an earlier
run lets the service start while the endpoint is out of reach, so that records can be read, but answers
nothing.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.directories import LEASE_DIRECTORY, ledger_directory
from appliance.config.identity import Identity
from appliance.config.products import Product
from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.host.container import access_hint
from appliance.ledger.read.high_water import HighWater, recorded_high_water
from appliance.licensing.request import request_note
from appliance.metering.schedule import EndpointState, ReportInterval
from license.client.http import Proxy, parse_address, parse_proxy
from license.client.metering import MeteringClient
from license.encoding.strict import DAY
from license.errors import (
    BadReply,
    BillingEndpointBusy,
    BillingInvalid,
    ContainerUseUnauthorized,
    CouldNotConnect,
    DownloadError,
    KeyInvalid,
    LicenseError,
    Malformed,
    Mismatch,
    OutOfQuota,
    UnknownStatus,
)
from license.licenses.directory import load_all, save_license
from license.licenses.terms import ConnectedTerms
from license.licenses.verify import AuthenticLicense
from license.metering_protocol import MESSAGES
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.metering")

TIMEOUT_SECONDS: Final = (5, 30)
"""Least and most that one attempt may take; half an interval in between."""
RENEW_SECONDS: Final = DAY

_PASSING: Final = (CouldNotConnect, BillingEndpointBusy, UnknownStatus, OutOfQuota)
"""Temporary errors: start on the stored lease and retry."""

_AT_FAULT: Final[tuple[tuple[type[DownloadError], str], ...]] = (
    (KeyInvalid, "ApiKey"),
    (ContainerUseUnauthorized, "ApiKey"),
    (Mismatch, "ApiKey or Billing"),
    (OutOfQuota, "ApiKey"),
    (BillingInvalid, "Billing"),
    (CouldNotConnect, "Billing"),
    (BillingEndpointBusy, "Billing"),
    (BadReply, "Billing"),
    (UnknownStatus, "Billing"),
)


_WAY_HINT: Final = (
    "check address, route and firewall; `appliance diagnose` checks each step of the connection"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connected run before its ledger is open.

    Attributes:
        client: The way to the endpoint.
        identity: Keys of this installation.
        roots: Keys that may vouch for a lease.
        service: What this process is.
        directory: Where the lease is kept.
        endpoint_state: How things stand with the endpoint after the start's own attempt.
    """

    client: MeteringClient
    identity: Identity
    roots: TrustRoots
    service: Product
    directory: Path
    endpoint_state: EndpointState

    def renew(self, client: MeteringClient, *, serial: int, now: int) -> AuthenticLicense:
        """Ask for a lease, verify it, and put it in place; as `fetch_lease`."""
        return fetch_lease(
            client,
            identity=self.identity,
            roots=self.roots,
            service=self.service,
            directory=self.directory,
            serial=serial,
            now=now,
        )


def metering_client(settings: Settings) -> MeteringClient:
    """Return the way to the endpoint that the settings describe.

    Raises:
        SettingsError: `Billing` or `ApiKey` is missing, or the proxy is not an address.
        BillingInvalid: `Billing` is not an address.
    """
    for key, value, meaning in (
        ("Billing", settings.billing, "the endpoint of the resource that pays"),
        ("ApiKey", settings.api_key, "one of that resource's two keys"),
    ):
        if not value:
            raise SettingsError(
                f"{key} is missing: a connected run needs Eula, Billing and ApiKey.",
                hint=f"add {key}=…, {meaning}; to serve without network give Mounts:License instead",
            )
    endpoint = parse_address(settings.billing, "/")
    return MeteringClient(
        billing=settings.billing,
        api_key=settings.api_key,
        proxy=proxy_of(settings, endpoint.host, tls=endpoint.tls),
        timeout_s=_timeout(settings),
    )


def proxy_of(settings: Settings, host: str, *, tls: bool) -> Proxy | None:
    """Return the proxy to ask a host through, None for none; raises `SettingsError` for a wrong address."""
    address = (tls and settings.https_proxy) or settings.http_proxy
    if not address or _is_direct(host, settings.no_proxy):
        return None
    try:
        return parse_proxy(address, settings.http_proxy_creds)
    except Malformed as error:
        raise SettingsError(
            f"HTTP_PROXY: {error.message}", hint="give it as HTTP_PROXY=http://proxy:8888"
        ) from error


def connect(settings: Settings, *, identity: Identity, roots: TrustRoots, output: Path) -> Connection:
    """Check the key against the endpoint and take its lease.

    Args:
        settings: Start parameters.
        identity: Keys of this installation.
        roots: Keys that may vouch for a lease.
        output: The output mount.

    Returns:
        The connection. Where the endpoint cannot say at present and a lease of an earlier run is there, one
        that answers nothing until it can.

    Raises:
        SettingsError: A setting of the three is missing.
        DownloadError: The endpoint refuses, or cannot say and there is no lease; the message names the
            setting at fault and holds the sentence of the status word.
        LicenseError: What it granted is not good for this machine.
    """
    client, service = metering_client(settings), settings.service
    directory = identity.state / LEASE_DIRECTORY
    high_water = recorded_high_water(ledger_directory(output, service, identity.instance))
    interval = ReportInterval(seconds=settings.metering_seconds, attempts=1, timeout=_timeout(settings))
    now = _claimed_time(high_water)
    try:
        lease = fetch_lease(
            client,
            identity=identity,
            roots=roots,
            service=service,
            directory=directory,
            serial=high_water.serial,
            now=now,
        )
        endpoint_state = EndpointState(interval=leased_interval(interval, lease), next_at=now)
        endpoint_state = endpoint_state.opened(now, status="Valid", message=MESSAGES["Valid"])
        _log.info("the key was checked at %s: %s", client.endpoint("").shown, MESSAGES["Valid"])
    except DownloadError as error:
        refusal = explained(error)
        if not isinstance(error, _PASSING):
            raise refusal from error
        kept_lease = _kept_lease(
            directory, identity=identity, roots=roots, service=service, high_water=high_water
        )
        if kept_lease is None:
            raise refusal from error
        _log.error("no query is answered before the key was checked: %s", refusal.message)
        endpoint_state = EndpointState(interval=leased_interval(interval, kept_lease), next_at=now)
        endpoint_state = endpoint_state.missed(
            now, now, status=error.status, message=refusal.message, retry_after=error.retry_after_s
        )
    return Connection(
        client=client,
        identity=identity,
        roots=roots,
        service=service,
        directory=directory,
        endpoint_state=endpoint_state,
    )


def fetch_lease(
    client: MeteringClient,
    *,
    identity: Identity,
    roots: TrustRoots,
    service: Product,
    directory: Path,
    serial: int,
    now: int,
) -> AuthenticLicense:
    """Ask for a lease, verify it, and put it in place.

    Args:
        client: The way to the endpoint.
        identity: Keys of this installation.
        roots: Keys that may vouch for a lease.
        service: What this process is.
        directory: Where it is kept; made if missing.
        serial: Highest licence serial that was in force here.
        now: Effective time, Unix seconds: the endpoint sees whether it runs ahead.

    Raises:
        DownloadError: It was not granted.
        LicenseError: It is not good for this machine, or cannot be saved.
    """
    note = request_note(identity, service, created=now, serial=serial)
    lease = client.lease(note, roots=roots, product=service.product, instance_vkey=identity.vkey, now=now)
    directory.mkdir(mode=0o700, exist_ok=True)
    save_license(directory, lease, hint=access_hint)
    return lease


def explained(error: DownloadError) -> DownloadError:
    """Return the same refusal with the setting at fault and the sentence of its status word before it."""
    setting = next((name for kind, name in _AT_FAULT if isinstance(error, kind)), "Billing")
    sentence = MESSAGES.get(error.status, MESSAGES["Unknown"])
    hint = _WAY_HINT if type(error) is CouldNotConnect else error.hint
    return type(error)(
        f"{setting}: {sentence} ({error.status}: {error.message})",
        hint=hint,
        retry_after_s=error.retry_after_s,
    )


def leased_interval(interval: ReportInterval, lease: AuthenticLicense) -> ReportInterval:
    """Return how often to report under a lease, and how long to answer without word."""
    terms = lease.license.connected or ConnectedTerms()
    return ReportInterval(
        seconds=min(interval.seconds, terms.max_interval_s),
        attempts=terms.attempts,
        timeout=interval.timeout,
        ends=None if lease.site is None else lease.license.terminates - 1,
    )


def renew_at(lease: AuthenticLicense) -> int:
    """Return when a lease is to be renewed: after a day, or when half of it has passed."""
    license = lease.license
    return license.issued + min(RENEW_SECONDS, (license.terminates - license.issued) // 2)


def _kept_lease(
    directory: Path, *, identity: Identity, roots: TrustRoots, service: Product, high_water: HighWater
) -> AuthenticLicense | None:
    """Return the lease of an earlier run, if there is one that may be used here."""
    try:
        return load_all(
            directory,
            roots=roots,
            product=service.product,
            instance_vkey=identity.vkey,
            min_serial=high_water.serial,
            min_epoch=high_water.epoch,
            lease=True,
            hint=access_hint,
        )[0]
    except LicenseError:
        return None


def _claimed_time(high_water: HighWater) -> int:
    """The time this machine would go on with: its clock's, but never before what its ledger proves."""
    return max(int(time.time()), 0 if high_water.mark is None else high_water.mark.effective)


def _timeout(settings: Settings) -> int:
    least, most = TIMEOUT_SECONDS
    return min(most, max(least, settings.metering_seconds // 2))


def _is_direct(host: str, exceptions: str) -> bool:
    domains = (part.strip().lstrip(".").lower() for part in exceptions.split(","))
    name = host.lower()
    return any(domain and (domain in ("*", name) or name.endswith(f".{domain}")) for domain in domains)
