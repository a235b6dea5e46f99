"""The desk's page: the same as its status, for a person with a browser. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from appliance.version import VERSION

MOST_ROWS: Final = 200
"""Replicas in one table; a page of thousands would be read by nobody."""
_COMMON: Final = Path(__file__).parents[1] / "api" / "static" / "style.css"
_OWN: Final = """
.desk { display: block; } .desk > * + * { margin-top: 1.25rem; } .desk .card { padding: 1.25rem 1.4rem; }
.desk .card > * + * { margin-top: .6rem; } .desk dd { text-align: left; }
.notices { list-style: none; padding: 0; display: grid; gap: .6rem; }
.notices li { border: 1px solid var(--line); border-left: 4px solid var(--good); border-radius: 8px; }
.notices li { padding: .6rem .9rem; overflow-wrap: anywhere; }
.notices b { font-weight: 600; display: block; }
.notices [data-tone="warn"] { border-left-color: var(--warn); background: var(--warn-faint); }
.notices [data-tone="bad"] { border-left-color: var(--bad); background: var(--bad-faint); }
.meter { max-width: 44rem; } .meter svg { display: block; width: 100%; height: .8rem; margin-bottom: .35rem; }
.meter [data-tone="warn"] { fill: var(--warn); } .meter [data-tone="bad"] { fill: var(--bad); }
tbody th { color: var(--ink); font: .85rem var(--mono); }
td[data-tone="bad"] { color: var(--bad); font-weight: 600; }
td[data-tone="warn"] { color: var(--warn); font-weight: 600; } .number { padding-left: .75rem; }
summary { padding-block: .25rem; } code { font: .88em var(--mono); }
"""
_TONES: Final = {"Valid": "good", "Expiring": "warn", "Grace": "warn", "Gone": "warn", "Lost": "", "Left": ""}
_PRESENT: Final = frozenset({"Live", "Gone", "Cloned"})
_ALMOST: Final = 80
_MOST_NAMED: Final = 10
_RENEW: Final = (
    "have the vendor renew it: appliance site request, then appliance site install at the desk; "
    "a running desk takes it over within a minute"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteNotice:
    """What an operator of the site should know.

    Attributes:
        tone: `warn`, `bad` or `good`.
        message: What is so.
        hint: The next step; empty where there is none.
    """

    tone: str
    message: str
    hint: str = ""


def render_page(status: dict[str, Any]) -> str:
    """Return the page for what `appliance.site.status.site_status` returned."""
    license = status["license"]
    heading = f"Site of {license['customer']}"
    tone = _TONES.get(license["state"], "bad")
    present = [one for one in status["replicas"] if one["state"] in _PRESENT]
    past = [one for one in status["replicas"] if one["state"] not in _PRESENT]
    body = "".join(
        (
            '<header><div class="bar"><p class="brand">offline appliance '
            f"<span>desk of a site, {escape(VERSION)}</span></p>"
            f'<p class="pill" data-tone="{tone}"><span class="dot" aria-hidden="true"></span>'
            f"licence {escape(_words(license['state']))}</p></div></header>",
            f'<main class="desk"><h1>{escape(heading)}</h1>',
            _card("What needs attention", _notices(notices(status))),
            _card("Plan", "".join(_meter(one) for one in status["plan"]["meters"]) or "<p>No units.</p>"),
            _card(
                f"Replicas: {status['live']} of {license['maxInstances']} hold a lease", _replicas(present)
            ),
            _card("Replicas that left or were lost", _folded(past)),
            _card("Licence", _licence(status)),
            "</main><footer><p>This page came from this desk alone; it loads nothing from elsewhere, "
            f"and shows how it was at {escape(_moment(status['time']))}. "
            '<a href="/">Load it again</a>.</p></footer>',
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(heading)}</title><style>{_style()}</style></head><body>{body}</body></html>"
    )


def policy() -> str:
    """Return the Content-Security-Policy of the page: its one style, by hash, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


def notices(status: dict[str, Any]) -> list[SiteNotice]:
    """Return what needs attention, each with the next step."""
    license = status["license"]
    found = [*_of_licence(license)]
    if status["grantsFrom"]:
        found.append(
            SiteNotice(
                tone="warn",
                message=f"No units are granted before {_moment(status['grantsFrom'])}: the desk listens "
                "first to what replicas hold.",
                hint="wait; replicas serve on with what they have",
            )
        )
    for meter in status["plan"]["meters"]:
        found += _of_meter(meter, status["plan"])
    if status["live"] >= license["maxInstances"]:
        found.append(
            SiteNotice(
                tone="warn",
                message=f"All {license['maxInstances']} places are taken: one more replica is refused.",
                hint="stop one, write one off that never comes back, or have the vendor grant more places",
            )
        )
    of_replicas = [one for replica in status["replicas"] for one in _of_replica(replica)]
    found += of_replicas[:_MOST_NAMED]
    if len(of_replicas) > _MOST_NAMED:
        found.append(
            SiteNotice(
                tone="warn",
                message=f"{len(of_replicas) - _MOST_NAMED:,} more replicas are gone or were copied.",
                hint="the table below and `appliance site status` name them",
            )
        )
    versions = sorted({one["software"] for one in status["replicas"] if one["state"] == "Live"})
    if len(versions) > 1:
        found.append(
            SiteNotice(
                tone="warn",
                message=f"Replicas run different versions: {', '.join(versions)}.",
                hint="upgrade those that stayed behind",
            )
        )
    return found or [SiteNotice(tone="good", message="Nothing: the site serves.")]


def _of_licence(license: dict[str, Any]) -> Iterator[SiteNotice]:
    ends = _moment(license["expires"])
    if license["state"] == "Expired":
        yield SiteNotice(
            tone="bad", message=f"The licence ended on {ends}: no leases are given.", hint=_RENEW
        )
    elif license["state"] == "NotYetValid":
        yield SiteNotice(tone="bad", message="The licence has not begun.", hint="wait for its first day")
    elif license["state"] == "Grace":
        yield SiteNotice(tone="warn", message=f"The licence ended on {ends}; its grace runs.", hint=_RENEW)
    elif license["state"] == "Expiring":
        yield SiteNotice(
            tone="warn", message=f"The licence ends on {ends}, in {license['daysLeft']} days.", hint=_RENEW
        )


def _of_meter(meter: dict[str, Any], plan: dict[str, Any]) -> Iterator[SiteNotice]:
    percent = _percent(meter)
    if percent < _ALMOST:
        return
    after = "then requests are refused" if plan["overage"] == "block" else "what is beyond is settled later"
    yield SiteNotice(
        tone="bad" if percent >= 100 and plan["overage"] == "block" else "warn",
        message=f"{meter['charged']:,} of the {meter['included']:,} units of {_unit(meter)} until "
        f"{plan['until']} are charged ({percent} %); {after}.",
        hint="buy more units: install the licence that names them",
    )


def _of_replica(replica: dict[str, Any]) -> Iterator[SiteNotice]:
    of = replica["instance"]
    if replica["state"] == "Cloned":
        yield SiteNotice(
            tone="bad",
            message=f"Replica {of} was copied, or put back to an older state: it is refused.",
            hint=f"give each replica a state directory of its own, then: appliance site write-off {of}",
        )
    elif replica["state"] == "Gone":
        heard = f", last heard {_moment(replica['heard'])}" if replica["heard"] else ""
        yield SiteNotice(
            tone="warn",
            message=f"Replica {of} is gone{heard}; it holds {_held(replica):,} units that nobody else "
            "may use.",
            hint="start it again with its state; if it never comes back: "
            f"appliance site write-off {of}, else that happens by itself a day after its lease",
        )


def _licence(status: dict[str, Any]) -> str:
    license, plan = status["license"], status["plan"]
    facts = {
        "Licence": f"{license['id']}, serial {license['serial']}",
        "Ends": f"{_moment(license['expires'])}, in {license['daysLeft']:,} days",
        "Product": license["product"],
        "Plan": f"tier {plan['tier']}, {plan['from']} to {plan['until']}",
        "Beyond the plan": "requests are refused"
        if plan["overage"] == "block"
        else "counted, and settled later",
        "Places": f"{license['maxInstances']:,} replicas at once, leases of {license['leaseSeconds']:,} s",
        "Desk": status["desk"],
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f"<dl>{rows}</dl>"


def _meter(meter: dict[str, Any]) -> str:
    percent = _percent(meter)
    tone = "bad" if percent >= 100 else "warn" if percent >= _ALMOST else "good"
    words = (
        f"{meter['charged']:,} of {meter['included']:,} {_unit(meter)} are charged ({percent} %), of them "
        f"{meter['lost']:,} lost with replicas; {meter['open']:,} lie with replicas, {meter['free']:,} "
        "are free."
    )
    return (
        '<div class="meter"><svg viewBox="0 0 100 4" preserveAspectRatio="none" role="img" '
        f'aria-label="{percent} percent of {escape(_unit(meter))} are charged">'
        '<rect class="track" width="100" height="4" rx="1"/>'
        f'<rect class="fill" data-tone="{tone}" width="{min(100, percent)}" height="4" rx="1"/></svg>'
        f'<p class="message">{escape(words)}</p></div>'
    )


def _replicas(replicas: Sequence[dict[str, Any]], label: str = "Replicas") -> str:
    if not replicas:
        return "<p>None.</p>"
    head = ("Replica", "State", "Version", "Last heard", "Lease until", "May use", "Counted", "Lost")
    cells = "".join(f'<th scope="col"{_number(n)}>{escape(cell)}</th>' for n, cell in enumerate(head))
    body = "".join(_row(one, head) for one in replicas[:MOST_ROWS])
    left = len(replicas) - MOST_ROWS
    more = f"<p>And {left:,} more: <code>appliance site status</code> lists all.</p>" if left > 0 else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="stack">'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _row(replica: dict[str, Any], head: Sequence[str]) -> str:
    values = [replica["units"][meter] for meter in sorted(replica["units"])]
    sums = [sum(of[name] for of in values) for name in ("allowed", "counted", "lost")]
    texts = [
        replica["state"],
        replica["software"],
        _moment(replica["heard"]) if replica["heard"] else "never",
        _moment(replica["leaseUntil"]) if replica["leaseUntil"] else "none",
        *(f"{value:,}" for value in sums),
    ]
    tone = _TONES.get(replica["state"], "good" if replica["state"] == "Live" else "bad")
    cells = "".join(
        f'<td{_number(n)} data-label="{escape(head[n])}"'
        f"{f' data-tone={chr(34)}{tone}{chr(34)}' if n == 1 and tone else ''}>{escape(text)}</td>"
        for n, text in enumerate(texts, 1)
    )
    return f'<tr><th scope="row">{escape(replica["instance"])}</th>{cells}</tr>'


def _folded(replicas: Sequence[dict[str, Any]]) -> str:
    if not replicas:
        return "<p>None.</p>"
    lost = sum(of["lost"] for one in replicas for of in one["units"].values())
    told = f"{len(replicas):,} of them; {lost:,} units were lost with them"
    return f"<details><summary>{told}</summary>{_replicas(replicas, 'Replicas that are no more')}</details>"


def _notices(found: Iterable[SiteNotice]) -> str:
    items = "".join(
        f'<li data-tone="{one.tone}"><b>{escape(one.message)}</b>'
        f"{f'<span>Next: {escape(one.hint)}.</span>' if one.hint else ''}</li>"
        for one in found
    )
    return f'<ul class="notices">{items}</ul>'


def _card(title: str, body: str) -> str:
    anchor = "".join(letter for letter in title.partition(":")[0].lower() if letter.isalpha())
    heading = f'<h2 id="{anchor}">{escape(title)}</h2>'
    return f'<section class="card" aria-labelledby="{anchor}">{heading}{body}</section>'


@cache
def _style() -> str:
    return _COMMON.read_text("utf-8") + _OWN


def _number(column: int) -> str:
    return ' class="number"' if column >= 5 else ""


def _held(replica: dict[str, Any]) -> int:
    return sum(max(0, of["allowed"] - of["counted"] - of["lost"]) for of in replica["units"].values())


def _percent(meter: dict[str, Any]) -> int:
    return 100 * int(meter["charged"]) // max(1, int(meter["included"]))


def _unit(meter: dict[str, Any]) -> str:
    return str(meter["name"]).rpartition(".")[2]


def _moment(time: str) -> str:
    return f"{time[:16].replace('T', ' ')} UTC"


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
