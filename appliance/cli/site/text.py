"""The status of a site, for terminals. Pure: the desk's JSON in, lines out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from license.encoding.strict import shown
from license.text import columns


def status_lines(status: dict[str, Any]) -> Iterator[str]:
    """Return what `GET /v1/site` says, line by line."""
    license, plan = status["license"], status["plan"]
    yield (
        f"{shown(license['customer'])}: licence {license['id']} (serial {license['serial']}), "
        f"{license['state']}, expires {license['expires']}"
    )
    yield f"replicas  {status['live']} of {license['maxInstances']} hold a lease"
    yield f"plan      {plan['tier']}, {plan['from']} to {plan['until']}, overage {plan['overage']}"
    if status["grantsFrom"]:
        yield f"waiting   no units are granted before {status['grantsFrom']}: replicas are heard first"
    if plan["meters"]:
        yield ""
        rows = [
            (m["name"], *(f"{m[name]:,}" for name in ("included", "charged", "lost", "open", "free")))
            for m in plan["meters"]
        ]
        yield columns(("meter", "included", "charged", "of it lost", "open", "free"), rows)
    if status["replicas"]:
        yield ""
        yield columns(
            ("replica", "state", "software", "heard", "lease until", "may use", "counted", "lost"),
            [_replica(replica) for replica in status["replicas"]],
        )


def _replica(replica: dict[str, Any]) -> tuple[str, ...]:
    units = list(replica["units"].values())
    return (
        replica["instance"],
        replica["state"],
        shown(replica["software"]),
        replica["heard"] or "",
        replica["leaseUntil"] or "",
        *(f"{sum(of[name] for of in units):,}" for name in ("allowed", "counted", "lost")),
    )
