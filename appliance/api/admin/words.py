"""A licence, its plan and its dates as sentences for the operators' page. Pure: values in, text out."""

from collections.abc import Sequence
from typing import Any

from appliance.licensing.quota import PlanUse
from license.licenses.license import License
from license.licenses.terms import Plan
from license.licenses.validity import (
    State,
    days_left,
    days_text,
    grace_days_left,
    moment_text,
    state_at,
    what_stops,
)


def license_sentences(license: License, now: int) -> list[str]:
    """Return what the dates of a licence mean at `now`, the nearest first."""
    if license.connected is not None:
        return ["This service runs connected: its lease is renewed by itself as long as it can report."]
    state = state_at(license, now)
    sentences = []
    if state is State.NOT_YET_VALID:
        sentences.append(
            f"The licence begins on {moment_text(license.not_before)}; nothing is answered before."
        )
    elif state is State.EXPIRED:
        sentences.append(
            f"The licence ended on {moment_text(license.expires)}, and its grace on "
            f"{moment_text(license.terminates)}: requests are refused. Records, export and installing a "
            "licence keep working."
        )
    elif state is State.GRACE:
        sentences.append(
            f"The licence ended on {moment_text(license.expires)}. Requests are still answered for "
            f"{days_text(grace_days_left(license, now))}."
        )
    else:
        sentences.append(
            f"The licence ends on {moment_text(license.expires)}, in {days_text(days_left(license, now))}."
        )
    if state.serves or state is State.NOT_YET_VALID:
        sentences.append(f"{what_stops(license)}.")
    return sentences


def report_sentence(license: License, now: int) -> str:
    """Say when the vendor expects a report, and what happens without one; empty where none is asked for."""
    if license.connected is not None:
        return ""
    left = -(-(license.report_by - now) // 86_400)
    if left <= 0:
        return f"A usage report was due on {moment_text(license.report_by)}. The service goes on without it."
    return f"The next usage report is due on {moment_text(license.report_by)}, in {days_text(left)}."


def plan_sentence(use: PlanUse) -> str:
    """Say how much of one meter is used, until when it counts, and what comes after it."""
    after = "then requests are refused" if use.blocks else "what is beyond is settled later"
    unit = use.meter.rpartition(".")[2]
    share = f"{use.used:,} of {use.included:,} {unit} are used ({use.percent} %)"
    return f"{share}, until {moment_text(use.end)}; {after}."


def no_plan_sentence(plan: Plan) -> str:
    """Say what a plan means that includes no units of any meter; empty for one that does."""
    if plan.meters:
        return ""
    return "The plan includes no units: what is used is counted and settled later."


def license_changes(now_in_force: License, offered: License) -> list[dict[str, Any]]:
    """Return what another licence would change: each fact with what it is now and what it would be."""
    rows = zip(_facts(now_in_force), _facts(offered), strict=True)
    return [
        {"what": what, "now": before, "then": after, "changed": before != after}
        for (what, before), (_, after) in rows
    ]


def _facts(license: License) -> Sequence[tuple[str, str]]:
    plan = license.plan
    units = ", ".join(f"{count:,} {meter.rpartition('.')[2]}" for meter, count in plan.meters) or "none named"
    return (
        ("licence", license.id),
        ("serial", str(license.serial)),
        ("customer", license.customer),
        ("product", license.product),
        ("begins", moment_text(license.not_before)),
        ("ends", moment_text(license.expires)),
        ("answers until", moment_text(license.terminates)),
        ("report by", moment_text(license.report_by)),
        ("tier", plan.tier),
        ("included units", units + (" a month" if plan.monthly else "")),
        ("beyond them", "requests are refused" if plan.overage == "block" else "counted, settled later"),
        ("encrypted models", ", ".join(model.train for model in license.models) or "none"),
    )
