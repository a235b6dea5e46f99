"""Which entries of a summary the vendor wants to see before it gives a receipt.

A summary hides usage behind signed sums. Stretches between two sums are drawn after the summary was signed,
each with a chance in proportion to its entries; the customer shows them, and every entry in them is hashed
into the signed tree and added up like those of a full export. If a share p of the entries lies in stretches
whose sums are false, k stretches find one with a probability of at least 1 - (1 - p) ** k.
"""

import heapq
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from license.authority.book.asked import AskedLog, Summary
from license.authority.book.heads import SeenLog
from license.encoding.strict import format_time
from license.errors import AuthorityError
from license.evidence.bundle.archive import Bundle
from license.evidence.bundle.openings import (
    MAX_STRETCHES,
    LogOpenings,
    Openings,
    Stretch,
    hidden_stretches,
)
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.verify.result import Finding, Report, Severity

DEFAULT_STRETCHES: Final = 60
"""Find false sums over 5 % of the entries with a probability of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What is not shown of a log that could be accepted otherwise, beyond what was accepted before.

    Attributes:
        owed: Stretches asked for before and still not shown.
        fresh: Stretches from which nothing was drawn yet.
        rest: The others, which had their draw.
        before: What was asked before; None if nothing was.
    """

    owed: tuple[Stretch, ...]
    fresh: tuple[Stretch, ...]
    rest: tuple[Stretch, ...]
    before: AskedLog | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked for.

    Attributes:
        openings: What the note says.
        logs: What the book has to remember, by log.
        entries: Number of hidden entries to be shown.
        hidden: Number of all hidden entries beyond what was accepted.
        stretches: Number of stretches that these lie in.
    """

    openings: Openings
    logs: Mapping[str, AskedLog]
    entries: int
    hidden: int
    stretches: int


def find_hidden(
    bundle: Bundle, report: Report, covered: Mapping[str, int], before: Mapping[str, AskedLog]
) -> dict[str, Hidden]:
    """Return what a summary hides of each log, beyond what was accepted; logs of which nothing is left out.

    Args:
        bundle: The export, verified.
        report: Of the verification, which compared the heads in `before`.
        covered: Size up to which each log is accepted.
        before: What was asked before.
    """
    if bundle.manifest.form == "full":  # a gap in it is a finding unless a receipt covers it
        return {}
    found = {}
    read = {log.log for log in report.logs}
    for source in bundle.logs():
        origin = source.claim.origin
        if origin not in read:
            continue
        hidden = [s for s in hidden_stretches(source) if s.stop > covered.get(origin, 0)]
        asked = before.get(origin)
        drawn = 0 if asked is None or not _is_met(report, origin, asked) else asked.head.size
        owed = [s for s in hidden if asked is not None and any(s.overlaps(a) for a in asked.asked)]
        others = [s for s in hidden if s not in owed]
        if hidden:
            found[origin] = Hidden(
                owed=tuple(owed),
                fresh=tuple(s for s in others if s.stop > drawn),
                rest=tuple(s for s in others if s.stop <= drawn),
                before=asked,
            )
    return found


def unopened(hidden: Mapping[str, Hidden]) -> Iterator[Finding]:
    """Tell what was asked for before and is not shown."""
    for origin, log in hidden.items():
        if log.owed and log.before is not None:
            sentence = (
                f"{len(log.owed)} stretches asked for at {format_time(log.before.at)} are not shown "
                f"(the first: entries {log.owed[0].first:,} to {log.owed[0].stop - 1:,})"
            )
            yield Finding(severity=Severity.FINDING, code="unopened", message=sentence, log=origin)


def not_reached(bundle: Bundle, shown: Sequence[Summary], *, now: int, silent: int) -> Iterator[Finding]:
    """Tell of summaries that were asked about, and that neither this export nor an accepted one goes on from.

    Args:
        bundle: The export.
        shown: The heads of those summaries.
        now: Unix second.
        silent: Seconds after which a summary of another installation wants an explanation.
    """
    sizes = {claim.origin: claim.size for claim in bundle.manifest.logs}
    machines = {origin.rpartition("/")[0] for origin in sizes}
    for summary in shown:
        origin, size = summary.head.origin, summary.head.size
        at = f"the summary of {format_time(summary.at)}, with {size:,} entries of this log,"
        if size <= sizes.get(origin, 0):
            continue
        if origin.rpartition("/")[0] in machines:
            ends = (
                f"this export ends at {sizes[origin]:,}" if origin in sizes else "this export lacks the log"
            )
            sentence = f"{at} is not opened, and {ends}: an older export, or the log was put back"
            yield Finding(severity=Severity.FINDING, code="unopened", message=sentence, log=origin)
        elif now - summary.at > silent:
            sentence = f"{at} was never opened, and nothing came since"
            yield Finding(severity=Severity.FINDING, code="not-reported", message=sentence, log=origin)


def other_sums(report: Report, before: Mapping[str, AskedLog]) -> Iterator[Finding]:
    """Tell where the same entries had other sums in the summary that was asked about."""
    for log in report.logs:
        asked = before.get(log.log)
        if asked is None or asked.head.size != log.size:
            continue
        for key in sorted(log.days.keys() | asked.days.keys()):
            if log.days.get(key) != asked.days.get(key):
                sentence = f"the sums of {key[0]} were others in the summary that was asked about"
                yield Finding(severity=Severity.BROKEN, code="day-sums", message=sentence, log=log.log)


def demand(
    accepted: Sequence[SeenLog],
    hidden: Mapping[str, Hidden],
    *,
    subscription: str,
    now: int,
    count: int = DEFAULT_STRETCHES,
) -> Demand | None:
    """Choose what has to be shown before these logs are cosigned; None if nothing has to.

    Args:
        accepted: The logs that hold otherwise; the answer goes as far as they do now.
        hidden: What is hidden of them.
        subscription: Of the resource that pays.
        now: Unix second.
        count: How many stretches to draw.

    Raises:
        AuthorityError: `OpeningsOwed`: too much was asked for before and is not shown.
    """
    logs = {log.head.origin: log for log in accepted}
    of = {origin: log for origin, log in hidden.items() if origin in logs}
    chosen = [(origin, stretch) for origin, log in of.items() for stretch in log.owed]
    drawn = _draw([(origin, stretch) for origin, log in of.items() for stretch in log.fresh], count)
    if not chosen and not drawn:
        return None
    if len(chosen) + len(drawn) > MAX_STRETCHES:
        raise AuthorityError(
            f"{len(chosen)} stretches that were asked for before are not shown yet",
            code="OpeningsOwed",
            hint="have the last openings.note answered, or ask for a full export",
        )
    chosen += drawn
    shown = {origin: tuple(sorted(s for name, s in chosen if name == origin)) for origin in logs}
    everything = [stretch for log in of.values() for stretch in (*log.owed, *log.fresh, *log.rest)]
    openings = Openings(
        bundle=accepted[0].bundle,
        subscription=subscription,
        issued=now,
        logs=tuple(
            LogOpenings(checkpoint=log.note, head=read_checkpoint(log.note), stretches=shown[origin])
            for origin, log in logs.items()
        ),
    )
    return Demand(
        openings=openings,
        logs={origin: _asked(logs[origin], shown[origin], log.before, now) for origin, log in of.items()},
        entries=sum(stretch.hidden for _, stretch in chosen),
        hidden=sum(stretch.hidden for stretch in everything),
        stretches=len(everything),
    )


def _draw(pool: Sequence[tuple[str, Stretch]], count: int) -> list[tuple[str, Stretch]]:
    """Draw stretches without putting them back, each with a chance in proportion to its hidden entries."""
    # The first arrivals of processes with these rates: one pass, however many stretches there are.
    chance = secrets.SystemRandom()
    return heapq.nsmallest(count, pool, key=lambda item: chance.expovariate(item[1].hidden))


def _asked(log: SeenLog, stretches: tuple[Stretch, ...], before: AskedLog | None, now: int) -> AskedLog:
    if before is None:
        return AskedLog(checkpoint=log.note, at=now, asked=stretches, days=log.days)
    # What lies behind this export was not shown by it, whatever came meanwhile.
    left = tuple(stretch for stretch in before.asked if stretch.stop > log.head.size)
    asked = (*stretches, *(stretch for stretch in left if stretch not in stretches))
    same = (before.head.size, before.head.root) == (log.head.size, log.head.root)
    if same:
        return replace(before, asked=asked)
    return AskedLog(checkpoint=log.note, at=now, asked=asked, days=log.days)


def _is_met(report: Report, origin: str, asked: AskedLog) -> bool:
    """Whether the export has shown that it goes on from the summary that was asked about."""
    unchecked = any(finding.code == "unchecked" and finding.log == origin for finding in report.findings)
    return not unchecked and any(log.log == origin and log.size >= asked.head.size for log in report.logs)
