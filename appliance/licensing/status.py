"""Status of licence, plan and clock, for the log, `/status` and the home page."""

from dataclasses import dataclass
from typing import Any

from appliance.host.effective_clock import EffectiveClock
from appliance.licensing.effective_time import clock_state, time_text
from appliance.licensing.manager import LicenseManager
from appliance.licensing.quota import PlanUse, Used, plan_use, quota_notice
from license.encoding.strict import format_date, format_time
from license.licenses.terms import Plan
from license.licenses.validity import Notice, State, days_left, grace_days_left, state_at


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSnapshot:
    """The account at one instant.

    Attributes:
        now: Effective time it was taken at.
        state: State of the licence in force.
        plan: Each meter of its plan.
        notices: What somebody should know, most urgent first.
    """

    now: int
    state: State
    plan: tuple[PlanUse, ...]
    notices: tuple[Notice, ...]


class LicenseStatus:
    """Takes the account; nothing it does costs more than a few microseconds per day of the plan.

    Args:
        manager: The licence in force.
        clock: Effective time.
        used: Usage recorded so far.
        meter: What this service counts on.
    """

    def __init__(self, *, manager: LicenseManager, clock: EffectiveClock, used: Used, meter: str) -> None:
        self._meter = meter
        self._manager = manager
        self._clock = clock
        self._used = used

    def snapshot(self) -> StatusSnapshot:
        """Return how things stand now."""
        now = self._clock.now()
        license = self._manager.current.license
        plan = plan_use(license.plan, now, self._used)
        quota = [notice for use in plan if (notice := quota_notice(use)) is not None]
        return StatusSnapshot(
            now=now,
            state=state_at(license, now),
            plan=plan,
            notices=(
                *self._manager.notices(now),
                *quota,
                *_plan_notices(license.plan, self._meter),
                *_clock_notices(self._clock),
            ),
        )

    def announce(self) -> None:
        """Log each notice once."""
        now = self._clock.now()
        plan = self._manager.current.license.plan
        for notice in (
            *self._manager.notices(now),
            *_plan_notices(plan, self._meter),
            *_clock_notices(self._clock),
        ):
            self._manager.announce(notice)
        for use in plan_use(plan, now, self._used):
            reached = quota_notice(use)
            if reached is not None:
                self._manager.announce(reached, subject=f"{use.meter} {use.start}")

    def report(self, snapshot: StatusSnapshot) -> dict[str, Any]:
        """Return an account for `/status`: its parts `license`, `plan`, `clock` and `notices`."""
        return {
            "license": _license(self._manager, snapshot),
            "plan": _plan(self._manager, snapshot),
            "clock": _clock(self._clock),
            "notices": [
                {"code": notice.code, "message": notice.message, "hint": notice.hint}
                for notice in snapshot.notices
            ],
        }


def _license(manager: LicenseManager, snapshot: StatusSnapshot) -> dict[str, Any]:
    licensed, pending, problem = manager.current, manager.pending, manager.problem
    license = licensed.license
    refused = [
        {"file": str(path), "code": reason.code, "message": reason.message, "hint": reason.hint}
        for path, reason in manager.refused
    ]
    if problem is not None:
        refused.append({"file": "", "code": problem.code, "message": problem.message, "hint": problem.hint})
    body: dict[str, Any] = {
        "id": license.id,
        "serial": license.serial,
        "customer": license.customer,
        "product": license.product,
        "state": snapshot.state,
        "notBefore": format_time(license.not_before),
        "expires": format_time(license.expires),
        "terminates": format_time(license.terminates),
        "reportBy": format_time(license.report_by),
        "daysLeft": days_left(license, snapshot.now),
        "graceDaysLeft": grace_days_left(license, snapshot.now),
        "tier": license.plan.tier,
        "models": [model.train for model in license.models],
        "issuer": licensed.delegation.key.name,
        "root": licensed.root.vkey,
        "refused": refused,
    }
    if pending is not None:
        body["next"] = {
            "id": pending.license.id,
            "serial": pending.license.serial,
            "notBefore": format_time(pending.license.not_before),
            "expires": format_time(pending.license.expires),
        }
    return body


def _plan(manager: LicenseManager, snapshot: StatusSnapshot) -> dict[str, Any]:
    plan = manager.current.license.plan
    return {
        "tier": plan.tier,
        "overage": plan.overage,
        "meters": [
            {
                "name": use.meter,
                "included": use.included,
                "used": use.used,
                "percent": use.percent,
                "from": format_date(use.start),
                "until": format_date(use.end),
            }
            for use in snapshot.plan
        ],
    }


def _clock(clock: EffectiveClock) -> dict[str, Any]:
    return {
        "effective": format_time(clock.now()),
        "wall": time_text(clock.reading().wall),
        "state": clock_state(clock),
    }


def _plan_notices(plan: Plan, meter: str) -> tuple[Notice, ...]:
    if plan.units(meter) is not None or (not plan.meters and plan.overage != "block"):
        return ()  # a plan that names no meter at all is paid by use
    return (
        Notice(
            code="NoUnits",
            mark=0,
            message=f"the licence's plan names no units of {meter}, which this service counts: "
            "usage is recorded, and nothing limits it",
            hint="if units were bought, ask the vendor for a licence that names them",
        ),
    )


def _clock_notices(clock: EffectiveClock) -> tuple[Notice, ...]:
    effective, wall = format_time(clock.now()), time_text(clock.reading().wall)
    if clock.held:
        return (
            Notice(
                code="ClockHeld",
                mark=0,
                message=f"this machine's clock says {wall}, far ahead of the {effective} that the licence"
                " is judged by; it is not believed",
                hint="if the clock is wrong, set it; if it is right, run `appliance clock accept`",
            ),
        )
    if clock.behind:
        return (
            Notice(
                code="ClockBehind",
                mark=0,
                message=f"this machine's clock says {wall}, behind the {effective} that is proven",
                hint="set the clock; if it ran ahead before, only a new licence sets the time back",
            ),
        )
    return ()
