"""Checks usage logs from their bytes and the root keys alone, and says which entry is wrong.

    root → issuer → licence → key of the installation → day keys → checkpoints → entries → sums

Each log is read once, entry by entry. What must hold is written down in `docs/formats.md`, part Evidence;
every rule that does not becomes a finding with index and time. Nothing is repaired and nothing is written.

Standard library, `cryptography` and `license` only: this is the auditor's tool.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from license.errors import LicenseError
from license.evidence.audit import Audit
from license.evidence.checkpoint import read_checkpoint
from license.evidence.entry import NOTHING, Tally
from license.evidence.report import Coverage, Finding, LogReport, Report, Severity
from license.evidence.source import LogSource, find_databases, find_ledgers, open_log, published_heads
from license.roots import TrustRoots


def verify(directory: Path, roots: TrustRoots) -> Report:
    """Verify every log at or below a directory: a ledger, or a whole output mount.

    A live service may go on writing meanwhile; each log is read in one snapshot.
    """
    findings: list[Finding] = []
    reports: list[LogReport] = []
    heads: list[tuple[str, bytes]] = []
    ledgers = find_ledgers(directory)
    if not ledgers:
        findings.append(_broken("no-log", f"there is no usage log in {directory}", str(directory)))
    for ledger in ledgers:
        heads.extend(published_heads(ledger))
        for path in find_databases(ledger):
            try:
                with open_log(path) as source:
                    reports.append(verify_log(source, roots))
            except (sqlite3.Error, LicenseError) as error:
                findings.append(_broken("unreadable", f"the log cannot be read: {error}", str(path)))
    return summarize(reports, [*findings, *_headless(heads, reports)])


def verify_log(source: LogSource, roots: TrustRoots) -> LogReport:
    """Verify one log.

    Raises:
        LicenseError: It has no first entry to begin with.
        sqlite3.Error: It cannot be read.
    """
    audit = Audit(source, roots)
    for row in source.rows():
        audit.take(*row)
    return audit.finish()


def summarize(reports: Sequence[LogReport], findings: Sequence[Finding]) -> Report:
    """Add up the reports of several logs, and look for logs that are named but missing."""
    found = [*findings]
    totals: dict[tuple[str, str], Tally] = {}
    up = down = unexplained = 0
    for report in reports:
        found.extend(report.findings)
        for key, tally in report.totals.items():
            totals[key] = totals.get(key, NOTHING).plus(tally)
        up += report.coverage.up
        down += report.coverage.down
        unexplained += report.coverage.unexplained
    found.extend(_missing(reports))
    return Report(
        logs=tuple(reports),
        findings=tuple(found),
        totals=dict(sorted(totals.items())),
        coverage=Coverage(up=up, down=down, unexplained=unexplained),
    )


def _missing(reports: Sequence[LogReport]) -> list[Finding]:
    """A successor names the log before it: that one must be here too."""
    present = {report.log for report in reports}
    findings = []
    for report in reports:
        prefix, _, number = report.log.rpartition("/")
        if number.isdecimal() and int(number) > 1 and f"{prefix}/{int(number) - 1}" not in present:
            before = f"{prefix}/{int(number) - 1}"
            findings.append(
                _broken("missing-log", f"the log {before}, which came before, is missing", before)
            )
    return findings


def _headless(heads: Sequence[tuple[str, bytes]], reports: Sequence[LogReport]) -> list[Finding]:
    """A published head of a log that is not here; unsigned claims of one are told all the same."""
    present = {report.log for report in reports}
    findings = []
    for _, note in heads:
        with contextlib.suppress(LicenseError):
            head = read_checkpoint(note)
            if head.origin not in present:
                sentence = f"a head over {head.size} entries was published, but the log is missing"
                findings.append(_broken("missing-log", sentence, head.origin))
    return findings


def _broken(code: str, message: str, log: str) -> Finding:
    return Finding(severity=Severity.BROKEN, code=code, message=message, log=log)
