"""What a desk tells of its site: who is there, which version, what is left, what was lost."""

from __future__ import annotations

from typing import Any

from appliance.licensing.quota import window
from appliance.site.book import Replica
from appliance.site.counting import term_of
from appliance.site.desk import Desk
from license.encoding.strict import format_date, format_time
from license.licenses.validity import days_left, state_at


def site_status(desk: Desk) -> dict[str, Any]:
    """Return the whole site as one JSON object; times in text form, units by meter."""
    with desk.guard:
        now, license = desk.clock.now(), desk.licenses.current.license
        plan, term = license.plan, term_of(license.plan, now)
        _, end = window(plan, now)
        blocks = plan.overage == "block"
        replicas = sorted(desk.book.replicas.values(), key=lambda replica: (-replica.until, replica.of))
        return {
            "desk": desk.identity.instance,
            "time": format_time(now),
            "license": {
                "id": license.id,
                "serial": license.serial,
                "customer": license.customer,
                "product": license.product,
                "state": str(state_at(license, now)),
                "expires": format_time(license.expires),
                "daysLeft": days_left(license, now),
                "maxInstances": 0 if license.site is None else license.site.max_instances,
                "leaseSeconds": 0 if license.site is None else license.site.lease_s,
            },
            "plan": {
                "tier": plan.tier,
                "overage": plan.overage,
                "from": format_date(term),
                "until": format_date(end),
                "meters": [
                    {
                        "name": meter,
                        "included": units,
                        "charged": desk.book.charged.get((meter, term), 0),
                        "lost": sum(replica.written_off.get((meter, term), 0) for replica in replicas),
                        "open": desk.book.open((meter, term)) if blocks else 0,
                        "free": desk.book.free((meter, term), units),
                    }
                    for meter, units in plan.meters
                ],
            },
            "live": desk.book.live(now),
            "grantsFrom": _time(desk.book.grants_at()) if desk.book.grants_at() > now else None,
            "replicas": [_replica(desk, replica, term, now) for replica in replicas],
        }


def _replica(desk: Desk, replica: Replica, term: int, now: int) -> dict[str, Any]:
    meters = sorted({m for m, t in (*replica.allowed, *replica.counted, *replica.written_off) if t == term})
    return {
        "instance": replica.of,
        "state": _state(replica, now),
        "software": replica.software,
        "lease": replica.lease,
        "leaseUntil": _time(replica.until),
        "since": _time(replica.since),
        "heard": _time(desk.heard(replica.of)),
        "units": {
            meter: {
                "allowed": replica.allowed.get((meter, term), 0),
                "used": desk.used(replica.of).get(meter),
                "counted": replica.counted.get((meter, term), 0),
                "lost": replica.written_off.get((meter, term), 0),
            }
            for meter in meters
        },
    }


def _state(replica: Replica, now: int) -> str:
    if replica.forked:
        return "Cloned"
    if replica.lost:
        return "Lost"
    if replica.left:
        return "Left"
    return "Live" if replica.is_live(now) else "Gone"


def _time(second: int) -> str | None:
    return format_time(second) if second else None
