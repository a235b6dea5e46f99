"""The licences of one log: is each authentic, and was usage recorded within what it allows?"""

import hashlib

from license.encoding.strict import DAY
from license.errors import LicenseError, Malformed
from license.evidence.log.entry import Entry
from license.evidence.log.source import LogSource
from license.evidence.verify.result import LicensePeriod, Severity
from license.licenses.license import License
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import TrustRoots

# A request is admitted before it is recorded; what lies between is forgiven.
IN_FLIGHT_SECONDS = 3600
_NEVER = 1 << 62
MAX_LICENSES = 1_000
"""Different pairs of licence and issuer note that are verified in one log."""

# Severity, code and sentence of a finding.
Wrong = tuple[Severity, str, str]


class LicensePeriods:
    """The licence in force while a log is read.

    Args:
        source: Where the licence notes are.
        roots: Keys that may vouch for them.
    """

    def __init__(self, source: LogSource, roots: TrustRoots) -> None:
        self._source = source
        self._roots = roots
        self._serial = 0
        self._epoch = 0
        self.instance_vkey = ""
        self.id = ""
        self.periods: list[LicensePeriod] = []
        self._from, self._expires, self._terminates = 0, _NEVER, _NEVER
        self._since = 0
        self.terms: License | None = None
        self._opened: dict[tuple[str, str], AuthenticLicense | LicenseError] = {}

    def start(self, entry: Entry) -> list[Wrong]:
        """Take over a `lic` entry; return what is wrong with it."""
        wrong: list[Wrong] = []
        self.id = entry.text("l")
        self._from, self._expires, self._terminates = 0, _NEVER, _NEVER
        self._since = entry.at
        licensed: AuthenticLicense | None = None
        try:
            licensed = self._open(entry)
        except LicenseError as error:
            if self._source.withheld(entry.text("h")):
                sentence = f"the licence {self.id} opens models wherever it is, so it was left out"
                wrong.append((Severity.FINDING, "license-withheld", sentence))
            else:
                sentence = f"the licence {self.id} does not hold: {error.message}"
                wrong.append((Severity.BROKEN, "license", sentence))
        if entry.number("s") < self._serial or entry.number("e") < self._epoch:
            sentence = f"the licence {self.id} is older than one that was in force"
            wrong.append((Severity.BROKEN, "license-back", sentence))
        self._serial = max(self._serial, entry.number("s"))
        self._epoch = max(self._epoch, entry.number("e"))
        self.terms = None if licensed is None else licensed.license
        if licensed is not None:
            wrong += self._compare(entry, licensed)
            terms = licensed.license
            self._from = terms.not_before - terms.clock.tolerance_s
            self._expires, self._terminates = terms.expires, terms.terminates
        self.periods.append(
            LicensePeriod(
                id=self.id,
                serial=entry.number("s"),
                since=entry.at,
                index=entry.n,
                expires=None if licensed is None else licensed.license.expires,
                customer=None if licensed is None else licensed.license.customer,
                max_logs=0 if licensed is None else licensed.license.instance.max_logs,
                subscription=None if licensed is None else licensed.license.subscription,
                included=() if licensed is None else licensed.license.plan.meters,
                monthly=licensed is not None and licensed.license.plan.monthly,
                blocks=licensed is not None and licensed.license.plan.overage == "block",
            )
        )
        return wrong

    def plain(self, license_id: str, at: int) -> bool:
        """Whether usage at this time needs no second look: the licence in force, within its dates."""
        return license_id == self.id and self._from <= at < self._expires

    def judge(self, license_id: str, at: int, *, grace: bool) -> tuple[str, str] | None:
        """Say what is wrong with usage at this time, as code and sentence; None if nothing is."""
        if license_id != self.id:
            return "license-id", f"the licence {license_id} was not in force"
        if at < self._from:
            return "too-early", "it was recorded before the licence was valid"
        if at >= self._terminates + IN_FLIGHT_SECONDS:
            return "expired", "it was recorded after the licence and its grace had ended"
        if at >= self._expires + IN_FLIGHT_SECONDS and not grace:
            return "grace", "it was recorded in grace without the mark of it"
        # A request that was admitted in the grace of the licence before may be recorded under this one.
        if grace and self._since + IN_FLIGHT_SECONDS <= at < self._expires:
            return "grace", "it is marked as grace before the licence expired"
        return None

    def judge_day(self, day: int) -> tuple[str, str] | None:
        """Say what is wrong with hidden usage of a whole UTC day; None if nothing must be."""
        if day >= self._terminates + IN_FLIGHT_SECONDS:
            return "expired", "usage of this day was recorded after the licence and its grace had ended"
        if day + DAY <= self._from:
            return "too-early", "usage of this day was recorded before the licence was valid"
        return None

    def _open(self, entry: Entry) -> AuthenticLicense:
        pair = entry.text("h"), entry.text("i")
        if pair not in self._opened:
            if len(self._opened) >= MAX_LICENSES:
                raise Malformed(f"the log names more than {MAX_LICENSES} licences")
            self._opened[pair] = self._verify(*pair)
        found = self._opened[pair]
        if isinstance(found, LicenseError):
            raise found
        return found

    def _verify(self, sha256: str, issuer_sha256: str) -> AuthenticLicense | LicenseError:
        note, issuer_note = self._source.note(sha256), self._source.note(issuer_sha256)
        if note is None or issuer_note is None:
            return LicenseError("its note is not kept with the log")
        instance = self.instance_vkey or None
        try:
            return open_license(note, issuer_note, roots=self._roots, instance_vkey=instance)
        except LicenseError as error:
            return error

    def _compare(self, entry: Entry, licensed: AuthenticLicense) -> list[Wrong]:
        declared = (entry.text("h"), entry.text("i"), entry.text("l"), entry.number("s"), entry.number("e"))
        actual = (
            licensed.sha256,
            hashlib.sha256(licensed.issuer_note).hexdigest(),
            licensed.license.id,
            licensed.license.serial,
            licensed.delegation.epoch,
        )
        if declared != actual:
            sentence = f"the note of licence {self.id} is not the one that the entry names"
            return [(Severity.BROKEN, "license", sentence)]
        return []
