"""The vendor takes in a usage export: verifies it, compares it with what was seen before, and cosigns.

 1. The export's note is signed by the installation it names.
 2. A licence in it is by this authority: that names the resource.
 3. Everything `license.evidence.verify.verify.verify` checks, with the heads cosigned before as heads that
    others kept.
 4. No log is shorter than it was: an older export is refused, and changes nothing.
 5. Every log of the installation that was ever accepted is there.
 6. A summary is believed once stretches of it were opened that were drawn after it was signed
    (`license.authority.openings`): until then nothing is accepted, and a note asks for them.
 7. Each log without a broken finding is cosigned, its row moves forward, and a receipt says so.

What is only a finding is cosigned too: the figures stand, and the operator owes an explanation.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from license.authority.authority import Authority
from license.authority.billing.reconcile import Account, reconcile
from license.authority.book.asked import AskedLog, OpeningRepository, Summary
from license.authority.book.heads import Days, HeadRepository, SeenLog
from license.authority.book.metering import LogUsage, MeterRepository, disagreement
from license.authority.book.resource import Resource
from license.authority.openings import (
    DEFAULT_STRETCHES,
    Demand,
    demand,
    find_hidden,
    not_reached,
    other_sums,
    unopened,
)
from license.encoding.strict import DAY, format_time
from license.errors import AuthorityError, LicenseError
from license.evidence.bundle.archive import Bundle, open_bundle
from license.evidence.bundle.openings import sign_openings
from license.evidence.bundle.receipt import Receipt, sign_receipt
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.cosignature import add_line, cosign
from license.evidence.log.entry import NOTHING, Tally, parse
from license.evidence.log.source import KeptHead
from license.evidence.verify.result import Finding, LogReport, Report, Severity
from license.evidence.verify.verify import verify_bundle
from license.evidence.verify.witness import Witnessed, witnessed_heads
from license.licenses.terms import LogHead
from license.licenses.verify import is_lease_of_desk, open_license
from license.trust.delegations import DelegationSet

SILENT_DAYS: Final = 100  # a report is due each quarter
BEGINS_LATE_SECONDS: Final = DAY
LAGS_SECONDS: Final = 7 * DAY  # an export may be carried by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What came of an export.

    Attributes:
        resource: What pays.
        report: The verification, with the vendor's own findings.
        accepted: The logs that were cosigned.
        receipt: Note of the receipt; empty if no log was accepted.
        demand: What has to be shown before any log is; None if nothing has to.
        openings: The note that asks for it; empty without.
        checkpoints: Cosigned checkpoint of each accepted log, by origin.
        accounts: Usage against the plan, all logs of the resource together, as this export has it.
    """

    resource: Resource
    report: Report
    accepted: tuple[LogHead, ...]
    receipt: bytes
    demand: Demand | None
    openings: bytes
    checkpoints: dict[str, bytes]
    accounts: list[Account]


def ingest_bundle(
    authority: Authority, path: Path, *, keep: bool = True, stretches: int = DEFAULT_STRETCHES
) -> Ingested:
    """Take in an export.

    Args:
        authority: The vendor's keys and book.
        path: The export.
        keep: False to look only: nothing is cosigned and no row moves.
        stretches: How many stretches of a summary to ask for.

    Raises:
        AuthorityError: `UnknownCustomer`: no licence in it is by this authority; `OldExport`: a newer one of
            the same log was accepted before; `OpeningsOwed`: see `license.authority.openings.demand`;
            `Moved`: another process was faster.
        LicenseError: It is not an export, or was changed.
        OSError: It cannot be read.
    """
    repository, openings = HeadRepository(authority.store.engine), OpeningRepository(authority.store.engine)
    with open_bundle(path) as bundle:
        known = {hashlib.sha256(note).hexdigest(): note for note in _book_notes(authority)}
        resource = _resource(authority, bundle, known)
        seen = {log.head.origin: log for log in repository.logs(resource.name)}
        asked = openings.logs(resource.name)
        shown = openings.summaries(resource.name)
        _check_owner(repository, openings, bundle, resource)
        _check_age(bundle, seen)
        withheld = [known[sha256] for sha256 in bundle.manifest.withheld if sha256 in known]
        notes = [*withheld, authority.keyring.witness_note, authority.keyring.issuer_note]
        meters = MeterRepository(authority.store.engine)
        named = list(_reported_heads(bundle, meters.heads(resource.name)))
        heads = list(_kept_heads(bundle, seen, asked, shown))
        report = verify_bundle(bundle, authority.keyring.roots, heads=heads, notes=notes, named=named)
        reported = meters.logs(resource.name)
        hidden = find_hidden(bundle, report, _covered(authority, bundle, seen), asked)
        findings = list(_vendor_findings(bundle, report, seen, now=authority.clock()))
        findings += _metering_findings(report, reported)
        findings += _time_findings(authority, report, seen, asked, resource)
        findings += [*unopened(hidden), *other_sums(report, asked)]
        findings += not_reached(bundle, shown, now=authority.clock(), silent=SILENT_DAYS * DAY)
        report = replace(report, findings=(*report.findings, *findings))
        accepted = _accept(authority, bundle, report, resource, _sha256(path))
        wanted = demand(
            accepted,
            hidden,
            subscription=resource.subscription,
            now=authority.clock(),
            count=stretches,
        )
    met = {log.log for log in report.logs if _extends(report, log)}
    current = seen | {log.head.origin: log for log in accepted}
    accounts = reconcile(resource.plans, _furthest(current, reported))
    exceeded = list(_plan_findings(accounts, bundle.manifest.instance))
    report = replace(report, findings=(*report.findings, *exceeded))
    if wanted is not None:
        accepted = []
        if keep:
            openings.ask(resource.name, wanted.logs, met=met)
    if accepted and keep:
        repository.advance(accepted, {origin: log.head.size for origin, log in seen.items()})
        openings.settle(((log.head.origin, log.head.size) for log in accepted), met=met)
    signed = b"" if wanted is None or not keep else sign_openings(wanted.openings, authority.keyring.issuer)
    return Ingested(
        resource=resource,
        report=report,
        accepted=tuple(log.head for log in accepted) if keep else (),
        receipt=_receipt(authority, resource, report, accepted) if accepted and keep else b"",
        demand=wanted,
        openings=signed,
        checkpoints={log.head.origin: add_line(log.note, log.head.cosig) for log in accepted} if keep else {},
        accounts=accounts,
    )


def _kept_heads(
    bundle: Bundle, seen: Mapping[str, SeenLog], asked: Mapping[str, AskedLog], shown: Sequence[Summary]
) -> Iterator[KeptHead]:
    """The heads of these logs that the book holds: those cosigned, and those of summaries asked about."""
    sizes = {claim.origin: claim.size for claim in bundle.manifest.logs}
    for origin, log in seen.items():
        if origin in sizes:
            yield KeptHead(f"the head cosigned {format_time(log.at)}", log.note)
    summaries = {log.checkpoint: log.at for log in asked.values()}
    summaries |= {summary.checkpoint: summary.at for summary in shown}
    for checkpoint, at in summaries.items():
        head = read_checkpoint(checkpoint)
        if head.size <= sizes.get(head.origin, 0):
            yield KeptHead(f"the summary of {format_time(at)}", checkpoint)


def _covered(authority: Authority, bundle: Bundle, seen: Mapping[str, SeenLog]) -> dict[str, int]:
    """The size up to which each log was accepted: by the book, or by a receipt that the export brings."""
    covered = {origin: log.head.size for origin, log in seen.items()}
    for source in bundle.logs()[:1]:
        for head in witnessed_heads(source.notes(), authority.keyring.roots):
            if head.receipt and head.proven and not head.fault:
                covered[head.head.origin] = max(covered.get(head.head.origin, 0), head.head.size)
    return covered


def _book_notes(authority: Authority) -> Iterator[bytes]:
    for resource in authority.store.resources():
        yield from authority.store.notes(resource.name)


def _resource(authority: Authority, bundle: Bundle, known: dict[str, bytes]) -> Resource:
    """The resource of the newest licence in force in the export that this authority issued."""
    by_subscription = {resource.subscription: resource for resource in authority.store.resources()}
    notes = bundle.notes()
    _refuse_replica(notes)
    candidates = notes | {sha: known[sha] for sha in bundle.manifest.withheld if sha in known}
    roots = authority.keyring.roots
    issuers = DelegationSet([*notes.values(), authority.keyring.issuer_note], roots=roots)
    subscriptions = []
    for sha256, note in candidates.items():
        with contextlib.suppress(LicenseError):
            for _, issuer in issuers.of(note, "issuer"):
                licensed = open_license(note, issuer, roots=roots).license
                if licensed.subscription in by_subscription:
                    subscriptions.append((licensed.serial, licensed.subscription, sha256))
    if len({subscription for _, subscription, _ in subscriptions}) > 1:
        # A note may lie in a log without ever having been in force there: only entries say what was.
        in_force = set(_in_force(bundle))
        subscriptions = [found for found in subscriptions if found[2] in in_force] or subscriptions
    if not subscriptions:
        raise AuthorityError(
            "no licence in the export was issued by this authority",
            code="UnknownCustomer",
            hint="check --home, and that the export comes from your customer",
        )
    return by_subscription[max(subscriptions)[1]]


def _refuse_replica(notes: Mapping[str, bytes]) -> None:
    """Refuse the export of a replica: what it used is in the log of its site's desk, and counts once."""
    if any(map(is_lease_of_desk, notes.values())):
        raise AuthorityError(
            "this is the export of a replica: what it used is counted by the desk of its site",
            code="CountedAtDesk",
            hint="take in the desk's export (`appliance site export`); `usage verify` checks this one",
        )


def _in_force(bundle: Bundle) -> Iterator[str]:
    """The hashes of the licences that the logs say were in force."""
    for source in bundle.logs():
        with contextlib.suppress(LicenseError):  # what is damaged is found, and accepted under no name
            for _, text, _ in source.rows():
                if text.startswith('{"k":"lic",'):
                    yield parse(text).text("h")


def _check_owner(
    repository: HeadRepository, openings: OpeningRepository, bundle: Bundle, resource: Resource
) -> None:
    for claim in bundle.manifest.logs:
        owner = repository.owner(claim.origin) or openings.owner(claim.origin)
        if owner not in (None, resource.name):
            raise AuthorityError(
                f"the log {claim.origin} was taken in for the resource {owner} before",
                code="OtherResource",
                hint="an installation reports to the resource it was licensed from first",
            )


def _check_age(bundle: Bundle, seen: dict[str, SeenLog]) -> None:
    for claim in bundle.manifest.logs:
        log = seen.get(claim.origin)
        if log is not None and claim.size < log.head.size:
            raise AuthorityError(
                f"the export has {claim.size:,} entries of {claim.origin}; "
                f"{log.head.size:,} were accepted on {format_time(log.at)}",
                code="OldExport",
                hint="it is an older export, or the log was put back to an older state: ask for a new one",
            )


def _is_in(bundle: Bundle, log: SeenLog) -> bool:
    return any(claim.origin == log.head.origin for claim in bundle.manifest.logs)


def _vendor_findings(
    bundle: Bundle, report: Report, seen: dict[str, SeenLog], *, now: int
) -> Iterator[Finding]:
    """What only the vendor can know: logs that are not there, and machines that are not heard of."""
    for origin, log in seen.items():
        if _is_in(bundle, log):
            continue
        if log.instance == bundle.manifest.instance:
            sentence = f"the log, accepted with {log.head.size:,} entries, is missing from the export"
            yield _finding(Severity.BROKEN, "missing-log", sentence, origin)
        elif now - log.at > SILENT_DAYS * DAY:
            sentence = f"nothing was reported of this log since {format_time(log.at)}"
            yield _finding(Severity.FINDING, "not-reported", sentence, origin)
    limit = max((period.max_logs for log in report.logs for period in log.licenses), default=0)
    payers = {period.subscription for log in report.logs for period in log.licenses if period.subscription}
    if len(payers) > 1:
        sentence = (
            f"licences of {len(payers)} resources were in force, and all usage is charged to one of them"
        )
        yield _finding(Severity.FINDING, "two-resources", sentence, bundle.manifest.instance)
    origins = {*seen, *(log.log for log in report.logs)}
    if limit and len(origins) > limit:
        sentence = f"there are {len(origins)} logs, and the licence allows {limit}"
        yield _finding(Severity.FINDING, "too-many-logs", sentence, bundle.manifest.instance)
    for log_report in report.logs:
        before = seen.get(log_report.log)
        if before is not None and not _extends(report, log_report):
            sentence = f"the first {before.head.size:,} entries cannot be compared with those accepted before"
            yield _finding(Severity.BROKEN, "unchecked", sentence, log_report.log)


def _plan_findings(accounts: Sequence[Account], instance: str) -> Iterator[Finding]:
    """More than a plan allows that blocks: several machines each used it, or one went on without its log."""
    for account in accounts:
        if account.blocks and account.over:
            sentence = (
                f"{account.used.billed:,} units of {account.meter} were used in {account.period} by all "
                f"machines together, {account.over:,} more than the plan allows, which blocks"
            )
            yield _finding(Severity.FINDING, "plan-exceeded", sentence, instance)


def _reported_heads(bundle: Bundle, checkpoints: dict[str, bytes]) -> Iterator[Witnessed]:
    """The heads that installations signed under their reports, where the export reaches that far."""
    sizes = {claim.origin: claim.size for claim in bundle.manifest.logs}
    for origin, note in checkpoints.items():
        head = read_checkpoint(note)
        if head.size <= sizes.get(origin, 0):
            where = "a report while connected"
            yield Witnessed(where=where, head=head, receipt=False, fault="", expected=False)


def _metering_findings(report: Report, reported: dict[str, LogUsage]) -> Iterator[Finding]:
    """What was reported while connected and the export contradicts."""
    for log in report.logs:
        if log.log in reported:
            sentence = disagreement(reported[log.log], log.days, log.size)
            if sentence:
                yield _finding(Severity.FINDING, "metered-differs", sentence, log.log)


def _time_findings(
    authority: Authority,
    report: Report,
    seen: dict[str, SeenLog],
    asked: Mapping[str, AskedLog],
    resource: Resource,
) -> Iterator[Finding]:
    """What the vendor's own clock says: a log that began late, or that ends long ago."""
    now = authority.clock()
    for log in report.logs:
        issued = _first_issued(authority, resource, log)
        late = 0 if issued is None or log.log in seen or not log.log.endswith("/1") else log.first - issued
        if late > BEGINS_LATE_SECONDS:
            sentence = (
                f"the log begins {_days(late)} after its licence, which was issued "
                f"{format_time(issued or 0)}: what was used before, if anything, is not in it"
            )
            yield _finding(Severity.FINDING, "begins-late", sentence, log.log)
    for log in report.logs[-1:]:
        summary = asked.get(log.log)
        if summary is not None and summary.head.size == log.size:
            now = summary.at  # this is the answer to what was asked about it then
        if now - log.last > LAGS_SECONDS:
            sentence = (
                f"the last entry is of {format_time(log.last)}, {_days(now - log.last)} before this export "
                "came: it was long on its way, the service was off, or the machine's clocks stand still"
            )
            yield _finding(Severity.FINDING, "lags", sentence, log.log)


def _first_issued(authority: Authority, resource: Resource, log: LogReport) -> int | None:
    """When the machine of a log got its first licence; where there is only a bearer licence, that one's time.

    A machine may have a bearer licence long before it is used: then the finding has a harmless explanation.
    """
    own = authority.store.first_issued(resource.name, log.instance)
    return own if own is not None else authority.store.first_issued(resource.name, "")


def _days(seconds: int) -> str:
    days = seconds // DAY
    return "a day" if days == 1 else f"{days} days"


def _furthest(exported: dict[str, SeenLog], reported: dict[str, LogUsage]) -> Iterator[Days]:
    """The usage of each log from where it reaches further: it is the same usage, and counted once."""
    for origin in exported.keys() | reported.keys():
        seen, connected = exported.get(origin), reported.get(origin)
        if seen is not None and (connected is None or seen.head.size >= connected.size):
            yield seen.days
        elif connected is not None:
            yield connected.days


def _extends(report: Report, log: LogReport) -> bool:
    """Whether the head that was passed in was met on the way through this log."""
    return not any(f.code == "unchecked" and f.log == log.log for f in report.findings)


def _finding(severity: Severity, code: str, message: str, log: str) -> Finding:
    return Finding(severity=severity, code=code, message=message, log=log)


def _accept(
    authority: Authority, bundle: Bundle, report: Report, resource: Resource, sha256: str
) -> list[SeenLog]:
    """The logs that stand, with a cosignature on the last head of each."""
    broken = {finding.log for finding in report.findings if finding.severity is Severity.BROKEN}
    origins = {log.log for log in report.logs}
    if broken - origins:  # something about the export as a whole
        return []
    sources = {source.claim.origin: source for source in bundle.logs()}
    accepted = []
    now = authority.clock()
    for log in report.logs:
        notes = [note for note in sources[log.log].checkpoints() if read_checkpoint(note).size == log.size]
        if log.log in broken or log.signed != log.size or not notes:
            continue
        head = read_checkpoint(notes[-1])
        line = cosign(head, authority.keyring.witness, at=now)
        accepted.append(
            SeenLog(
                head=LogHead(origin=head.origin, size=head.size, root=head.root, cosig=line),
                resource=resource.name,
                instance=log.instance,
                note=notes[-1],
                at=now,
                last=log.last,
                bundle=sha256,
                days=log.days,
            )
        )
    return accepted


def _receipt(authority: Authority, resource: Resource, report: Report, accepted: Sequence[SeenLog]) -> bytes:
    totals: dict[tuple[str, str], Tally] = {}
    for log in accepted:
        for (date, meter), tally in log.days.items():
            key = (date[:7], meter)
            totals[key] = totals.get(key, NOTHING).plus(tally)
    receipt = Receipt(
        bundle=accepted[0].bundle,
        subscription=resource.subscription,
        issued=authority.clock(),
        verdict="findings" if report.exit_code else "clean",
        logs=tuple(log.head for log in accepted),
        totals=totals,
    )
    return sign_receipt(receipt, authority.keyring.issuer)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
