"""What a verification found: values only, and how serious each finding is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from license.evidence.log.entry import Tally


class Severity(IntEnum):
    """How much a finding weighs; the worst one is the exit code of `verify`."""

    CLEAN = 0
    FINDING = 1  # to be explained by the operator
    BROKEN = 2  # the evidence contradicts itself, or what it should rest on is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        severity: How much it weighs; `CLEAN` for something that is only worth knowing.
        code: Stable word for it.
        message: One sentence.
        log: Origin of the log, or its file.
        index: The entry it is about; None for the log as a whole.
        at: Effective time of that entry; None where it cannot be told.
    """

    severity: Severity
    code: str
    message: str
    log: str
    index: int | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How the time from the first to the last entry was spent, in seconds.

    Attributes:
        up: The service ran.
        down: It was stopped in order, or said that it could not record.
        unexplained: It ended without a word, or was silent for longer than it may be.
    """

    up: int = 0
    down: int = 0
    unexplained: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensePeriod:
    """A licence as it came into force.

    Attributes:
        id: Its identifier.
        serial: Its serial.
        since: Effective time of its `lic` entry.
        index: Index of that entry.
        expires: From here on in grace; None if the licence could not be verified.
        customer: Whom it names; None if the licence could not be verified.
        subscription: What pays; None if the licence could not be verified.
        max_logs: How many logs it allows; 0 if the licence could not be verified.
        included: Units that its plan includes, by meter; empty if the licence could not be verified.
        monthly: Whether these come anew each month.
        blocks: Whether its plan refuses beyond them.
    """

    id: str
    serial: int
    since: int
    index: int
    expires: int | None = None
    customer: str | None = None
    subscription: str | None = None
    max_logs: int = 0
    included: tuple[tuple[str, int], ...] = ()
    monthly: bool = False
    blocks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReport:
    """What the log of a site's desk tells of one replica.

    Attributes:
        instance: Its twelve digits.
        software: Name and version, as it said last.
        since: Effective time of its first lease, and `until` the end of its last one.
        until: See `since`.
        leases: How many leases it had.
        state: `leased`, `left` (stopped in order), `lost` (written off) or `cloned`.
        allowed: Up to how many units it was allowed to use, by meter.
        quantity: Units that it reported, of all meters; 0 where the reports are hidden.
        billed: Units of them that count against the plan, by meter.
        lost: Units that were written off and not reported since, by meter.
    """

    instance: str
    software: str
    since: int
    until: int
    leases: int
    state: str
    allowed: Mapping[str, int]
    quantity: int
    billed: Mapping[str, int]
    lost: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What one log says, and what was found in it.

    Attributes:
        log: Its origin.
        size: Number of entries.
        signed: Number of entries under the last good checkpoint.
        root: Text form of the trust root that the log names.
        first: Effective time of the first entry, and `last` of the last one.
        totals: Sums by month and meter, added up from the entries.
        coverage: How the time was spent.
        licenses: The licences in force, in order.
        findings: What was found, in the order of the log.
        days: Sums by UTC day (`YYYY-MM-DD`) and meter.
        hidden: Number of entries that are not shown, only hashed: usage in a summary, or pruned.
        heads: Number of signed heads that hold.
        keys: Number of day keys.
        witnessed: Number of heads cosigned by the vendor that the log agrees with.
        instance: Text form of the key of the installation.
        replicas: In the log of a site's desk: its replicas.
    """

    log: str
    size: int
    signed: int
    root: str
    first: int
    last: int
    totals: Mapping[tuple[str, str], Tally]
    coverage: Coverage
    licenses: tuple[LicensePeriod, ...]
    findings: tuple[Finding, ...]
    days: Mapping[tuple[str, str], Tally]
    hidden: int = 0
    heads: int = 0
    keys: int = 0
    witnessed: int = 0
    instance: str = ""
    replicas: tuple[ReplicaReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification found in all logs together.

    Attributes:
        logs: One report for each log.
        findings: Every finding, those about no log in particular first.
        totals: Sums by month and meter over all logs.
        coverage: Seconds over all logs.
    """

    logs: tuple[LogReport, ...]
    findings: tuple[Finding, ...]
    totals: Mapping[tuple[str, str], Tally]
    coverage: Coverage

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings, 2 broken."""
        return int(max((finding.severity for finding in self.findings), default=Severity.CLEAN))
