"""What is found while a log is read, in order; of many of one kind, the first ones and their number."""

from collections.abc import Callable
from dataclasses import replace

from license.evidence.verify.result import Finding, Severity

MAX_FINDINGS_PER_CODE = 100


class Findings:
    """The findings about one log.

    Args:
        log: Name of the log.
        when: Tells the time of the entry that is being read; None before the first.
    """

    def __init__(self, log: str, when: Callable[[], int | None]) -> None:
        self._log = log
        self._when = when
        self._found: list[Finding] = []
        self._counts: dict[str, int] = {}

    def rename(self, log: str) -> None:
        """Put every finding, those so far too, under the name that the log gives itself."""
        self._log = log
        self._found = [replace(finding, log=log) for finding in self._found]

    def add(
        self, severity: Severity, code: str, message: str, index: int | None = None, *, at: int | None = None
    ) -> None:
        """Add a finding; one about an entry has the time of the entry that is being read unless told."""
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= MAX_FINDINGS_PER_CODE:
            if at is None and index is not None:
                at = self._when()
            self._keep(severity, code, message, index, at)

    def close(self) -> tuple[Finding, ...]:
        """Say how many of each kind were left out, and return all."""
        for code, count in self._counts.items():
            if count > MAX_FINDINGS_PER_CODE:
                self._keep(
                    Severity.CLEAN, code, f"{count - MAX_FINDINGS_PER_CODE} more findings of this kind"
                )
        return tuple(self._found)

    def _keep(
        self, severity: Severity, code: str, message: str, index: int | None = None, at: int | None = None
    ) -> None:
        self._found.append(
            Finding(severity=severity, code=code, message=message, log=self._log, index=index, at=at)
        )
