"""The checks of a verification in the order in which trust passes through them, and how each came out.

Every code of a finding belongs to exactly one check, so that "nothing was found" can be said of each by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from license.evidence.verify.result import Finding, Report, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        title: What is looked at.
        rule: What must hold, in a sentence.
        codes: Codes of the findings that it can make.
    """

    title: str
    rule: str
    codes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check came out.

    Attributes:
        check: The check.
        severity: The heaviest of its findings.
        findings: What it found.
    """

    check: Check
    severity: Severity
    findings: tuple[Finding, ...]


def _check(title: str, rule: str, *codes: str) -> Check:
    return Check(title=title, rule=rule, codes=frozenset(codes))


CHECKS: Final = (
    _check(
        "File",
        "The export is signed by the installation, and holds exactly the files that its note names.",
        *("member", "signer", "table", "unreadable"),
    ),
    _check(
        "Root and licences",
        "Every licence in force was signed by an issuer whom a trusted root entitles, for this installation.",
        *("root", "license", "license-back", "license-withheld"),
    ),
    _check(
        "Installation",
        "The log bears the name of the key that opened it, and that key signed after every start.",
        *("origin", "second-open", "boot-unsigned"),
    ),
    _check(
        "Keys of days",
        "Each day's entries are signed by the key of that day, which the day before has certified.",
        *("day", "wrong-day", "wrong-key", "key-reused", "day-unsigned"),
    ),
    _check(
        "Signed heads",
        "Every signed head covers exactly the entries that are there.",
        *("checkpoint", "tree", "rollback", "unsigned", "unsigned-tail", "consistency"),
    ),
    _check(
        "Witnesses",
        "Heads that the vendor or others kept are heads of this very history.",
        *("fork", "cosignature", "unchecked", "unproven", "newer"),
    ),
    _check(
        "Entries",
        "Every entry reads, counts up by one, and is the text that was hashed.",
        *("changed", "missing", "order", "index", "malformed"),
    ),
    _check(
        "Sums",
        "Sums of days and months are those of their entries; what was reported while connected only grows.",
        *("day-sums", "month-sums", "month-open", "columns", "claimed", "unopened", "metered"),
    ),
    _check(
        "Usage within the licence",
        "Usage was recorded under the licence in force, within its dates, or in its grace and marked so.",
        *("license-id", "too-early", "expired", "grace"),
    ),
    _check(
        "Site",
        "The desk of a site granted no more than its plan, and counted each report of its replicas once.",
        *("slices-exceed", "not-counted", "too-many-replicas", "cloned", "desk-restored", "lost"),
    ),
    _check(
        "Time",
        "Time never runs back; a clock that strayed was recorded.",
        *("time-back", "lags", "clock-back", "clock-forward", "clock-held", "clock-adopted", "clock-lowered"),
    ),
    _check(
        "Running",
        "The service said when it started and stopped, and was never silent for long.",
        *("no-boot", "silent", "cut-off", "disk"),
    ),
    _check(
        "Completeness",
        "Every log that is named is there, once.",
        *("copied", "no-log", "missing-log", "recovered", "begins-late", "carried"),
    ),
)


def outcomes(report: Report) -> Sequence[Outcome]:
    """Return how each check came out; a code that none knows is told under the last one."""
    known = frozenset().union(*(check.codes for check in CHECKS))
    result = []
    for check in CHECKS:
        rest = check is CHECKS[-1]
        findings = tuple(
            finding
            for finding in report.findings
            if finding.code in check.codes or (rest and finding.code not in known)
        )
        severity = max((finding.severity for finding in findings), default=Severity.CLEAN)
        result.append(Outcome(check=check, severity=severity, findings=findings))
    return result
