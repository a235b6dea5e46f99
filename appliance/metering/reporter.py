"""The thread that reports: usage from the ledger to the endpoint, and how far it is counted back into it.

An attempt signs the ledger as it stands, reports every entry that is not counted yet, records what the
endpoint has counted, and asks for a new lease when the present one is a day old. The endpoint's answer says
how far it has counted; that, and not what was sent, is where the next report begins. So a lost answer, a
crash between the two, or a report that was sent twice change nothing.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from appliance.errors import LicenseRefusal, NotMetered, UsageStoreUnavailable
from appliance.ledger.ledger import Ledger
from appliance.licensing.manager import LicenseManager
from appliance.metering.lease import RENEW_SECONDS, Connection, explained, leased_interval, renew_at
from appliance.metering.reports import Log, acknowledged, find_logs, next_report
from appliance.metering.schedule import EndpointState
from appliance.metering.slices import SliceKeeper
from appliance.version import VERSION
from license.client.metering import MeteringClient
from license.encoding.strict import format_time
from license.errors import (
    BillingEndpointBusy,
    CouldNotConnect,
    DownloadError,
    LicenseError,
    Mismatch,
    OutOfQuota,
    UnknownStatus,
)
from license.metering_protocol import MESSAGES

_log = logging.getLogger("appliance.metering")

PULSE_SECONDS: Final = 1.0
FINAL_SECONDS: Final = 10.0
"""How long the last report may take; to the desk of a site it is tried again so long."""
AGAIN_SECONDS: Final = 5
"""Shortest time to the next word to the desk of a site that did not answer."""
_STEPS_BACK: Final = 3
_LEAST_TRIES: Final = 2
_MAY_PASS: Final = {kind.status for kind in (CouldNotConnect, BillingEndpointBusy, UnknownStatus, Mismatch)}
"""Status words after which another attempt may succeed; a mismatch asks for a new lease first."""


class OutOfStep(LicenseError):
    """The endpoint's count of a log does not go with the log that is here."""

    code = "OutOfStep"


class Reporter:
    """Reports for one open ledger. `check` may be asked from any thread.

    Args:
        connection: The way to the endpoint, and how things stood at the start.
        ledger: What is reported.
        directory: Where its logs lie.
        manager: The lease in force.
        now: Effective time, Unix seconds.
        reload: Puts a new lease in force.

    Attributes:
        client: The way to the endpoint.
        endpoint_state: How things stand with it.
        slices: What a site's desk has granted of a plan that blocks.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        ledger: Ledger,
        directory: Path,
        manager: LicenseManager,
        now: Callable[[], int],
        reload: Callable[[], None],
    ) -> None:
        self._connection = connection
        self.client = connection.client
        self._ledger = ledger
        self._directory = directory
        self._manager = manager
        self._now = now
        self._reload = reload
        self._positions = acknowledged(find_logs(directory))
        self._last_message = ""
        self._awaits_units_until = 0
        self._ended = threading.Event()
        self._wake = threading.Event()
        self.slices = SliceKeeper(
            manager,
            identity=connection.identity,
            directory=connection.directory,
            used=ledger.used,
            wake=self._wake.set,
        )
        self._thread: threading.Thread | None = None
        self.endpoint_state: EndpointState = connection.endpoint_state

    def start(self) -> None:
        """Report from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="metering", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Report what is left, if the endpoint can be reached, and end; safe to call twice.

        The desk of a site is tried again for `FINAL_SECONDS`, also where the report before failed: a slice
        that is not given back stays taken, and of a replica that is thrown away it is charged in full.
        """
        if self._ended.is_set():
            return
        self.abandon()
        if not self.slices.applies:
            if self.endpoint_state.failed == 0:
                self.attempt(timeout_s=FINAL_SECONDS)
            return
        tries, end, pause = 0, time.monotonic() + FINAL_SECONDS, threading.Event()
        # At least twice: a name service that restarts may take all of the time for one look-up.
        while (left := end - time.monotonic()) > 0 or tries < _LEAST_TRIES:
            tries += 1
            self.attempt(timeout_s=max(AGAIN_SECONDS, left), returns=True)
            if not self.endpoint_state.failed or self.endpoint_state.status not in _MAY_PASS:
                return
            pause.wait(PULSE_SECONDS)
        _log.error("the last report did not reach the desk: the slice of this replica stays taken")

    def abandon(self) -> None:
        """End without a last report; what is left is reported at the next start."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def check(self, now: int) -> None:
        """Return if a query may be answered, as far as metering goes.

        Raises:
            NotMetered: The key was not checked yet, or too many attempts to report have failed.
            LicenseRefusal: The endpoint says that the quota is used up.
        """
        endpoint_state = self.endpoint_state
        if not endpoint_state.answers(now):
            if endpoint_state.until is None:
                reason = "the key was not checked yet against the billing endpoint"
            else:
                reason = f"usage could not be reported since {format_time(endpoint_state.heard_at or 0)}"
            raise NotMetered(
                f"No query is answered: {reason}. {endpoint_state.message}",
                code=endpoint_state.status,
                hint="service resumes by itself; `appliance diagnose` checks each step of the connection",
                retry_after_s=max(1, endpoint_state.next_at - now),
            )
        if endpoint_state.status == OutOfQuota.status:
            raise LicenseRefusal(
                MESSAGES[OutOfQuota.status],
                code=OutOfQuota.status,
                hint="usage records and status stay readable; service resumes by itself",
            )

    def on_quota_exhausted(self) -> None:
        """Learn that the plan of the lease refused a query: for a day, look out for units bought since."""
        self._awaits_units_until = self._now() + RENEW_SECONDS

    def limit(self, meter: str, term: int, units: int, taken: int) -> int:
        """Return up to how many of the plan's units may be used here; see `SliceKeeper.limit`."""
        return self.slices.limit(meter, term, units, taken)

    def take(self, meter: str, term: int, units: int, taken: int) -> int:
        """Return the same for a request that is answered if it fits; see `SliceKeeper.take`."""
        return self.slices.take(meter, term, units, taken)

    def on_slice_used_up(self, meter: str, need: int) -> None:
        """Learn that a request needed more than the slice has; the desk is asked at once."""
        self.slices.refused(meter, need)

    def attempt(self, *, timeout_s: float | None = None, returns: bool = False) -> None:
        """Make one attempt now, and remember how it went; never raises.

        Args:
            timeout_s: Seconds that each exchange may take.
            returns: Whether nothing is answered any more, so that a slice goes back.
        """
        begun = self._now()
        client = self.client if timeout_s is None else replace(self.client, timeout_s=timeout_s)
        try:
            # A book put back may have forgotten this installation.
            if self.endpoint_state.status == Mismatch.status:
                self._renew(client)
            status = self._report_or_tell(client)
            due = begun >= renew_at(self._manager.current) or self._may_have_units(begun, status)
            if not returns and (due or self.slices.is_of_another_plan(begun)):
                self._renew(client)
            if self.slices.applies:
                status = self._speak(client, returns=returns)
        except OutOfQuota:
            status = OutOfQuota.status
        except DownloadError as error:
            refusal = explained(error)
            self._missed(begun, error.status, refusal.message, retry_after=error.retry_after_s)
            return
        except (LicenseError, UsageStoreUnavailable) as error:
            self._missed(begun, "Unknown", f"{MESSAGES['Unknown']} ({error.message})")
            return
        except (sqlite3.Error, OSError, LookupError) as error:
            self._missed(begun, "Unknown", f"{MESSAGES['Unknown']} (the ledger cannot be read: {error})")
            return
        before = self.endpoint_state
        self.endpoint_state = before.succeeded(begun, self._now(), status=status, message=MESSAGES[status])
        if before.failed or before.status != status:
            _log.warning("metering is %s: %s", status, MESSAGES[status])
        self._last_message = ""

    def report(self) -> dict[str, Any]:
        """Return how metering stands, for `/status`."""
        endpoint_state, origin = self.endpoint_state, self._ledger.origin
        return {
            "mode": "connected",
            "endpoint": self.client.endpoint("").shown,
            "status": endpoint_state.status,
            "message": endpoint_state.message,
            "intervalSeconds": endpoint_state.interval.seconds,
            "attemptsAllowed": endpoint_state.interval.attempts,
            "failedAttempts": endpoint_state.failed,
            "lastContact": _time(endpoint_state.heard_at),
            "nextAttempt": _time(endpoint_state.next_at),
            "answersUntil": _time(self.answers_until()),
            "log": origin,
            "entries": self._ledger.size,
            "acknowledged": self._positions.get(origin, 0),
            **self._site(),
        }

    def _site(self) -> dict[str, Any]:
        site = self.slices.report(self._now())
        return {} if site is None else {"site": site}

    @property
    def failed_attempts(self) -> int:
        """Failed reports since the last successful one."""
        return self.endpoint_state.failed

    def answers_until(self) -> int | None:
        """Return the last second in which a query is answered without further word; None for none."""
        until = self.endpoint_state.until
        return None if until is None else min(until, self._manager.current.license.terminates - 1)

    # -- one attempt -----------------------------------------------------------------------------------------

    def _report(self, client: MeteringClient) -> str:
        """Report what is not counted yet, or else ask for word; return the endpoint's."""
        try:
            self._ledger.checkpoint()
        except UsageStoreUnavailable as error:
            _log.warning("only what is signed is reported: %s", error.message)
        status, logs = "", find_logs(self._directory)
        if not logs:
            raise OutOfStep("no usage log can be read here")
        for log in logs:
            status = self._report_log(client, log) or status
        return status or self._confirm(client, logs[-1])

    def _report_or_tell(self, client: MeteringClient) -> str:
        """Report; a desk also hears of a log that does not go with its count, and settles the slice."""
        try:
            return self._report(client)
        except OutOfStep:
            if self.slices.applies:
                self._speak(client)
            raise

    def _confirm(self, client: MeteringClient, log: Log) -> str:
        """With nothing to report, ask how far the log is counted; what the endpoint lacks is reported again.

        So a count that was forged, or lost with a book put back, is put right while nobody uses anything.
        """
        reply = client.check(log.origin, now=self._now())
        if reply.next < self._positions.get(log.origin, 0):
            self._positions[log.origin] = reply.next
            return self._report_log(client, log) or reply.status
        if reply.next <= log.signed:  # an acknowledgement that was lost
            self._positions[log.origin] = reply.next
            self._ledger.acknowledge(log.origin, reply.next)
        return reply.status

    def _report_log(self, client: MeteringClient, log: Log) -> str:
        status, refusals = "", 0
        key = self._connection.identity.signing
        while (signed := next_report(log, self._positions.get(log.origin, 0), VERSION, key)) is not None:
            report, reply = signed.report, client.report(signed, now=self._now())
            status = reply.status
            if reply.next > max(log.signed, report.next):
                raise OutOfStep(
                    f"the endpoint has counted {reply.next:,} entries of {log.origin}, and {log.signed:,}"
                    " are here: the ledger was put back to an older state",
                    hint="restore the newest backup of output and state directory, or ask the vendor",
                )
            if reply.next <= report.first:
                refusals += 1
                if refusals > _STEPS_BACK:
                    raise OutOfStep(f"the endpoint does not count on from {report.first:,} of {log.origin}")
            self._positions[log.origin] = reply.next
            self._ledger.acknowledge(log.origin, reply.next)
        return status

    def _speak(self, client: MeteringClient, *, returns: bool = False) -> str:
        """Tell the desk how things stand; what is used up is reported first, so that the desk can say so."""
        logs = find_logs(self._directory)
        if not logs:
            raise OutOfStep("no usage log can be read here")
        return self.slices.speak(client, logs[-1], now=self._now(), returns=returns)

    def _may_have_units(self, now: int, status: str) -> bool:
        """Whether the endpoint allows what it, or the plan of the present lease, refused before."""
        awaits_units = now < self._awaits_units_until or self.endpoint_state.status == OutOfQuota.status
        return status == "Valid" and awaits_units

    def _renew(self, client: MeteringClient) -> None:
        before = self._manager.current.license.plan
        self._connection.renew(client, serial=self._ledger.highest_serial, now=self._now())
        self._reload()
        current = self._manager.current
        interval = leased_interval(self.endpoint_state.interval, current)
        self.endpoint_state = replace(self.endpoint_state, interval=interval)
        if current.license.plan != before:
            self._awaits_units_until = 0

    def _missed(self, begun: int, status: str, message: str, *, retry_after: int | None = None) -> None:
        now = self._now()
        endpoint_state = self.endpoint_state.missed(
            begun, now, status=status, message=message, retry_after=retry_after
        )
        self.endpoint_state = endpoint_state
        self.slices.wait(now + max(AGAIN_SECONDS, retry_after or 0))
        failed, attempts = endpoint_state.failed, endpoint_state.interval.attempts
        times = f"{failed} of {attempts}" if failed <= attempts else f"{failed} in a row"
        if not endpoint_state.answers(now):
            level, follows = logging.ERROR, "no query is answered"
        elif failed >= attempts:
            level, follows = logging.ERROR, f"no query is answered after {_time(self.answers_until())}"
        else:
            level, follows = logging.WARNING, f"queries are answered until {_time(self.answers_until())}"
        repeated = level == logging.WARNING and message == self._last_message
        _log.log(
            level,
            "Metering attempt failed with status '%s' (%s); %s.%s",
            status,
            times,
            follows,
            "" if repeated else f" {message}",
        )
        self._last_message = message

    def _attempt_due(self, now: int) -> None:
        """Report what is due; between two reports, a word to the desk of a site is enough."""
        endpoint_state, slices = self.endpoint_state, self.slices
        due = endpoint_state.is_due(now) or endpoint_state.failed
        if due or slices.is_used_up(now) or slices.is_of_another_plan(now):
            self.attempt()
            return
        try:
            status = self._speak(self.client)
        except (LicenseError, sqlite3.Error, OSError, LookupError):
            self.attempt()  # which says what is wrong, and counts as the attempt that failed
            return
        self.endpoint_state = replace(self.endpoint_state, status=status, message=MESSAGES[status])

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(PULSE_SECONDS)
            self._wake.clear()
            try:
                now = self._now()
                if not self._ended.is_set() and (self.endpoint_state.is_due(now) or self.slices.due(now)):
                    self._attempt_due(now)
            except Exception:  # whatever it is, the thread must outlive it: without it nothing is answered
                _log.exception("metering failed on an attempt")


def _time(second: int | None) -> str | None:
    return None if second is None else format_time(second)
