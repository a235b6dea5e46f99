"""The rules of a usage log, applied entry by entry while it is read once. See
`license.evidence.verify.verify.verify`.

Every rule stands in `docs/formats.md`, part Evidence; the code of a finding is the name of its rule there.
"""

from collections.abc import Callable, Sequence

from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import DAY, format_date, format_time, parse_date
from license.errors import LicenseError
from license.evidence.log.entry import Entry, UsedFields, parse, parse_second, parse_use
from license.evidence.log.merkle import cut, leaf_hash
from license.evidence.log.source import Gap, LogSource
from license.evidence.verify.findings import Findings
from license.evidence.verify.license_periods import LicensePeriods
from license.evidence.verify.result import LogReport, Severity
from license.evidence.verify.site import SITE_KINDS, SiteAudit
from license.evidence.verify.tallies import Tallies
from license.evidence.verify.timeline import Timeline
from license.evidence.verify.tree import SignedTree
from license.evidence.verify.witness import Witnessed
from license.trust.roots import TrustRoots


class Audit:
    """One reading of one log: `take` every entry in order, then `finish`.

    Args:
        source: The log.
        roots: Keys that may vouch for its licences.
        named: Heads that the logs after it name.
    """

    def __init__(self, source: LogSource, roots: TrustRoots, named: Sequence[Witnessed] = ()) -> None:
        self._source = source
        self._roots = roots
        self._licenses = LicensePeriods(source, roots)
        self._findings = Findings(source.name, lambda: self._last if self._began else None)
        self._find = self._findings.add
        self._tree = SignedTree(source, roots, self._findings, named)
        self._hidden = 0
        self._origin = source.name
        self._instance: VerifyingKey | None = None
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
        self._lowered = False
        self._metered: dict[str, int] = {}
        self._sum_told = False
        self._site = SiteAudit(self._find)
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
            "carry": self._on_carry,
            **dict.fromkeys(SITE_KINDS, self._site.take),
        }

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
        self._tree.grow(leaf)
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
        self._tree.pass_to(self._next, self._last)

    @property
    def size(self) -> int:
        """Number of entries that were read or passed over."""
        return self._next

    def sizes(self) -> list[int]:
        """Sizes at which a head is to be compared."""
        return self._tree.sizes()

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
            self._tree.lose()
            return
        self._tree.grow_hidden(gap, cuts)
        if not self._source.summary and not self._tree.may_be_pruned(gap):
            sentence = f"the entries {gap.first} to {gap.stop - 1} are missing, and no receipt covers them"
            self._find(Severity.BROKEN, "missing", sentence, gap.first)
        if self._turned:
            self._check_after_turn(gap.first)
        remark = self._timeline.pass_hidden()
        if remark is not None:
            self._find(*remark, gap.first)
        self._tallies.hide(gap.count)
        self._hidden += gap.count
        self._site.hide()
        self._tree.tell_unchecked(gap)
        self._next = gap.stop
        self._tree.pass_to(self._next, self._last, hidden=True)

    def finish(self) -> LogReport:
        """Say what the log as a whole shows.

        Raises:
            LicenseError: There was no entry at all.
        """
        if not self._began:
            raise LicenseError("the log has no entries")
        self._tree.check_end(self._next, self._last)
        if self._lowered:
            self._find(Severity.BROKEN, "clock-lowered", "time was set back without a new licence")
        self._end_last_day()
        columns = self._source.column_totals()
        if columns is not None and not self._hidden and columns != self._tallies.totals:
            self._find(Severity.BROKEN, "columns", "the database's columns do not say what its entries say")
        return LogReport(
            log=self._origin,
            size=self._next,
            signed=self._tree.signed,
            root=self._root,
            first=self._first,
            last=self._last,
            totals=dict(sorted(self._tallies.totals.items())),
            coverage=self._timeline.coverage,
            licenses=tuple(self._licenses.periods),
            findings=self._findings.close(),
            days=dict(sorted(self._tallies.days.items())),
            hidden=self._hidden,
            heads=self._tree.good_heads,
            keys=len(self._tree.keys),
            witnessed=self._tree.agreed,
            instance="" if self._instance is None else self._instance.vkey,
            replicas=self._site.report(),
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
                f"the sums of {format_date(self._day)}, which has not ended, are claimed and not proven"
            )
            self._find(Severity.CLEAN, "claimed", sentence, self._next - 1)

    def _on_gap(self, n: int) -> None:
        if n > self._next:
            sentence = f"the entries {self._next} to {n - 1} are missing"
            self._find(Severity.BROKEN, "missing", sentence, self._next)
        else:
            self._find(Severity.BROKEN, "order", "entries are out of order", n)
        self._tree.lose()

    def _on_use(self, n: int, used: UsedFields) -> None:
        if self._site.applies:
            self._site.count(n, used, parse_second(used.time))
        same = used.time == self._last_text and used.license_id == self._last_license
        if same and used.n == n and not used.grace:
            self._tallies.add(used)  # as the entry before it, within the same second: already judged
            return
        at = parse_second(used.time)
        if used.n != n or not self._day <= at < self._day + DAY or at < self._last:
            self._check_place(n, used.n, at)
        remark = self._timeline.pass_use(max(0, at - self._last))
        if remark is not None:
            self._find(*remark, n)
        self._last = at
        if used.grace or not self._licenses.plain(used.license_id, at):
            wrong = self._licenses.judge(used.license_id, at, grace=used.grace)
            if wrong is not None:
                self._find(Severity.FINDING, wrong[0], wrong[1], n)
        if self._turned:
            self._check_after_turn(n)
        self._tallies.add(used)
        if self._last == at and not used.grace and self._licenses.plain(used.license_id, at):
            self._last_text, self._last_license = used.time, used.license_id

    def _on_other(self, n: int, entry: Entry) -> None:
        self._last_text = ""
        if not self._began:
            self._on_first(entry)
            return
        self._check_place(n, entry.n, entry.at, any_day=entry.kind == "key")
        remark = self._timeline.pass_other(max(0, entry.at - self._last), entry)
        if remark is not None:
            self._find(*remark, n)
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
        self._findings.rename(self._origin)
        self._instance = VerifyingKey.from_vkey(entry.text("i"))
        key = VerifyingKey.from_vkey(entry.text("vk"))
        self._day = parse_date(entry.text("d"))
        self._tree.begin(self._origin, instance=self._instance, key=key, day=self._day)
        self._month = entry.text("d")[:7]
        self._first = self._last = entry.at
        self._licenses.instance_vkey, self._root = entry.text("i"), entry.text("r")
        self._check_place(0, 0, entry.at)
        expected = self._instance.fingerprint
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
        self._tree.boot(entry.n)
        self._check_root(entry.n, entry.text("r"))

    def _on_license(self, entry: Entry) -> None:
        for severity, code, sentence in self._licenses.start(entry):
            self._find(severity, code, sentence, entry.n)
        self._lowered = False
        self._site.license = self._licenses.terms

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
        wrong = self._licenses.judge_day(self._day) if hidden else None
        if wrong is not None:
            self._find(Severity.FINDING, wrong[0], wrong[1], entry.n)
        if key in self._tree.keys:
            self._find(Severity.BROKEN, "key-reused", "a day has the key of another day", entry.n)
        if not day <= entry.at < day + DAY or (day <= self._day and not self._lowered):
            self._find(Severity.BROKEN, "day", f"{entry.text('d')} does not follow the day before", entry.n)
        # The day's last checkpoint covers this entry: look now, before the next key is the one in force.
        if not self._tree.end_day(self._next):
            sentence = f"the end of {entry.text('of')} is not signed by the key of that day"
            self._find(Severity.BROKEN, "day-unsigned", sentence, entry.n)
        self._tree.turn(key, day)
        self._day, self._turned = day, True

    def _on_close(self, entry: Entry) -> None:
        declared = (entry.text("mo"), entry.number("lo"), entry.number("hi"))
        sums = self._tallies.end_month()
        if declared != (self._month, self._month_first, entry.n - 1) or sums != entry.sums():
            sentence = f"the sums or the range of {entry.text('mo')} are not right"
            self._find(Severity.BROKEN, "month-sums", sentence, entry.n)
        self._month, self._month_first = format_date(self._day)[:7], entry.n

    def _on_clock(self, entry: Entry) -> None:
        change = entry.text("w")
        sentence = f"clock {change}: {entry.text('from')} expected, {entry.text('to')} found"
        severity = Severity.CLEAN if change in ("forward", "lowered") else Severity.FINDING
        self._find(severity, f"clock-{change}", sentence, entry.n)
        if change == "lowered":
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

    def _on_carry(self, entry: Entry) -> None:
        for meter, tally in sorted(entry.sums().items()):
            sentence = (
                f"{tally.billed:,} units of {meter}, used on {entry.text('of')}, count against the plan and "
                "are not in the sums of this log: another log has recorded them, or one that was lost"
            )
            self._find(Severity.CLEAN, "carried", sentence, entry.n)

    # -- checks ----------------------------------------------------------------------------------------------

    def _check_root(self, n: int, vkey: str) -> None:
        if all(root.vkey != vkey for root in self._roots):
            self._find(Severity.BROKEN, "root", f"the service trusted another root: {vkey}", n)

    def _check_place(self, n: int, declared: int, at: int, *, any_day: bool = False) -> None:
        if declared != n:
            self._find(Severity.BROKEN, "index", f"it says that it is entry {declared}", n)
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
