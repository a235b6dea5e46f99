"""The rules of a usage log, applied entry by entry while it is read once. See `license.evidence.verify`.

Every rule stands in `docs/formats.md`, part Evidence; the code of a finding is the name of its rule there.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from license.errors import LicenseError
from license.evidence.entry import Entry, UsedFields, parse, parse_second, parse_use
from license.evidence.heads import Head, Heads
from license.evidence.merkle import Frontier, cut, leaf_hash
from license.evidence.report import Finding, LogReport, Severity
from license.evidence.source import Gap, LogSource
from license.evidence.tallies import Tallies
from license.evidence.terms import Terms
from license.evidence.timeline import Remark, Timeline
from license.evidence.witness import witnessed_heads
from license.keys import VerifyingKey
from license.roots import TrustRoots
from license.wire import format_date, format_time, parse_date

DAY = 86_400
OPEN_MINUTE_SECONDS = 120
MAX_FINDINGS_PER_CODE = 100


class Audit:
    """One reading of one log: `take` every entry in order, then `finish`.

    Args:
        source: The log.
        roots: Keys that may vouch for its licences.
    """

    def __init__(self, source: LogSource, roots: TrustRoots) -> None:
        self._source = source
        self._roots = roots
        self._terms = Terms(source, roots)
        self._heads = Heads.collect(source)
        self._witnessed = witnessed_heads(source.notes(), roots)
        self._compared = frozenset(self.sizes())
        self._agreed = self._good_heads = self._hidden = 0
        self._findings: list[Finding] = []
        self._counts: dict[str, int] = {}
        self._frontier = Frontier()
        self._tree_holds = True
        self._origin = source.name
        self._instance: VerifyingKey | None = None
        self._keys: list[VerifyingKey] = []
        self._tallies = Tallies()
        self._timeline = Timeline()
        self._next = 0
        self._day = 0
        self._month = ""
        self._month_first = 0
        self._first = self._last = 0
        self._last_text = self._last_license = ""
        self._began = False
        self._turned = False
        self._root = ""
        self._signed = 0
        self._unsigned_since: int | None = None
        self._boot_unsigned: int | None = None
        self._lowered = False
        self._metered: dict[str, int] = {}
        self._sum_told = False
        self._rules: dict[str, Callable[[Entry], None]] = {
            "open": self._on_second,
            "recover": self._on_second,
            "boot": self._on_boot,
            "lic": self._on_license,
            "sum": self._on_sum,
            "key": self._on_key,
            "close": self._on_close,
            "clock": self._on_clock,
            "disk": self._on_disk,
            "ack": self._on_ack,
        }
        for sentence in self._heads.unreadable:
            self._find(Severity.BROKEN, "checkpoint", sentence)

    # -- one entry -------------------------------------------------------------------------------------------

    def take(self, n: int, text: str, stored_leaf: bytes) -> None:
        """Read the next entry.

        Args:
            n: The index it is stored under.
            text: Its text.
            stored_leaf: The leaf hash stored with it; empty if there is none.

        Raises:
            LicenseError: It is the first one and nothing can be made of it.
        """
        if n != self._next:
            self._on_gap(n)
        self._next = n + 1
        leaf = leaf_hash(text.encode("utf-8", "surrogateescape"))
        if stored_leaf and stored_leaf != leaf:
            self._find(Severity.BROKEN, "changed", "the text is not the one that was hashed", n)
            leaf = stored_leaf  # so that the entries after it are still judged by themselves
        self._frontier.append(leaf)
        used = parse_use(text)
        try:
            if used is not None and self._began:
                self._on_use(n, used)
            else:
                self._on_other(n, parse(text))
        except LicenseError as error:
            if not self._began:
                raise
            self._find(Severity.BROKEN, "malformed", f"it cannot be read: {error.message}", n)
        if self._unsigned_since is None:
            self._unsigned_since = self._last
        if self._next in self._compared:
            self._compare(self._next)

    @property
    def size(self) -> int:
        """Number of entries that were read or passed over."""
        return self._next

    def sizes(self) -> list[int]:
        """Sizes at which a head is to be compared."""
        return sorted({*self._heads.sizes(), *(one.head.size for one in self._witnessed)})

    def take_gap(self, gap: Gap) -> None:
        """Pass over entries that are not shown, by the hashes over them.

        Raises:
            LicenseError: The first entry is among them: nothing can be made of the log.
        """
        if not self._began:
            raise LicenseError("the first entry is not shown")
        cuts = cut(gap.first, gap.stop)
        if gap.first != self._next or len(cuts) != len(gap.hashes):
            self._find(Severity.BROKEN, "missing", "the hashes over hidden entries do not fit", gap.first)
            self._tree_holds = False
            return
        if self._frontier.size == gap.first:  # otherwise entries before are lost, and the tree with them
            for (height, _), root in zip(cuts, gap.hashes, strict=True):
                self._frontier.append_subtree(height, root)
        if not self._source.summary and not self._may_be_pruned(gap):
            sentence = f"the entries {gap.first} to {gap.stop - 1} are missing, and no receipt covers them"
            self._find(Severity.BROKEN, "missing", sentence, gap.first)
        if self._turned:
            self._check_after_turn(gap.first)
        remark = self._timeline.pass_hidden()
        if remark is not None:
            self._remark(gap.first, remark)
        self._tallies.hide(gap.count)
        self._hidden += gap.count
        self._tell_unchecked(gap)
        self._next = gap.stop
        if self._unsigned_since is None:
            self._unsigned_since = self._last
        self._compare(self._next)

    def _tell_unchecked(self, gap: Gap) -> None:
        for size in sorted(size for size in self._compared if gap.first < size < gap.stop):
            if self._is_own(size):
                sentence = f"a head over {size} entries cannot be compared: those around it are not shown"
                self._find(Severity.FINDING, "unchecked", sentence, gap.first)

    def _is_own(self, size: int) -> bool:
        """Whether there is a head of this log over so many entries."""
        heads = [head.claim for head in self._heads.by_size.get(size, [])]
        heads += [one.head for one in self._witnessed if one.head.size == size]
        return any(head.origin == self._origin for head in heads)

    def _may_be_pruned(self, gap: Gap) -> bool:
        return any(
            one.receipt and one.head.origin == self._origin and one.head.size >= gap.stop
            for one in self._witnessed
        )

    def finish(self) -> LogReport:
        """Say what the log as a whole shows.

        Raises:
            LicenseError: There was no entry at all.
        """
        if not self._began:
            raise LicenseError("the log has no entries")
        self._check_end()
        self._end_last_day()
        columns = self._source.column_totals()
        if columns is not None and not self._hidden and columns != self._tallies.totals:
            self._find(Severity.BROKEN, "columns", "the database's columns do not say what its entries say")
        for code, count in self._counts.items():
            if count > MAX_FINDINGS_PER_CODE:
                self._add(Severity.CLEAN, code, f"{count - MAX_FINDINGS_PER_CODE} more findings of this kind")
        return LogReport(
            log=self._origin,
            size=self._next,
            signed=self._signed,
            root=self._root,
            first=self._first,
            last=self._last,
            totals=dict(sorted(self._tallies.totals.items())),
            coverage=self._timeline.coverage,
            licenses=tuple(self._terms.periods),
            findings=tuple(self._findings),
            days=dict(sorted(self._tallies.days.items())),
            hidden=self._hidden,
            heads=self._good_heads,
            keys=len(self._keys),
            witnessed=self._agreed,
            instance="" if self._instance is None else self._instance.vkey,
        )

    def _end_last_day(self) -> None:
        """Count the day in progress; where its usage is hidden, as the installation claims it."""
        hidden, claimed = self._tallies.hidden, self._source.claimed_tail()
        sums = self._tallies.end_day(format_date(self._day), claimed)
        if hidden and (claimed is None or sums != claimed):
            sentence = f"the sums of {format_date(self._day)} are not those of {hidden} hidden entries"
            self._find(Severity.BROKEN, "day-sums", sentence, self._next - 1)
        elif hidden:
            sentence = (
                f"the sums of {format_date(self._day)}, a day not yet closed, are the installation's word"
            )
            self._find(Severity.CLEAN, "claimed", sentence, self._next - 1)

    def _on_gap(self, n: int) -> None:
        if n > self._next:
            sentence = f"the entries {self._next} to {n - 1} are missing"
            self._find(Severity.BROKEN, "missing", sentence, self._next)
        else:
            self._find(Severity.BROKEN, "order", "entries are out of order", n)
        self._tree_holds = False

    def _on_use(self, n: int, used: UsedFields) -> None:
        same = used.time == self._last_text and used.license_id == self._last_license
        if same and used.n == n and not used.grace:
            self._tallies.add(used)  # as the entry before it, within the same second: already judged
            return
        at = parse_second(used.time)
        if used.n != n or not self._day <= at < self._day + DAY or at < self._last:
            self._check_place(n, used.n, at)
        remark = self._timeline.pass_use(max(0, at - self._last))
        if remark is not None:
            self._remark(n, remark)
        self._last = at
        if used.grace or not self._terms.plain(used.license_id, at):
            wrong = self._terms.judge(used.license_id, at, grace=used.grace)
            if wrong is not None:
                self._find(Severity.FINDING, wrong[0], wrong[1], n)
        if self._turned:
            self._check_after_turn(n)
        self._tallies.add(used)
        if self._last == at and not used.grace and self._terms.plain(used.license_id, at):
            self._last_text, self._last_license = used.time, used.license_id

    def _on_other(self, n: int, entry: Entry) -> None:
        self._last_text = ""
        if not self._began:
            self._on_first(entry)
            return
        self._check_place(n, entry.n, entry.at, any_day=entry.kind == "key")
        remark = self._timeline.pass_other(max(0, entry.at - self._last), entry)
        if remark is not None:
            self._remark(n, remark)
        self._last = entry.at
        if self._turned and entry.kind not in ("key", "close"):
            self._check_after_turn(n)
        rule = self._rules.get(entry.kind)
        if rule is not None:
            rule(entry)

    def _on_first(self, entry: Entry) -> None:
        if entry.kind not in ("open", "recover") or entry.n != 0:
            raise LicenseError("the log does not begin with an `open` or `recover` entry")
        self._began = True
        self._origin = entry.text("o")
        self._findings = [replace(finding, log=self._origin) for finding in self._findings]
        self._instance = VerifyingKey.from_vkey(entry.text("i"))
        self._keys = [VerifyingKey.from_vkey(entry.text("vk"))]
        self._day = parse_date(entry.text("d"))
        self._month = entry.text("d")[:7]
        self._first = self._last = entry.at
        self._terms.instance_vkey, self._root = entry.text("i"), entry.text("r")
        self._boot_unsigned = 0
        self._check_place(0, 0, entry.at)
        expected = hashlib.sha256(self._instance.public).hexdigest()[:12]
        if self._origin.split("/")[2:3] != [expected]:
            self._find(Severity.BROKEN, "origin", "the log's name is not that of the key that opened it", 0)
        self._check_root(0, entry.text("r"))
        if entry.kind == "recover":
            self._find(
                Severity.FINDING,
                "recovered",
                f"the log took over from {entry.text('po')} at {entry.number('pn')} entries"
                f" ({entry.text('w')})",
                0,
            )

    # -- rules of kinds --------------------------------------------------------------------------------------

    def _on_second(self, entry: Entry) -> None:
        self._find(Severity.BROKEN, "second-open", "a log begins only once", entry.n)

    def _on_boot(self, entry: Entry) -> None:
        self._boot_unsigned = entry.n
        self._check_root(entry.n, entry.text("r"))

    def _on_license(self, entry: Entry) -> None:
        for severity, code, sentence in self._terms.start(entry):
            self._find(severity, code, sentence, entry.n)
        self._lowered = False

    def _on_sum(self, entry: Entry) -> None:
        if not self._tallies.sum_day(entry.sums()) and not self._sum_told:
            sentence = f"the sums of {format_date(self._day)} up to here are not right"
            self._find(Severity.BROKEN, "day-sums", sentence, entry.n)
            self._sum_told = True  # the others of this day are wrong for the same reason

    def _on_key(self, entry: Entry) -> None:
        key, day = VerifyingKey.from_vkey(entry.text("vk")), parse_date(entry.text("d"))
        if entry.text("of") != format_date(self._day) or key.name != self._origin:
            self._find(Severity.BROKEN, "day", "it does not end the day in progress", entry.n)
        hidden, self._sum_told = self._tallies.any_hidden, False
        if self._tallies.end_day(format_date(self._day), entry.sums()) != entry.sums():
            self._find(Severity.BROKEN, "day-sums", f"the sums of {entry.text('of')} are not right", entry.n)
        wrong = self._terms.judge_day(self._day) if hidden else None
        if wrong is not None:
            self._find(Severity.FINDING, wrong[0], wrong[1], entry.n)
        if key in self._keys:
            self._find(Severity.BROKEN, "key-reused", "a day has the key of another day", entry.n)
        if not day <= entry.at < day + DAY or (day <= self._day and not self._lowered):
            self._find(Severity.BROKEN, "day", f"{entry.text('d')} does not follow the day before", entry.n)
        # The day's last checkpoint covers this entry: look now, before the next key is the one in force.
        if not self._check_heads(self._heads.by_size.pop(self._next, [])) and self._tree_holds:
            sentence = f"the end of {entry.text('of')} is not signed by the key of that day"
            self._find(Severity.BROKEN, "day-unsigned", sentence, entry.n)
        self._keys.append(key)
        self._day, self._turned = day, True

    def _on_close(self, entry: Entry) -> None:
        said = (entry.text("mo"), entry.number("lo"), entry.number("hi"))
        sums = self._tallies.end_month()
        if said != (self._month, self._month_first, entry.n - 1) or sums != entry.sums():
            sentence = f"the sums or the range of {entry.text('mo')} are not right"
            self._find(Severity.BROKEN, "month-sums", sentence, entry.n)
        self._month, self._month_first = format_date(self._day)[:7], entry.n

    def _on_clock(self, entry: Entry) -> None:
        word = entry.text("w")
        sentence = f"clock {word}: {entry.text('from')} expected, {entry.text('to')} found"
        severity = Severity.CLEAN if word in ("forward", "lowered") else Severity.FINDING
        self._find(severity, f"clock-{word}", sentence, entry.n)
        if word == "lowered":
            self._lowered, self._last = True, parse_second(entry.text("to"))

    def _on_disk(self, entry: Entry) -> None:
        sentence = (
            f"usage could not be recorded since {entry.text('since')} ({entry.text('w')}); "
            f"{entry.number('lost')} requests were refused"
        )
        self._find(Severity.CLEAN, "disk", sentence, entry.n)

    def _on_ack(self, entry: Entry) -> None:
        log, position = entry.text("o"), entry.number("x")
        if position <= self._metered.get(log, 0) or (log == self._origin and position > entry.n):
            sentence = (
                f"it says that {position} entries of {log} were metered: no more than before, or too many"
            )
            self._find(Severity.BROKEN, "metered", sentence, entry.n)
        self._metered[log] = max(position, self._metered.get(log, 0))

    # -- checks ----------------------------------------------------------------------------------------------

    def _check_root(self, n: int, vkey: str) -> None:
        if all(root.vkey != vkey for root in self._roots):
            self._find(Severity.BROKEN, "root", f"the service trusted another root: {vkey}", n)

    def _check_place(self, n: int, said: int, at: int, *, any_day: bool = False) -> None:
        if said != n:
            self._find(Severity.BROKEN, "index", f"it says that it is entry {said}", n)
        if at < self._last:
            self._find(
                Severity.BROKEN, "time-back", f"time ran back from {format_time(self._last)}", n, at=at
            )
        if not any_day and not self._day <= at < self._day + DAY:
            self._find(Severity.BROKEN, "wrong-day", f"it is not of {format_date(self._day)}", n, at=at)

    def _check_after_turn(self, n: int) -> None:
        self._turned = False
        month = format_date(self._day)[:7]
        if self._month != month:
            self._find(Severity.BROKEN, "month-open", f"the month {self._month} was not closed", n)
            self._tallies.end_month()
            self._month, self._month_first = month, n

    def _check_end(self) -> None:
        """Judge what lies after the last checkpoint, and heads over entries that are not there."""
        for head in self._heads.beyond(self._next, self._origin)[:1]:
            sentence = f"{head.claim.size} entries were signed, but only {self._next} are there"
            self._find(Severity.BROKEN, "rollback", sentence, self._next)
        for one in self._witnessed:
            if one.head.origin == self._origin and one.head.size > self._next:
                sentence = f"{one.where} has a head over {one.head.size} entries; only {self._next} are there"
                self._find(Severity.BROKEN, "rollback", sentence, self._next)
        since = self._unsigned_since
        if not self._signed:
            self._find(Severity.BROKEN, "unsigned", "no checkpoint of the log holds")
        elif since is not None and self._last - since > OPEN_MINUTE_SECONDS:
            sentence = f"the entries from {self._signed} on are not signed"
            self._find(Severity.FINDING, "unsigned-tail", sentence, self._signed, at=since)
        if self._lowered:
            self._find(Severity.BROKEN, "clock-lowered", "time was set back without a new licence")

    def _compare(self, size: int) -> None:
        """Compare the tree so far with every head of this size."""
        self._check_heads(self._heads.by_size.get(size, []))
        for one in self._witnessed:
            if (one.head.origin, one.head.size) != (self._origin, size):
                continue
            if one.fault:
                sentence = f"the cosignature in {one.where} does not hold: {one.fault}"
                self._find(Severity.BROKEN, "cosignature", sentence, size - 1)
            elif one.head.root == self._frontier.root():
                self._agreed += 1
            else:
                sentence = f"{one.where} has another history of the first {size} entries"
                self._find(Severity.BROKEN, "fork", sentence, size - 1)

    def _check_heads(self, heads: list[Head]) -> bool:
        """Check heads over exactly what was read so far; say whether the key of the day signed one."""
        good = False
        for head in heads:
            if head.claim.origin != self._origin:
                if not head.where:
                    self._find(Severity.BROKEN, "checkpoint", f"a checkpoint of {head.claim.origin}")
                continue
            good = self._check_head(head) or good
        return good

    def _check_head(self, head: Head) -> bool:
        size, today = head.claim.size, self._keys[-1]
        instance = [] if self._instance is None else [self._instance]
        try:
            signers = head.open([*self._keys, *instance])
        except LicenseError as error:
            sentence = f"the checkpoint over {size} entries does not hold: {error.message}"
            self._find(Severity.BROKEN, "checkpoint", sentence, size - 1)
            return False
        if today not in signers:
            sentence = (
                f"the checkpoint over {size} entries is not signed by the key of {format_date(self._day)}"
            )
            self._find(Severity.BROKEN, "wrong-key", sentence, size - 1)
            return False
        if head.claim.root != self._frontier.root():
            self._on_other_root(head)
            return False
        if self._boot_unsigned is not None and not head.where:
            if self._instance not in signers:
                sentence = "the checkpoint after a start is not signed by the key of the installation"
                self._find(Severity.BROKEN, "boot-unsigned", sentence, self._boot_unsigned)
            self._boot_unsigned = None
        self._signed, self._unsigned_since = size, None
        self._good_heads += 1
        return True

    def _on_other_root(self, head: Head) -> None:
        size = head.claim.size
        if head.where and self._tree_holds:
            sentence = (
                f"{head.where} has a head over {size} entries, signed by the same key, of another history"
            )
            self._find(Severity.BROKEN, "fork", sentence, size - 1)
            return
        if self._tree_holds:
            sentence = f"the entries {self._signed} to {size - 1} are not those that were signed"
            self._find(Severity.BROKEN, "tree", sentence, self._signed)
        self._tree_holds = False

    # -- findings --------------------------------------------------------------------------------------------

    def _remark(self, n: int, remark: Remark) -> None:
        self._find(*remark, n)

    def _find(
        self, severity: Severity, code: str, message: str, index: int | None = None, *, at: int | None = None
    ) -> None:
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= MAX_FINDINGS_PER_CODE:
            if at is None and index is not None and self._began:
                at = self._last
            self._add(severity, code, message, index, at)

    def _add(
        self, severity: Severity, code: str, message: str, index: int | None = None, at: int | None = None
    ) -> None:
        self._findings.append(
            Finding(severity=severity, code=code, message=message, log=self._origin, index=index, at=at)
        )
