"""From a request and a resource to a signed licence: the vendor's rules, the same for HTTP and for files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from license.authority.book.resource import Resource, check_issues_licenses
from license.authority.book.store import Store
from license.authority.keys.keyring import Keyring
from license.encoding.strict import DAY, format_date, format_time
from license.errors import SERVICES, AuthorityError
from license.licenses.identifiers import new_ulid
from license.licenses.license import LICENSE_KIND, License
from license.licenses.request import LicenseRequest
from license.licenses.site import SiteTerms
from license.licenses.terms import InstanceBinding, LedgerPolicy, LogHead, Plan
from license.models.keys import bind_identity
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

DEFAULT_DAYS: Final = 365
_LEAP_YEAR_DAYS: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the vendor grants beside the plan.

    Attributes:
        days: Days until `expires`, which must be within the plan's period; None for 365, or to the end of a
            period that ends before or, in a leap year, a day later.
        period: `present` or `next`: for which period of a resource that was renewed; None for the next one
            where the machine has a licence to the end of the present one.
        grace_days: Days from `expires` to `terminates`.
        report_days: Days until the next usage export is due.
        max_logs: Usage logs that may be written.
        features: Switches of the product.
        binding: `instance` or `any`; None takes the resource's.
        max_instances: Machines that may have licences of the resource, beside its own limit; None for any.
        on_fork: What the appliance does if its log is not the one that was accepted: `flag` or `refuse`.
        site: For the desk of a site: how many replicas may hold a lease at once; None for one machine.
        lease_s: Longest time that a lease of such a desk may last, in seconds.
    """

    days: int | None = None
    period: str | None = None
    grace_days: int = 30
    report_days: int = 90
    max_logs: int = 4
    features: tuple[str, ...] = ()
    binding: str | None = None
    max_instances: int | None = None
    on_fork: str = "flag"
    site: int | None = None
    lease_s: int = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedLicense:
    """A licence on its way to the customer: both notes must travel.

    Attributes:
        license: What it says.
        note: Content of `license.note`.
        issuer_note: Content of `issuer.note`.
    """

    license: License
    note: bytes
    issuer_note: bytes


def issue(
    store: Store,
    keyring: Keyring,
    resource: Resource,
    request: LicenseRequest,
    *,
    now: int,
    terms: Terms | None = None,
    identities: Mapping[str, str] | None = None,
    heads: Sequence[LogHead] = (),
) -> IssuedLicense:
    """Return the licence for a verified request, entered in the book under the next serial.

    Args:
        store: The book.
        keyring: The keys.
        resource: What pays.
        request: What `license.licenses.request.open_request` returned.
        now: Unix second.
        terms: What is granted beside the plan.
        identities: The age identity of each of the resource's model lines.
        heads: The heads of the resource's usage logs that were cosigned.

    Raises:
        AuthorityError: with the status word a caller is told: `ContainerUseUnauthorized` (not approved),
            `Mismatch` (another product, or a resource for models), `OutOfQuota` (the plan has ended, or does
            not last so many days, or was not renewed),
            `Unknown` (the issuer's own time is over, or the request cannot be given model keys). Of
            `ContainerUseUnauthorized` too: one machine more than the resource may have.
    """
    terms = terms or Terms()
    check_issues_licenses(resource)
    check_request(keyring, resource, request, now)
    binding = terms.binding or ("instance" if terms.site else resource.binding)
    _check_site(resource, terms, binding)
    instance = request.instance if binding == "instance" else ""
    plan = choose_plan(store, resource, instance, now=now, wanted=terms.period)
    not_before = max(now, plan.period[0])
    _check_days(resource, plan, not_before, terms.days)
    expires = _expires(plan, not_before, terms.days)
    terminates = expires + terms.grace_days * DAY
    dates = Dates(
        not_before=not_before,
        expires=expires,
        terminates=terminates,
        report_by=min(not_before + terms.report_days * DAY, terminates),
    )
    make = license_maker(
        keyring,
        resource,
        request,
        now=now,
        binding=binding,
        dates=dates,
        plan=plan,
        identities=identities or {},
        rest={
            "features": terms.features,
            "ledger": ledger_policy(keyring, _own(heads, request, terms), on_fork=terms.on_fork),
            "site": None
            if terms.site is None
            else SiteTerms(max_instances=terms.site, lease_s=terms.lease_s),
        },
        max_logs=terms.max_logs,
    )
    license, note = store.record(
        resource.name,
        instance,
        make,
        max_instances=terms.max_instances,
    )
    return IssuedLicense(license=license, note=note, issuer_note=keyring.issuer_note)


def _check_site(resource: Resource, terms: Terms, binding: str) -> None:
    """Refuse a licence of a site that is bound to no desk."""
    if terms.site is not None and binding != "instance":
        raise AuthorityError(
            f"the licence of a site is bound to its desk's key, and {resource.name} sells bearer licences",
            code="SiteWithoutDesk",
            hint="leave --binding out; the request comes from `appliance site request` at the desk",
        )


def _own(heads: Sequence[LogHead], request: LicenseRequest, terms: Terms) -> Sequence[LogHead]:
    """A lease carries the licence of its site, which names the heads of the desk's own logs and no others."""
    if terms.site is None:
        return heads
    return [head for head in heads if head.origin.split("/")[2:3] == [request.key.fingerprint]]


def choose_plan(
    store: Store, resource: Resource, instance: str, *, now: int, wanted: str | None = None
) -> Plan:
    """Return the plan that a machine's licence is to name.

    Args:
        store: The book.
        resource: What pays.
        instance: Text form of the machine's key, or empty for a bearer licence.
        now: Unix second.
        wanted: `present` or `next`; None for the next one where the machine has a licence to the end of the
            present one.

    Raises:
        AuthorityError: `NotRenewed`: there is no next period.
    """
    present = resource.plan_at(now)
    following = resource.plan_after(present)
    if wanted == "next" and following is None:
        raise AuthorityError(
            f"{resource.name} has no period after the one that ends on {format_date(present.period[1])}",
            status="OutOfQuota",
            code="NotRenewed",
            hint=f"the vendor enters it with `license resource renew {resource.name}`",
        )
    if following is None or wanted == "present":
        return present
    served = store.licensed_until(resource.name, instance) >= present.period[1]
    return following if wanted == "next" or served else present


def _expires(plan: Plan, not_before: int, days: int | None) -> int:
    """Return when a licence expires; by default with its plan, also where that lasts for a leap year."""
    if days is None and plan.period[1] - not_before <= _LEAP_YEAR_DAYS * DAY:
        return plan.period[1]
    return min(not_before + (days or DEFAULT_DAYS) * DAY, plan.period[1])


def _check_days(resource: Resource, plan: Plan, not_before: int, days: int | None) -> None:
    """Refuse a licence that was to last longer than its plan."""
    first = not_before - not_before % DAY
    most = (plan.period[1] - first) // DAY
    if days is None or days <= most:
        return
    renew = f"license resource renew {resource.name}"
    raise AuthorityError(
        f"{days:,} days from {format_date(not_before)} go beyond the plan of {resource.name}, which ends on "
        f"{format_date(plan.period[1])}",
        status="OutOfQuota",
        code="BeyondPlan",
        hint=f"--days {most} is the longest now"
        + (
            f"; for days after it, renew the plan with `{renew}` and issue another licence"
            if resource.plan_after(plan) is None
            else "; a further licence is for the next period"
        ),
    )


def ledger_policy(keyring: Keyring, heads: Iterable[LogHead], *, on_fork: str = "flag") -> LedgerPolicy:
    """Return the heads that a licence carries, with what proves who cosigned them."""
    logs = tuple(heads)
    return LedgerPolicy(logs=logs, on_fork=on_fork, witnesses=keyring.witness_notes if logs else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """The dates of a licence, in Unix seconds."""

    not_before: int
    expires: int
    terminates: int
    report_by: int


def license_maker(  # noqa: PLR0913 (what a licence is made from)
    keyring: Keyring,
    resource: Resource,
    request: LicenseRequest,
    *,
    now: int,
    binding: str,
    dates: Dates,
    plan: Plan,
    identities: Mapping[str, str],
    rest: Mapping[str, Any],
    max_logs: int,
) -> Callable[[int, str | None], tuple[License, bytes]]:
    """Return what makes and signs a licence under a serial; `rest` are further fields of it.

    Raises:
        AuthorityError: The request names no key that model keys could be wrapped for.
    """
    wrap_for = request.hpke if binding == "instance" else None
    if identities and binding == "instance" and wrap_for is None:
        raise AuthorityError(
            "the request names no key to wrap model keys for",
            code="NoHpkeKey",
            hint="make the request anew with `appliance license request`, which adds one",
        )
    vkeys = (request.instance,) if binding == "instance" else ()

    def make(serial: int, replaces: str | None) -> tuple[License, bytes]:
        license_id = new_ulid(now)
        keys = (
            bind_identity(identity, train=line, license_id=license_id, to=wrap_for)
            for line, identity in identities.items()
        )
        license = License(
            id=license_id,
            serial=serial,
            replaces=replaces,
            issued=now,
            not_before=dates.not_before,
            expires=dates.expires,
            terminates=dates.terminates,
            report_by=dates.report_by,
            customer=resource.customer,
            subscription=resource.subscription,
            product=resource.product,
            models=tuple(keys),
            plan=plan,
            instance=InstanceBinding(binding=binding, vkeys=vkeys, max_logs=max_logs),
            **rest,
        )
        return license, sign_note(render_statement(LICENSE_KIND, license.to_claims()), keyring.issuer)

    return make


def check_request(keyring: Keyring, resource: Resource, request: LicenseRequest, now: int) -> None:
    """Refuse a request that the resource, or the issuer's own time, does not allow.

    Raises:
        AuthorityError: as `issue`.
    """
    _check_entitled(resource, request, now)
    _check_lines(resource, request)
    if not keyring.delegation.not_before <= now <= keyring.delegation.not_after:
        raise AuthorityError(
            f"the issuer may sign from {format_time(keyring.delegation.not_before)} to "
            f"{format_time(keyring.delegation.not_after)} only",
            code="IssuerExpired",
            hint="check this machine's clock; otherwise `license rotate issuer` with a root key",
        )


def _check_lines(resource: Resource, request: LicenseRequest) -> None:
    missing = [line for line in request.models if line not in resource.models]
    if missing:
        raise AuthorityError(
            f"the request asks for model line {', '.join(missing)}, which {resource.name} has not bought",
            status="ContainerUseUnauthorized",
            code="LineNotGranted",
            hint=f"the vendor grants it with `license resource grant {resource.name} {missing[0]}`",
        )


def system_clock() -> int:
    """Return the Unix second by this machine's clock."""
    return int(time.time())


def _product_hint(sold: str, wanted: str) -> str:
    service = SERVICES.get(sold)
    again = f"make the request again with `Service={service}`" if service else "make the request again for it"
    return f"the request was made for {wanted}: {again}, or use the key of a resource for {wanted}"


def _check_entitled(resource: Resource, request: LicenseRequest, now: int) -> None:
    if not resource.approved:
        raise AuthorityError(
            f"the resource {resource.name} is not approved yet",
            status="ContainerUseUnauthorized",
            code="NotApproved",
            hint=f"the vendor approves it with `license resource approve {resource.name}`",
        )
    if request.product != resource.product:
        raise AuthorityError(
            f"the key belongs to a resource for {resource.product}, but the request is for {request.product}",
            status="Mismatch",
            code="Mismatch",
            hint=_product_hint(resource.product, request.product),
        )
    if now >= resource.plan.period[1]:
        raise AuthorityError(
            f"the plan of {resource.name} ended on {format_date(resource.plan.period[1])}",
            status="OutOfQuota",
            code="PlanEnded",
            hint=f"the vendor renews it with `license resource renew {resource.name}`; then ask again",
        )
