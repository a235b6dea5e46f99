"""A lease for a replica: cut out of the site licence, signed by the desk's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.config.identity import Identity
from license.encoding.strict import format_time
from license.errors import AuthorityError
from license.licenses.identifiers import new_ulid
from license.licenses.license import LICENSE_KIND, License
from license.licenses.request import LicenseRequest
from license.licenses.site import DeskTerms, SiteTerms
from license.licenses.terms import ConnectedTerms, InstanceBinding, ModelKey
from license.licenses.validity import state_at
from license.licenses.verify import AuthenticLicense
from license.models.keys import bind_identity, identity_for
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

REPORT_SECONDS: Final = 900
"""Longest time between two reports of a replica."""
_MOST_ATTEMPTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRules:
    """How a desk runs its site.

    Attributes:
        heartbeat_s: Longest time between two words of a replica.
        patience_s: How long after the end of its lease a replica is written off.
    """

    heartbeat_s: int = 20
    patience_s: int = 86_400


def make_lease(
    site: AuthenticLicense, request: LicenseRequest, desk: Identity, *, now: int, rules: DeskRules
) -> tuple[License, bytes]:
    """Return a lease and its note.

    Args:
        site: The site licence in force.
        request: A verified request of the replica.
        desk: The desk's keys.
        now: Unix second.
        rules: How the site is run.

    Raises:
        AuthorityError: The request is for something that the site has not, or the licence serves nobody now.
    """
    licensed, terms = site.license, site.license.site
    if terms is None:
        raise AuthorityError("the desk has no licence of a site", code="NoSite")
    check_wanted(licensed, request, now)
    lease_id = new_ulid(now)
    end = min(now + terms.lease_s, licensed.terminates)
    expires = min(end, max(licensed.expires, now + 1))
    lease = License(
        id=lease_id,
        serial=licensed.serial,
        issued=now,
        not_before=max(now, licensed.not_before),
        expires=expires,
        terminates=max(end, expires),
        report_by=expires,
        customer=licensed.customer,
        subscription=licensed.subscription,
        product=licensed.product,
        plan=licensed.plan,
        instance=InstanceBinding(
            binding="instance", vkeys=(request.instance,), max_logs=licensed.instance.max_logs
        ),
        models=tuple(_models(licensed, request, desk, lease_id)),
        features=licensed.features,
        clock=licensed.clock,
        connected=_connected(terms),
        desk=DeskTerms(note=site.note, heartbeat_s=rules.heartbeat_s),
    )
    return lease, sign_note(render_statement(LICENSE_KIND, lease.to_claims()), desk.signing)


def check_wanted(licensed: License, request: LicenseRequest, now: int) -> None:
    """Refuse a request that the site licence does not allow.

    Raises:
        AuthorityError: `Mismatch`, `LineNotGranted`, `PlanEnded`, `ClockSkew`.
    """
    if request.product != licensed.product:
        raise AuthorityError(
            f"the site is licensed for {licensed.product}, but the request is for {request.product}",
            status="Mismatch",
            code="Mismatch",
            hint="give the address of the desk for that service as Billing",
        )
    known = {model.train for model in licensed.models}
    missing = [line for line in request.models if line not in known]
    if missing:
        raise AuthorityError(
            f"the request asks for model line {', '.join(missing)}, which the site licence has not",
            status="ContainerUseUnauthorized",
            code="LineNotGranted",
            hint="the vendor grants it, and issues the site licence again",
        )
    if not state_at(licensed, now).serves:
        raise AuthorityError(
            f"the site licence is good from {format_time(licensed.not_before)} to "
            f"{format_time(licensed.terminates)}, and it is {format_time(now)}",
            status="OutOfQuota",
            code="PlanEnded",
            hint="have it renewed, then `appliance site install` the new one at the desk",
        )
    check_skew(licensed, request.created, now)


def check_skew(licensed: License, created: int, now: int) -> None:
    """Refuse a replica whose clock differs from the desk's by more than the licence tolerates.

    Raises:
        AuthorityError: `ClockSkew`, with the number of seconds.
    """
    ahead = created - now
    tolerance = licensed.clock.tolerance_s
    if abs(ahead) > tolerance:
        raise AuthorityError(
            f"the replica's clock is {abs(ahead):,} s {'ahead of' if ahead > 0 else 'behind'} the desk's, "
            f"which says {format_time(now)}; {tolerance:,} s are tolerated",
            code="ClockSkew",
            hint="set the clock that is wrong, and start that process again; a replica whose clock ran ahead "
            "also needs a new state directory, and is written off (`appliance site write-off`)",
        )


def _connected(terms: SiteTerms) -> ConnectedTerms:
    interval = min(REPORT_SECONDS, terms.lease_s)
    return ConnectedTerms(
        attempts=min(_MOST_ATTEMPTS, terms.lease_s // interval + 1), max_interval_s=interval
    )


def _models(licensed: License, request: LicenseRequest, desk: Identity, lease_id: str) -> list[ModelKey]:
    if licensed.models and request.hpke is None:
        raise AuthorityError(
            "the request names no key to wrap model keys for",
            code="NoHpkeKey",
            hint="update the replica's software, which adds one",
        )
    return [
        bind_identity(
            identity_for(licensed, model.train, desk.hpke),
            train=model.train,
            license_id=lease_id,
            to=request.hpke,
        )
        for model in licensed.models
    ]
