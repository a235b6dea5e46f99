"""The time between the entries of one log: up, down or unknown."""

from license.evidence.log.entry import Entry, parse_second
from license.evidence.verify.result import Coverage, Severity

# An idle service gives a sign of life each hour; a little more is forgiven.
SILENCE_SECONDS = 3600 + 600

# Severity, code and sentence of a finding.
Remark = tuple[Severity, str, str]


class Timeline:
    """Attributes the time before each entry, in the order of the log."""

    def __init__(self) -> None:
        self._up = self._down = self._unexplained = 0
        self._pending = 0
        self._stopped = False
        self._running = False
        self._hidden = False

    @property
    def coverage(self) -> Coverage:
        """What was found so far."""
        return Coverage(up=self._up, down=self._down, unexplained=self._unexplained)

    def pass_use(self, seconds: int) -> Remark | None:
        """Attribute the time before a `use` entry."""
        if seconds <= SILENCE_SECONDS and not self._pending and not self._stopped:
            self._up += seconds
            return None
        return self._settle(seconds)

    def pass_hidden(self) -> Remark | None:
        """Pass over usage that is not shown: signs of life at times that are not known."""
        remark = self._settle(0)
        self._hidden = True
        return remark

    def pass_other(self, seconds: int, entry: Entry) -> Remark | None:
        """Attribute the time before any other entry."""
        if entry.kind in ("key", "close"):
            self._pending += seconds  # a start writes these too: what comes next tells
            return None
        if entry.kind == "boot":
            return self._boot(seconds)
        if entry.kind == "clock" and entry.text("w") in ("forward", "adopted"):
            # Time that never passed: the clock was behind, or is ahead now.
            jump = parse_second(entry.text("to")) - parse_second(entry.text("from"))
            self._unexplained += min(self._pending + seconds, jump)
            self._pending = max(0, self._pending + seconds - jump)
            seconds = 0
        if entry.kind == "disk":
            self._down += self._pending + seconds
            self._pending = seconds = 0
        remark = self._settle(seconds)
        self._stopped = entry.kind == "tick" and entry.text("w") == "stop"
        return remark

    def _boot(self, seconds: int) -> Remark | None:
        passed, self._pending = self._pending + seconds, 0
        orderly, self._stopped = self._stopped or not self._running, False
        self._hidden = False
        self._running = True
        if orderly:
            self._down += passed
            return None
        self._unexplained += passed
        return Severity.CLEAN, "cut-off", "the previous run ended without a stop entry"

    def _settle(self, seconds: int) -> Remark | None:
        passed, self._pending = self._pending + seconds, 0
        hidden, self._hidden = self._hidden, False
        if self._stopped:
            self._stopped = False
            self._unexplained += passed
            return Severity.BROKEN, "no-boot", "the service had stopped and did not start again"
        if passed > SILENCE_SECONDS and not hidden:
            self._unexplained += passed
            return Severity.FINDING, "silent", f"nothing was recorded for {passed} seconds before"
        self._up += passed
        return None
