"""What the log of a site's desk tells of its replicas, and whether the desk kept to its rules.

    charged + sum(open slices) <= units      at every grant of a plan that blocks
    a report begins where the count of its log ended
    no more replicas hold a lease at once than the site licence allows

In a summary the reports are hidden: then only leases, slices and losses are told.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import format_date, parse_time
from license.errors import LicenseError
from license.evidence.log.counted_run import LOST, parse_run
from license.evidence.log.entry import Entry, UsedFields
from license.evidence.verify.result import ReplicaReport, Severity
from license.licenses.license import License

SITE_KINDS: Final = ("lease", "slice", "left", "lost", "found", "seen", "fork", "again")
"""Kinds of entries that only a desk writes."""

Find = Callable[[Severity, str, str, int], None]
Key = tuple[str, str]
"""Meter, and first day of the term."""


@dataclass(slots=True)
class _Replica:
    software: str = ""
    since: int = 0
    leases: int = 0
    until: int = 0
    state: str = "leased"
    entries: int = 0
    quantity: int = 0
    allowed: dict[Key, int] = field(default_factory=dict)
    billed: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    lost: dict[Key, int] = field(default_factory=lambda: defaultdict(int))

    def open(self, key: Key) -> int:
        """Units granted and neither reported nor written off."""
        return max(0, self.allowed.get(key, 0) - self.billed[key] - self.lost[key])


class SiteAudit:
    """One reading of a desk's log.

    Args:
        find: Takes a finding: weight, code, sentence, index.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._replicas: dict[str, _Replica] = {}
        self._positions: dict[str, tuple[int, int]] = {}
        self._charged: dict[Key, int] = defaultdict(int)
        self._hidden = self._restored = False
        self._told: set[str] = set()
        self.license: License | None = None

    @property
    def applies(self) -> bool:
        """Whether the licence in force is that of a site, or a replica was told of."""
        return bool(self._replicas) or (self.license is not None and self.license.site is not None)

    def hide(self) -> None:
        """Learn that entries are not shown: what was reported in them is not known."""
        self._hidden = True

    def count(self, n: int, used: UsedFields, at: int) -> None:
        """Take a `use` entry."""
        key = (used.meter, self._term(at))
        self._charged[key] += used.billed
        if used.request_id.startswith(LOST):
            return  # the `lost` entry before it has told
        try:
            run = parse_run(used.request_id)
        except LicenseError as error:
            self._find(Severity.BROKEN, "not-counted", error.message, n)
            return
        expected = self._positions.get(run.log, (0, 0))
        if (run.first, run.next) != expected and run.first != expected[1] and not self._hidden:
            sentence = f"a report on {run.log} begins at {run.first}, and {expected[1]} entries were counted"
            self._find(Severity.BROKEN, "not-counted", sentence, n)
        self._positions[run.log] = (run.first, run.next)
        replica = self._replicas.setdefault(run.instance, _Replica())
        replica.entries, replica.quantity = replica.entries + 1, replica.quantity + used.quantity
        if not run.late:
            replica.billed[key] += used.billed

    def take(self, entry: Entry) -> None:
        """Take an entry of a kind that only a desk writes."""
        if entry.kind == "lease":
            self._lease(entry)
            return
        replica = self._replicas.setdefault(entry.text("of"), _Replica())
        match entry.kind:
            case "slice":
                replica.allowed[entry.text("m"), entry.text("d")] = entry.number("a")
                self._check_units(entry)
            case "left":
                replica.state = "left"
            case "lost":
                self._lost(entry, replica)
            case "found":
                for meter, tally in entry.sums().items():
                    key = (meter, entry.text("d"))
                    replica.lost[key] -= tally.billed
                    replica.billed[key] += tally.billed
            case "fork":
                replica.state = "cloned"
                sentence = (
                    f"two histories of {entry.text('o')} were shown: the replica was copied, or put back"
                )
                self._find(Severity.FINDING, "cloned", sentence, entry.n)
            case "again":
                self._again(entry)

    def report(self) -> tuple[ReplicaReport, ...]:
        """Return what was told of each replica, in the order of their first leases."""
        return tuple(
            ReplicaReport(
                instance=of,
                software=replica.software,
                since=replica.since,
                leases=replica.leases,
                until=replica.until,
                state=replica.state,
                allowed=_by_meter(replica.allowed),
                quantity=replica.quantity,
                billed=_by_meter(replica.billed),
                lost=_by_meter(replica.lost),
            )
            for of, replica in self._replicas.items()
        )

    def _lease(self, entry: Entry) -> None:
        of = VerifyingKey.from_vkey(entry.text("i")).fingerprint
        replica = self._replicas.setdefault(of, _Replica())
        replica.software, replica.since = entry.text("v"), replica.since or entry.at
        replica.leases, replica.until, replica.state = (
            replica.leases + 1,
            parse_time(entry.text("x")),
            "leased",
        )
        site = None if self.license is None else self.license.site
        live = sum(one.state == "leased" and entry.at < one.until for one in self._replicas.values())
        if site is not None and live > site.max_instances and "many" not in self._told:
            self._told.add("many")
            sentence = (
                f"{live} replicas hold a lease, and the site licence is for {site.max_instances} at once"
            )
            self._find(Severity.FINDING, "too-many-replicas", sentence, entry.n)

    def _lost(self, entry: Entry, replica: _Replica) -> None:
        copied = replica.state == "cloned"
        replica.state = "cloned" if copied else "lost"
        units = {meter: tally.billed for meter, tally in entry.sums().items()}
        for meter, count in units.items():
            replica.lost[meter, entry.text("d")] += count
        told = ", ".join(f"{count:,} units of {meter}" for meter, count in units.items())
        why = "is refused" if copied else "did not come back"
        sentence = f"the replica {entry.text('of')} {why} ({entry.text('w')}): " + (
            f"{told} of its slice count as used"
            if told
            else "what it used after its last report is not known"
        )
        self._find(Severity.CLEAN, "lost", sentence, entry.n)

    def _again(self, entry: Entry) -> None:
        self._restored = True
        sentence = (
            f"the desk was put back to an older state, as {entry.text('of')} says; it granted no units of a "
            f"plan that blocks until {entry.text('till')}"
        )
        self._find(Severity.FINDING, "desk-restored", sentence, entry.n)

    def _check_units(self, entry: Entry) -> None:
        """Add up what is granted and charged; a desk that was put back may have granted it twice."""
        if self.license is None or self._hidden or self._restored or "units" in self._told:
            return
        meter, key = entry.text("m"), (entry.text("m"), entry.text("d"))
        units = self.license.plan.units(meter)
        granted = self._charged[key] + sum(replica.open(key) for replica in self._replicas.values())
        if units is not None and self.license.plan.overage == "block" and granted > units:
            self._told.add("units")
            sentence = f"the desk has granted {granted:,} units of {meter}, and the plan includes {units:,}"
            self._find(Severity.FINDING, "slices-exceed", sentence, entry.n)

    def _term(self, at: int) -> str:
        if self.license is None:
            return ""
        plan = self.license.plan
        return f"{format_date(at)[:7]}-01" if plan.monthly else format_date(plan.period[0])


def _by_meter(units: dict[Key, int]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (meter, _), count in units.items():
        sums[meter] = sums.get(meter, 0) + count
    return {meter: count for meter, count in sums.items() if count}
