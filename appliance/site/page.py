"""The desk's page: the same as its status, for a person with a browser. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%;margin:0 0 2rem}th,td{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ccc}td.n{text-align:right;font-variant-numeric:tabular-nums}"
)


def render_page(status: dict[str, Any]) -> str:
    """Return the page for what `appliance.site.status.site_status` returned."""
    license, plan = status["license"], status["plan"]
    heading = f"Site of {license['customer']}"
    wait = status["grantsFrom"]
    lines = [
        f"{status['live']} of {license['maxInstances']} replicas hold a lease; {status['time']}",
        f"licence {license['id']} (serial {license['serial']}), {license['state']}, "
        f"expires {license['expires']}",
        f"plan {plan['tier']}, {plan['from']} to {plan['until']}, overage {plan['overage']}",
        *([f"no units are granted before {wait}"] if wait else []),
    ]
    meters = [
        (m["name"], m["included"], m["charged"], m["lost"], m["open"], m["free"]) for m in plan["meters"]
    ]
    replicas = [
        (
            replica["instance"],
            replica["state"],
            replica["software"],
            replica["heard"] or "",
            replica["leaseUntil"] or "",
            *_units(replica["units"]),
        )
        for replica in status["replicas"]
    ]
    body = "".join(
        (
            f"<h1>{escape(heading)}</h1>",
            *(f"<p>{escape(line)}</p>" for line in lines),
            _table(("meter", "included", "charged", "of it lost", "open", "free"), meters),
            _table(
                ("replica", "state", "software", "heard", "lease until", "may use", "counted", "lost"),
                replicas,
            ),
        )
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(heading)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def _units(units: dict[str, dict[str, Any]]) -> tuple[int, int, int]:
    values = list(units.values())
    return tuple(sum(of[name] for of in values) for name in ("allowed", "counted", "lost"))


def _table(header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str | int) -> str:
    return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f"<td>{escape(value)}</td>"
