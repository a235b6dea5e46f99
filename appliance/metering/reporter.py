"""The thread that reports: usage from the ledger to the endpoint, and how far it is counted back into it.

An attempt signs the ledger as it stands, reports every entry that is not counted yet, records what the
endpoint has counted, and asks for a new lease when the present one is a day old. The endpoint's answer says
how far it has counted; that, and not what was sent, is where the next report begins. So a lost answer, a
crash between the two, or a report that was sent twice change nothing.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from appliance.errors import LicenseRefusal, NotMetered, UsageStoreUnavailable
from appliance.ledger.ledger import Ledger
from appliance.licensing.manager import LicenseManager
from appliance.metering.lease import RENEW_SECONDS, Connection, explained
from appliance.metering.reports import Log, acknowledged, find_logs, next_report
from appliance.metering.schedule import EndpointState
from appliance.version import VERSION
from license.client.metering import MeteringClient
from license.encoding.strict import format_time
from license.errors import DownloadError, LicenseError, Mismatch, OutOfQuota
from license.metering_protocol import MESSAGES

_log = logging.getLogger("appliance.metering")

PULSE_SECONDS: Final = 1.0
FINAL_SECONDS: Final = 10.0
_STEPS_BACK: Final = 3


class OutOfStep(LicenseError):
    """The endpoint's count of a log does not go with the log that is here."""

    code = "OutOfStep"


class Reporter:
    """Reports for one open ledger. `check` may be asked from any thread.

    Args:
        connection: The way to the endpoint, and how things stood at the start.
        ledger: What is reported.
        directory: Where its logs lie.
        keeper: The lease in force.
        now: Effective time, Unix seconds.
        reload: Puts a new lease in force.

    Attributes:
        link: The way to the endpoint.
        contact: How things stand with it.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        ledger: Ledger,
        directory: Path,
        keeper: LicenseManager,
        now: Callable[[], int],
        reload: Callable[[], None],
    ) -> None:
        self._connection = connection
        self.link = connection.link
        self._ledger = ledger
        self._directory = directory
        self._keeper = keeper
        self._now = now
        self._reload = reload
        self._positions = acknowledged(find_logs(directory))
        self._said = ""
        self._lacking_until = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.contact: EndpointState = connection.contact

    def start(self) -> None:
        """Report from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="metering", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Report what is left, if the endpoint can be reached, and end; safe to call twice."""
        if self._ended.is_set():
            return
        self.abandon()
        if self.contact.failed == 0:
            self.attempt(timeout_s=FINAL_SECONDS)

    def abandon(self) -> None:
        """End without a last report; what is left is reported at the next start."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def check(self, now: int) -> None:
        """Return if a query may be answered, as far as metering goes.

        Raises:
            NotMetered: The key was not checked yet, or too many attempts to report have failed.
            LicenseRefusal: The endpoint says that the quota is used up.
        """
        contact = self.contact
        if not contact.answers(now):
            if contact.until is None:
                reason = "the key was not checked yet against the billing endpoint"
            else:
                reason = f"usage could not be reported since {format_time(contact.heard_at or 0)}"
            raise NotMetered(
                f"No query is answered: {reason}. {contact.message}",
                code=contact.word,
                hint="service resumes by itself; `appliance diagnose` says what is wrong on the way",
                retry_after_s=max(1, contact.next_at - now),
            )
        if contact.word == OutOfQuota.status:
            raise LicenseRefusal(
                MESSAGES[OutOfQuota.status],
                code=OutOfQuota.status,
                hint="usage records and status stay readable; service resumes by itself",
            )

    def on_quota_exhausted(self) -> None:
        """Learn that the plan of the lease refused a query: for a day, look out for units bought since."""
        self._lacking_until = self._now() + RENEW_SECONDS

    def attempt(self, *, timeout_s: float | None = None) -> None:
        """Make one attempt now, and remember how it went; never raises."""
        begun = self._now()
        link = self.link if timeout_s is None else replace(self.link, timeout_s=timeout_s)
        try:
            if self.contact.word == Mismatch.status:  # a book put back may have forgotten this installation
                self._renew(link)
            word = self._report(link)
            if begun >= self._keeper.current.license.issued + RENEW_SECONDS or self._may_have_units(
                begun, word
            ):
                self._renew(link)
        except OutOfQuota:
            word = OutOfQuota.status
        except DownloadError as error:
            told = explained(error)
            self._missed(begun, error.status, told.message, retry_after=error.retry_after_s)
            return
        except (LicenseError, UsageStoreUnavailable) as error:
            self._missed(begun, "Unknown", f"{MESSAGES['Unknown']} ({error.message})")
            return
        except (sqlite3.Error, OSError) as error:
            self._missed(begun, "Unknown", f"{MESSAGES['Unknown']} (the ledger cannot be read: {error})")
            return
        before = self.contact
        self.contact = before.succeeded(begun, self._now(), word=word, message=MESSAGES[word])
        if before.failed or before.word != word:
            _log.warning("metering is %s: %s", word, MESSAGES[word])
        self._said = ""

    def report(self) -> dict[str, Any]:
        """Return how metering stands, for `/status`."""
        contact, origin = self.contact, self._ledger.origin
        return {
            "mode": "connected",
            "endpoint": self.link.endpoint("").shown,
            "status": contact.word,
            "message": contact.message,
            "intervalSeconds": contact.rhythm.interval,
            "attemptsAllowed": contact.rhythm.attempts,
            "failedAttempts": contact.failed,
            "lastContact": _time(contact.heard_at),
            "nextAttempt": _time(contact.next_at),
            "answersUntil": _time(self.answers_until()),
            "log": origin,
            "entries": self._ledger.size,
            "acknowledged": self._positions.get(origin, 0),
        }

    @property
    def failed_attempts(self) -> int:
        """Attempts to report that failed since there was word from the endpoint."""
        return self.contact.failed

    def answers_until(self) -> int | None:
        """Return the last second in which a query is answered without further word; None for none."""
        until = self.contact.until
        return None if until is None else min(until, self._keeper.current.license.terminates - 1)

    # -- one attempt -----------------------------------------------------------------------------------------

    def _report(self, link: MeteringClient) -> str:
        """Report what is not counted yet, or else ask for word; return the endpoint's."""
        try:
            self._ledger.checkpoint()
        except UsageStoreUnavailable as error:
            _log.warning("only what is signed is reported: %s", error.message)
        word, logs = "", find_logs(self._directory)
        if not logs:
            raise OutOfStep("no usage log can be read here")
        for log in logs:
            word = self._report_log(link, log) or word
        return word or self._confirm(link, logs[-1])

    def _confirm(self, link: MeteringClient, log: Log) -> str:
        """With nothing to report, ask how far the log is counted; what the endpoint lacks is reported again.

        So a count that was forged, or lost with a book put back, is put right while nobody uses anything.
        """
        said = link.check(log.origin, now=self._now())
        if said.next < self._positions.get(log.origin, 0):
            self._positions[log.origin] = said.next
            return self._report_log(link, log) or said.status
        if said.next <= log.signed:  # an acknowledgement that was lost
            self._positions[log.origin] = said.next
            self._ledger.acknowledge(log.origin, said.next)
        return said.status

    def _report_log(self, link: MeteringClient, log: Log) -> str:
        word, back = "", 0
        while (report := next_report(log, self._positions.get(log.origin, 0), VERSION)) is not None:
            answer = link.report(report, now=self._now())
            word = answer.status
            if answer.next > max(log.signed, report.next):
                raise OutOfStep(
                    f"the endpoint has counted {answer.next:,} entries of {log.origin}, and {log.signed:,}"
                    " are here: the ledger was put back to an older state",
                    hint="restore the newest backup of output and state directory, or ask the vendor",
                )
            if answer.next <= report.first:
                back += 1
                if back > _STEPS_BACK:
                    raise OutOfStep(f"the endpoint does not count on from {report.first:,} of {log.origin}")
            self._positions[log.origin] = answer.next
            self._ledger.acknowledge(log.origin, answer.next)
        return word

    def _may_have_units(self, now: int, word: str) -> bool:
        """Whether the endpoint allows what it, or the plan of the present lease, refused before."""
        lacking = now < self._lacking_until or self.contact.word == OutOfQuota.status
        return word == "Valid" and lacking

    def _renew(self, link: MeteringClient) -> None:
        before = self._keeper.current.license.plan
        self._connection.renew(link, serial=self._ledger.highest_serial, now=self._now())
        self._reload()
        if self._keeper.current.license.plan != before:
            self._lacking_until = 0

    def _missed(self, begun: int, word: str, message: str, *, retry_after: int | None = None) -> None:
        now = self._now()
        contact = self.contact.missed(begun, now, word=word, message=message, retry_after=retry_after)
        self.contact = contact
        failed, attempts = contact.failed, contact.rhythm.attempts
        times = f"{failed} of {attempts}" if failed <= attempts else f"{failed} in a row"
        if not contact.answers(now):
            level, follows = logging.ERROR, "no query is answered"
        elif failed >= attempts:
            level, follows = logging.ERROR, f"no query is answered after {_time(self.answers_until())}"
        else:
            level, follows = logging.WARNING, f"queries are answered until {_time(self.answers_until())}"
        said = "" if level == logging.WARNING and message == self._said else f" {message}"
        _log.log(level, "Metering attempt failed with status '%s' (%s); %s.%s", word, times, follows, said)
        self._said = message

    def _run(self) -> None:
        while not self._ended.wait(PULSE_SECONDS):
            try:
                if self.contact.is_due(self._now()):
                    self.attempt()
            except Exception:  # whatever it is, the thread must outlive it: without it nothing is answered
                _log.exception("metering failed on an attempt")


def _time(second: int | None) -> str | None:
    return None if second is None else format_time(second)
