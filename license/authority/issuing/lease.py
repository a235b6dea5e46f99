"""The lease: what a connected appliance has instead of a licence, granted when its key is checked.

A lease is a licence of a few days, bound to the machine, with the claim `connected`: how often to report and
how many attempts may fail. Readers that do not know the claim refuse the file, and a disconnected run refuses
it too, so carrying a lease away gains nothing. It takes no serial of its own: it has the highest serial that
was in force on the machine. A licence downloaded later always has a serial at least as high as any lease. One
exception: a machine whose effective time runs ahead gets a new serial, since only a licence with a higher
serial lets it set its time back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from license.authority.billing.reconcile import reconcile
from license.authority.book.heads import HeadRepository
from license.authority.book.metering import MeterRepository, usage_of
from license.authority.book.resource import Resource
from license.authority.book.store import Store
from license.authority.issuing.issue import (
    Dates,
    IssuedLicense,
    check_request,
    ledger_policy,
    license_maker,
)
from license.authority.keys.keyring import Keyring
from license.encoding.strict import DAY, format_date
from license.errors import AuthorityError
from license.licenses.request import LicenseRequest, open_request
from license.licenses.terms import ConnectedTerms

LEASE_SECONDS: Final = 7 * DAY
AHEAD_SECONDS: Final = 300
_MAX_LOGS: Final = 4


def grant_lease(
    store: Store,
    keyring: Keyring,
    resource: Resource,
    request_note: bytes,
    *,
    now: int,
    load_identity: Callable[[str], str],
    terms: ConnectedTerms | None = None,
) -> IssuedLicense:
    """Return the lease for a request note after verifying it, and remember the machine.

    Args:
        store: The book.
        keyring: The keys.
        resource: What pays.
        request_note: The note of a licence request.
        now: Unix second.
        load_identity: Returns the age identity of a model line.
        terms: How often to report, and how many attempts may fail.

    Raises:
        AuthorityError: As `license.authority.issuing.issue.issue`; `Mismatch` also where the machine
            reports to another resource, `OutOfQuota` also where the units of a plan that blocks are used up.
        LicenseError: It is not a request, or not signed by the key it names.
    """
    request = open_request(request_note)
    check_request(keyring, resource, request, now)
    instance = request.key.fingerprint
    meters = MeterRepository(store.engine)
    meters.check_owner(resource.name, instance)
    check_quota(store, resource, now)
    plan = resource.plan_at(now)
    not_before = max(now, plan.period[0])
    expires = min(not_before + LEASE_SECONDS, plan.period[1])
    make = license_maker(
        keyring,
        resource,
        request,
        now=now,
        binding="instance",
        dates=Dates(not_before=not_before, expires=expires, terminates=expires, report_by=expires),
        plan=plan,
        identities={line: load_identity(line) for line in resource.models},
        rest={
            "ledger": ledger_policy(
                keyring, (log.head for log in HeadRepository(store.engine).logs(resource.name))
            ),
            "connected": terms or ConnectedTerms(),
        },
        max_logs=_MAX_LOGS,
    )
    # First: it refuses one machine too many before anything is signed.
    meters.meet(resource.name, instance=instance, vkey=request.instance, software=request.software, now=now)
    if request.created > now + AHEAD_SECONDS:
        license, note = store.record(resource.name, request.instance, make)
    else:
        license, note = make(_serial(store, request), None)
    return IssuedLicense(license=license, note=note, issuer_note=keyring.issuer_note)


def check_quota(store: Store, resource: Resource, now: int) -> None:
    """Refuse a resource whose plan blocks and has no unit left at this instant.

    Raises:
        AuthorityError: `OutOfQuota`.
    """
    if is_used_up(store, resource, now):
        raise AuthorityError(
            f"the units that the plan of {resource.name} includes are used up",
            status="OutOfQuota",
            code="UsedUp",
            hint="upgrade the tier or buy more units"
            + (
                ", or wait for the first day of the next month (UTC)" if resource.plan_at(now).monthly else ""
            ),
        )


def is_used_up(store: Store, resource: Resource, now: int) -> bool:
    """Tell whether a plan blocks and some meter of it has no unit left at this instant."""
    plan = resource.plan_at(now)
    if plan.overage != "block":
        return False
    today = format_date(now)
    usage = (log.days for log in usage_of(store.engine, resource.name))
    return any(
        account.included is not None and account.used.billed >= account.included
        for account in reconcile((plan,), usage)
        if not plan.monthly or account.period == today[:7]
    )


def _serial(store: Store, request: LicenseRequest) -> int:
    """The serial that was in force on the machine; never one that the book has not given out yet."""
    return max(1, min(request.serial, store.highest_serial()))
