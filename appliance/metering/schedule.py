"""When to report, and until when to answer without a successful report. Pure: no clock, no network.

    successful report         │◄─ interval ─►│◄─ interval ─►│   …   │◄─ interval ─►│
    attempts                                 1              2       9             10
    answers until                                                                  └─ and its time-out

No metering, no answers: after so many failed attempts in a row, one per interval, no query is answered. The
last second in which queries are answered is known in advance: the time of the last attempt plus its time-out.
It is never brought forward. It moves later only if the endpoint asks to wait (`Retry-After`).
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInterval:
    """How often, and how many times.

    Attributes:
        seconds: From one attempt to the next.
        attempts: Failed attempts in a row after which no query is answered.
        timeout: Seconds one attempt may take.
        ends: The last second of the lease of a site's desk, which lasts without word; then the number of
            attempts stops nothing. None for any other endpoint.
    """

    seconds: int
    attempts: int
    timeout: int
    ends: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """What is known of the endpoint. Times are effective time in Unix seconds.

    Attributes:
        interval: How often, and how many times.
        next_at: When the next attempt is due.
        failed: Failed reports since the last successful one.
        until: The last second in which a query is answered; None before the first successful report.
        heard_at: When a report last succeeded; None before.
        status: Status word of the last attempt.
        message: What it means, in a sentence.
    """

    interval: ReportInterval
    next_at: int
    failed: int = 0
    until: int | None = None
    heard_at: int | None = None
    status: str = "Unknown"
    message: str = ""

    def is_due(self, now: int) -> bool:
        """Whether an attempt is to be made."""
        return now >= self.next_at

    def answers(self, now: int) -> bool:
        """Whether a query may be answered, as far as metering goes."""
        return self.until is not None and now <= self.until

    def opened(self, now: int, *, status: str, message: str) -> "EndpointState":
        """The key was checked at the start; the first report is due at once."""
        heard = replace(self, heard_at=now, status=status, message=message, next_at=now)
        return replace(heard, until=heard._last())

    def succeeded(self, begun: int, ended: int, *, status: str, message: str) -> "EndpointState":
        """An attempt of this time has succeeded."""
        heard = replace(
            self, failed=0, heard_at=ended, status=status, message=message, next_at=self._after(begun, ended)
        )
        return replace(heard, until=heard._last())

    def missed(
        self, begun: int, ended: int, *, status: str, message: str, retry_after: int | None = None
    ) -> "EndpointState":
        """An attempt of this time has failed; the endpoint may have said how many seconds to wait."""
        failed = replace(
            self,
            failed=self.failed + 1,
            status=status,
            message=message,
            next_at=max(self._after(begun, ended), ended + (retry_after or 0)),
        )
        if self.until is None or failed.failed >= self.interval.attempts:
            return failed
        return replace(failed, until=max(self.until, failed._last()))

    def _after(self, begun: int, ended: int) -> int:
        """Next attempt: one interval after it was due, or after it ran if it ran late or early."""
        late = begun - self.next_at
        due = self.next_at if 0 <= late <= self.interval.timeout else begun
        return max(due + self.interval.seconds, ended)

    def _last(self) -> int:
        if self.interval.ends is not None:
            return self.interval.ends
        left = self.interval.attempts - self.failed - 1
        return self.next_at + left * self.interval.seconds + self.interval.timeout
