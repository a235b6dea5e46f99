"""The findings for people and for scripts."""

from collections.abc import Sequence
from typing import Any, Final

import click

from appliance.doctor.finding import Finding, Level

_COLOURS: Final = {Level.PASS: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if anything failed, 0 otherwise: a warning does not stop the service."""
    return int(any(finding.level is Level.FAIL for finding in findings))


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the report as one JSON object."""
    return {
        "failed": _count(findings, Level.FAIL),
        "warned": _count(findings, Level.WARN),
        "findings": [
            {
                "check": finding.check,
                "level": str(finding.level),
                "message": finding.message,
                "command": finding.command,
            }
            for finding in findings
        ],
    }


def to_text(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, with the command that fixes it below, and a summary."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        level = click.style(f"{finding.level:4}", fg=_COLOURS[finding.level], bold=True)
        lines.append(f"{level}  {finding.check:{width}}  {finding.message}")
        if finding.command:
            lines.append(f"      {'':{width}}  → {finding.command}")
    failures, warnings = _count(findings, Level.FAIL), _count(findings, Level.WARN)
    lines.append(f"\n{len(findings)} checks: {failures} failed, {warnings} with a warning")
    return "\n".join(lines)


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in findings)
