"""How the service stands with its licence, its plan and its clock: the one account that the log, `/status`
and the home page share.
"""

from dataclasses import dataclass
from typing import Any

from appliance.host.effective_clock import EffectiveClock
from appliance.licensing.effective_time import clock_state, time_text
from appliance.licensing.manager import LicenseManager
from appliance.licensing.quota import PlanUse, Used, plan_use, quota_notice
from license.encoding.strict import format_date, format_time
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
        keeper: The licence in force.
        clock: Effective time.
        used: Usage recorded so far.
    """

    def __init__(self, *, keeper: LicenseManager, clock: EffectiveClock, used: Used) -> None:
        self._keeper = keeper
        self._clock = clock
        self._used = used

    def standing(self) -> StatusSnapshot:
        """Return how things stand now."""
        now = self._clock.now()
        licence = self._keeper.current.license
        plan = plan_use(licence.plan, now, self._used)
        quota = [notice for one in plan if (notice := quota_notice(one)) is not None]
        return StatusSnapshot(
            now=now,
            state=state_at(licence, now),
            plan=plan,
            notices=(*self._keeper.notices(now), *quota, *_clock_notices(self._clock)),
        )

    def announce(self) -> None:
        """Log each notice once."""
        now = self._clock.now()
        for notice in (*self._keeper.notices(now), *_clock_notices(self._clock)):
            self._keeper.announce(notice)
        for one in plan_use(self._keeper.current.license.plan, now, self._used):
            reached = quota_notice(one)
            if reached is not None:
                self._keeper.announce(reached, subject=f"{one.meter} {one.start}")

    def report(self, standing: StatusSnapshot) -> dict[str, Any]:
        """Return an account for `/status`: its parts `license`, `plan`, `clock` and `notices`."""
        return {
            "license": _license(self._keeper, standing),
            "plan": _plan(self._keeper, standing),
            "clock": _clock(self._clock),
            "notices": [
                {"code": one.code, "message": one.message, "hint": one.hint} for one in standing.notices
            ],
        }


def _license(keeper: LicenseManager, standing: StatusSnapshot) -> dict[str, Any]:
    licensed, pending, problem = keeper.current, keeper.pending, keeper.problem
    found = licensed.license
    refused = [
        {"file": str(path), "code": reason.code, "message": reason.message, "hint": reason.hint}
        for path, reason in keeper.refused
    ]
    if problem is not None:
        refused.append({"file": "", "code": problem.code, "message": problem.message, "hint": problem.hint})
    body: dict[str, Any] = {
        "id": found.id,
        "serial": found.serial,
        "customer": found.customer,
        "product": found.product,
        "state": standing.state,
        "notBefore": format_time(found.not_before),
        "expires": format_time(found.expires),
        "terminates": format_time(found.terminates),
        "reportBy": format_time(found.report_by),
        "daysLeft": days_left(found, standing.now),
        "graceDaysLeft": grace_days_left(found, standing.now),
        "tier": found.plan.tier,
        "models": [model.train for model in found.models],
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


def _plan(keeper: LicenseManager, standing: StatusSnapshot) -> dict[str, Any]:
    plan = keeper.current.license.plan
    return {
        "tier": plan.tier,
        "overage": plan.overage,
        "meters": [
            {
                "name": one.meter,
                "included": one.included,
                "used": one.used,
                "percent": one.percent,
                "from": format_date(one.start),
                "until": format_date(one.end),
            }
            for one in standing.plan
        ],
    }


def _clock(clock: EffectiveClock) -> dict[str, Any]:
    return {
        "effective": format_time(clock.now()),
        "wall": time_text(clock.reading().wall),
        "state": clock_state(clock),
    }


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
