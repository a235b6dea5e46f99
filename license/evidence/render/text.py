"""A verification report as text for people, and as JSON for scripts."""

from collections.abc import Iterator
from typing import Any

from license.encoding.strict import format_time
from license.evidence.verify.result import Coverage, Finding, ReplicaReport, Report, Severity

VERDICTS = {0: "clean", 1: "findings", 2: "broken"}
_MARKS = {Severity.CLEAN: "note", Severity.FINDING: "finding", Severity.BROKEN: "broken"}


def audit_lines(report: Report) -> Iterator[str]:
    """Return the report line by line: verdict, logs with licences and coverage, totals, findings."""
    yield f"{VERDICTS[report.exit_code]}: {len(report.logs)} log(s), {len(report.findings)} remark(s)"
    for log in report.logs:
        yield ""
        yield f"log       {log.log}"
        yield f"entries   {log.size:,} from {format_time(log.first)} to {format_time(log.last)}"
        yield f"signed    {log.signed:,}"
        yield f"root      {log.root}"
        yield f"coverage  {_coverage(log.coverage)}"
        for period in log.licenses:
            until = "not verified" if period.expires is None else f"expires {format_time(period.expires)}"
            yield (
                f"licence   {period.id}, serial {period.serial}, since {format_time(period.since)} "
                f"(entry {period.index}), {until}"
            )
        for (month, meter), tally in log.totals.items():
            yield f"usage     {month}  {meter}  {tally.quantity:,} used, {tally.billed:,} billed"
        for replica in log.replicas:
            yield f"replica   {_replica(replica)}"
    if report.findings:
        yield ""
    for finding in report.findings:
        yield _finding(finding)


def audit_json(report: Report) -> dict[str, Any]:
    """Return the report as one JSON object; times in text form, coverage in seconds."""
    return {
        "verdict": VERDICTS[report.exit_code],
        "logs": [
            {
                "log": log.log,
                "entries": log.size,
                "signed": log.signed,
                "root": log.root,
                "first": format_time(log.first),
                "last": format_time(log.last),
                "coverage": _coverage_json(log.coverage),
                "licenses": [
                    {
                        "id": period.id,
                        "serial": period.serial,
                        "since": format_time(period.since),
                        "entry": period.index,
                        "expires": None if period.expires is None else format_time(period.expires),
                        "customer": period.customer,
                    }
                    for period in log.licenses
                ],
                "replicas": [
                    {
                        "instance": replica.instance,
                        "state": replica.state,
                        "software": replica.software,
                        "since": format_time(replica.since),
                        "leaseUntil": format_time(replica.until),
                        "leases": replica.leases,
                        "quantity": replica.quantity,
                        "allowed": dict(replica.allowed),
                        "billed": dict(replica.billed),
                        "lost": dict(replica.lost),
                    }
                    for replica in log.replicas
                ],
            }
            for log in report.logs
        ],
        "totals": [
            {
                "month": month,
                "meter": meter,
                "requests": tally.entries,
                "quantity": tally.quantity,
                "billed": tally.billed,
            }
            for (month, meter), tally in report.totals.items()
        ],
        "coverage": _coverage_json(report.coverage),
        "findings": [
            {
                "severity": _MARKS[finding.severity],
                "code": finding.code,
                "message": finding.message,
                "log": finding.log,
                "entry": finding.index,
                "time": None if finding.at is None else format_time(finding.at),
            }
            for finding in report.findings
        ],
    }


def _replica(replica: ReplicaReport) -> str:
    lost = sum(replica.lost.values())
    return (
        f"{replica.instance}  {replica.software}, {replica.state}, since {format_time(replica.since)}; "
        f"slices {sum(replica.allowed.values()):,}, reported {replica.quantity:,}"
        + (f", lost {lost:,}" if lost else "")
    )


def _finding(finding: Finding) -> str:
    index = "" if finding.index is None else f" entry {finding.index}"
    time = "" if finding.at is None else f" at {format_time(finding.at)}"
    return f"{_MARKS[finding.severity]}  {finding.code}: {finding.message} [{finding.log}{index}{time}]"


def _coverage(coverage: Coverage) -> str:
    hours = (coverage.up / 3600, coverage.down / 3600, coverage.unexplained / 3600)
    return "{:,.1f} h up, {:,.1f} h down, {:,.1f} h unexplained".format(*hours)


def _coverage_json(coverage: Coverage) -> dict[str, int]:
    return {"up": coverage.up, "down": coverage.down, "unexplained": coverage.unexplained}
