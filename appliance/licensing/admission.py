"""May this request be answered now? Licence state and plan, decided anew for every request.

An integer comparison per request, no file and no socket: the licence and the count so far are in memory. What
admission reserves while an answer is computed is settled when its usage record is durable, or given back.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

from appliance.errors import LicenseRefusal, NotMetered
from appliance.licensing.metering import Metering
from appliance.licensing.quota import Used, counted, window
from license.encoding.strict import format_date
from license.errors import LicenseError
from license.licenses.validity import State, check_dates, state_at, warnings
from license.licenses.verify import AuthenticLicense

_HEADER_SAFE: Final = str.maketrans({'"': "'", "\\": "/", "\n": " "})


class LicenseSource(Protocol):
    """Where the licence in force is found."""

    @property
    def current(self) -> AuthenticLicense:
        """The licence in force."""
        ...


class Admission:
    """A request that may be answered; as a context manager it holds its units of the plan meanwhile.

    Attributes:
        license: The licence it is answered under.
        grace: True if that licence has expired and only its grace lets it serve.
        warning: What to tell the caller, empty if all is well; plain ASCII without quotes.
    """

    __slots__ = ("_admission", "_records", "grace", "license", "warning")

    def __init__(
        self, admission: "AdmissionControl", licensed: AuthenticLicense, *, records: int, warning: str
    ) -> None:
        self._admission = admission
        self._records = records
        self.license = licensed
        self.grace = bool(warning)
        self.warning = warning

    def __enter__(self) -> None:
        self._admission.reserved += self._records

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._admission.reserved -= self._records
        if error is None:
            self._admission.settled += self._records


class AdmissionControl:
    """Decides by licence state and plan. Used from one thread only.

    Args:
        manager: Knows the licence in force.
        now: Effective time, Unix seconds.
        used: Usage recorded so far, asked once per licence and term.
        meter: The meter that requests count on.

    Attributes:
        metering: Asked too, in a connected run.
    """

    def __init__(self, *, manager: LicenseSource, now: Callable[[], int], used: Used, meter: str) -> None:
        self.metering: Metering | None = None
        self._manager = manager
        self._now = now
        self._used = used
        self._meter = meter
        self._counted_term = ("", 0)
        self._used_before = 0
        self.reserved = 0
        self.settled = 0

    def state(self) -> State:
        """State of the licence in force at this instant."""
        return state_at(self._manager.current.license, self._now())

    def admit(self, records: int = 0) -> Admission:
        """Admit a request of that many units, or refuse it.

        Raises:
            LicenseRefusal: `NotYetValid`, `Expired`, or `OutOfQuota` where the plan blocks.
            NotMetered: A connected run had no word from its endpoint for too long; `SliceUsedUp`: the desk of
                its site has to grant more first.
        """
        licensed = self._manager.current
        now = self._now()
        if self.metering is not None:
            self.metering.check(now)
        state = state_at(licensed.license, now)
        if not state.serves:
            try:
                check_dates(licensed.license, now)
            except LicenseError as error:
                raise LicenseRefusal(error.message, code=error.code, hint=error.hint) from None
        if licensed.license.plan.overage == "block":
            self._check_plan(licensed, records, now)
        return Admission(self, licensed, records=records, warning=_warning(licensed, now))

    def warning(self) -> str:
        """What callers are to be told of the licence now, as in `Admission.warning`."""
        return _warning(self._manager.current, self._now())

    def used_up(self) -> str:
        """Why not even one unit can be admitted now under a plan that blocks; empty if it can."""
        licensed = self._manager.current
        if licensed.license.plan.overage != "block":
            return ""
        units, end = self._plan_term(licensed, self._now())
        # Without what is reserved: it may be given back, and a probe should not flap.
        if units is None or self._recorded < self._limit(units, self._recorded):
            return ""
        return self._used_up(units, end) if self._recorded >= units else self._slice_used_up()

    @property
    def _recorded(self) -> int:
        return self._used_before + self.settled

    def _plan_term(self, licensed: AuthenticLicense, now: int) -> tuple[int | None, int]:
        """Return the units of the plan and the end of its term, with what is recorded of that term summed."""
        plan = licensed.license.plan
        units = plan.units(self._meter)
        start, end = window(plan, now)
        if units is not None and self._counted_term != (licensed.sha256, start):
            self._used_before = counted(plan, self._meter, self._used, start)
            self._counted_term, self.settled = (licensed.sha256, start), 0
        return units, end

    def _limit(self, units: int, taken: int) -> int:
        """Up to how many units may be used here; less than the plan's where a desk divides it."""
        _, start = self._counted_term
        return units if self.metering is None else self.metering.limit(self._meter, start, units, taken)

    def _slice_used_up(self) -> str:
        return f"this replica's slice of {self._meter} is used up"

    def _used_up(self, units: int, end: int) -> str:
        # Short enough for the reason of a closed WebSocket, 123 bytes, with millions of units.
        return f"the plan's {units:,} units of {self._meter} until {format_date(end)} are used up"

    def _check_plan(self, licensed: AuthenticLicense, records: int, now: int) -> None:
        units, end = self._plan_term(licensed, now)
        if units is None:
            return
        taken = self._recorded + self.reserved + records
        _, start = self._counted_term
        limit = units if self.metering is None else self.metering.take(self._meter, start, units, taken)
        if taken <= limit:
            return
        if self.metering is not None and limit < units:
            self.metering.on_slice_used_up(self._meter, self.reserved + records)
            raise NotMetered(
                self._slice_used_up(),
                code="SliceUsedUp",
                hint="the desk of the site is asked for more; another replica may have some",
                retry_after_s=1,
            )
        if self.metering is not None:
            self.metering.on_quota_exhausted()
        raise LicenseRefusal(
            self._used_up(units, end),
            code="OutOfQuota",
            hint="buy more units or renew the plan; usage records and status stay readable",
        )


def _warning(licensed: AuthenticLicense, now: int) -> str:
    if state_at(licensed.license, now) is not State.GRACE:
        return ""
    return warnings(licensed.license, now)[0].message.translate(_HEADER_SAFE)
