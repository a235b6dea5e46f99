"""Checks usage logs from their bytes and the root keys alone, and says which entry is wrong.

    root → issuer → licence → key of the installation → day keys → checkpoints → entries → sums

Each log is read once, entry by entry. What must hold is written down in `docs/formats.md`, part Evidence;
every rule that does not becomes a finding with index and time. Nothing is repaired and nothing is written.

Standard library, `cryptography` and `license` only: this is the auditor's tool.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError
from license.evidence.bundle.archive import FOCUS, NOTE, Bundle, BundledLog, open_bundle
from license.evidence.bundle.focus import MeteredDay, focus_csv
from license.evidence.bundle.manifest import BundleManifest
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.entry import NOTHING, Tally
from license.evidence.log.proof import ConsistencyProof
from license.evidence.log.source import (
    KeptHead,
    LogSource,
    find_copies,
    find_databases,
    find_ledgers,
    open_log,
    published_heads,
)
from license.evidence.verify.result import Coverage, Finding, LogReport, Report, Severity
from license.evidence.verify.rules import Audit
from license.evidence.verify.witness import Witnessed, named_heads, witnessed_heads
from license.trust.roots import TrustRoots


def verify(
    path: Path,
    roots: TrustRoots,
    *,
    heads: Sequence[KeptHead] = (),
    notes: Sequence[bytes] = (),
) -> Report:
    """Verify an export, or every log at or below a directory: a ledger, or a whole output mount.

    A live service may go on writing meanwhile; each log is read in one snapshot.

    Args:
        path: The file or directory.
        roots: Keys that may vouch for licences.
        heads: Signed heads that others kept: each is compared.
        notes: Licences that an export had to leave out, and others, from the vendor or the operator.

    Raises:
        LicenseError: The file is not an export signed by the installation it names.
        OSError: It cannot be read.
    """
    if path.is_dir():
        return _verify_directory(path, roots, heads)
    with open_bundle(path) as bundle:
        return verify_bundle(bundle, roots, heads=heads, notes=notes)


def _verify_directory(directory: Path, roots: TrustRoots, others: Sequence[KeptHead]) -> Report:
    findings: list[Finding] = []
    reports: list[LogReport] = []
    heads = [*others]
    ledgers = find_ledgers(directory)
    if not ledgers:
        findings.append(_broken("no-log", f"there is no usage log in {directory}", str(directory)))
    copies = find_copies(path for ledger in ledgers for path in find_databases(ledger))
    for ledger in ledgers:
        heads.extend(published_heads(ledger))
        named = _named_in(ledger)
        for path in find_databases(ledger):
            if path in copies:
                findings.append(_copied(path, copies[path]))
                continue
            last = [_last_head(copy) for copy, of in copies.items() if of == path]
            try:
                with open_log(path, [*others, *(head for head in last if head is not None)]) as source:
                    reports.append(verify_log(source, roots, named))
            except (sqlite3.Error, LicenseError) as error:
                findings.append(_broken("unreadable", f"the log cannot be read: {error}", str(path)))
    return summarize(reports, [*findings, *_headless(heads, reports)])


def _copied(path: Path, of: Path) -> Finding:
    sentence = f"{path.name} is a copy of the log in {of.name}, and its entries are not counted again"
    return Finding(severity=Severity.FINDING, code="copied", message=sentence, log=str(path))


def _last_head(copy: Path) -> KeptHead | None:
    """The last signed head of a copy, which is one of the log's own unless there are two histories."""
    with contextlib.suppress(sqlite3.Error, LicenseError), open_log(copy) as source:
        return KeptHead(copy.name, source.checkpoints()[-1]) if source.checkpoints() else None
    return None


def _named_in(ledger: Path) -> list[Witnessed]:
    """Heads that the logs of a directory name of the ones before them."""
    heads: list[Witnessed] = []
    for path in find_databases(ledger):
        with contextlib.suppress(sqlite3.Error, LicenseError), open_log(path) as source:
            heads += named_heads([source])
    return heads


def verify_bundle(
    bundle: Bundle,
    roots: TrustRoots,
    *,
    heads: Sequence[KeptHead] = (),
    notes: Sequence[bytes] = (),
    named: Sequence[Witnessed] = (),
) -> Report:
    """Verify an export that was opened; arguments as for `verify`, `named` are heads known from elsewhere."""
    manifest = bundle.manifest
    findings = [_broken("member", fault, NOTE) for fault in bundle.faults]
    for file, reason in manifest.unreadable:
        findings.append(_broken("unreadable", f"the log could not be read for the export: {reason}", file))
    reports = []
    sources = bundle.logs(heads, notes)
    named = [*named, *named_heads(sources)]
    for source in sources:
        try:
            report = verify_log(source, roots, named)
        except (LicenseError, OSError) as error:
            findings.append(_broken("unreadable", f"the log cannot be read: {error}", source.name))
            continue
        reports.append(report)
        findings.extend(_bundled(bundle, source, report, roots))
    if not manifest.logs:
        findings.append(_broken("no-log", "there is no usage log in the export", NOTE))
    table = focus_csv(metered_days(reports)).encode()
    if _read_or_nothing(bundle, FOCUS) != table and not manifest.withheld:
        findings.append(_broken("table", "the table of usage is not what the logs say", FOCUS))
    own = [head for head in heads if _is_of(head.note, manifest.instance)]
    return summarize(reports, [*findings, *_headless(own, reports, exported=manifest)])


def _is_of(note: bytes, instance: str) -> bool:
    """Whether a head is of a log of this installation: an export shows those of no other."""
    try:
        return read_checkpoint(note).origin.split("/")[2:3] == [VerifyingKey.from_vkey(instance).fingerprint]
    except LicenseError:
        return False


def metered_days(reports: Sequence[LogReport]) -> Iterator[MeteredDay]:
    """Return the usage of verified logs by day and meter, with the account of each log's last licence."""
    for report in reports:
        last = report.licenses[-1] if report.licenses else None
        for (date, meter), tally in report.days.items():
            yield MeteredDay(
                origin=report.log,
                date=date,
                meter=meter,
                tally=tally,
                subscription=(last.subscription if last is not None else None) or "",
                customer=(last.customer if last is not None else None) or "",
            )


def _bundled(bundle: Bundle, source: BundledLog, report: LogReport, roots: TrustRoots) -> Iterator[Finding]:
    """What an export says of a log besides the log itself."""
    if report.log != source.claim.origin or report.size != source.claim.size:
        sentence = f"the export's note speaks of {source.claim.size} entries of {source.claim.origin}"
        yield _broken("member", sentence, report.log)
    if 0 < report.signed < report.size:
        # An export ends at a signed head, so here not even the open minute is forgiven.
        sentence = f"the entries from {report.signed} on are not signed"
        yield _broken("unsigned", sentence, report.log)
    if report.instance != bundle.manifest.instance:
        yield _broken("signer", "the export is signed by another installation than its log", report.log)
    proof = _read_or_nothing(bundle, f"{source.claim.folder}/consistency.txt")
    try:
        if proof:
            _check_consistency(ConsistencyProof.from_bytes(proof), source, roots)
    except LicenseError as error:
        yield _broken("consistency", f"the proof of growth does not hold: {error.message}", report.log)


def _check_consistency(proof: ConsistencyProof, source: BundledLog, roots: TrustRoots) -> None:
    head = read_checkpoint(proof.checkpoint)
    if (head.origin, head.size) != (source.claim.origin, source.claim.size):
        raise LicenseError("it is not about the last head of the log")
    if proof.checkpoint not in source.checkpoints():
        raise LicenseError("its head is not among those of the log")
    for witnessed in witnessed_heads(source.notes(), roots):
        if (witnessed.head.origin, witnessed.head.size) == (head.origin, proof.old):
            proof.check(witnessed.head.root, head)


def _read_or_nothing(bundle: Bundle, name: str) -> bytes:
    with contextlib.suppress(LicenseError):
        return bundle.read(name)
    return b""


def verify_log(source: LogSource, roots: TrustRoots, named: Sequence[Witnessed] = ()) -> LogReport:
    """Verify one log; `named` are heads that the logs after it name.

    Raises:
        LicenseError: It has no first entry to begin with.
        sqlite3.Error: It cannot be read.
    """
    audit = Audit(source, roots, named)
    sizes = audit.sizes()
    for n, text, leaf in source.rows():
        if n > audit.size:
            for gap in source.gaps(audit.size, n, sizes):
                audit.take_gap(gap)
        audit.take(n, text, leaf)
    for gap in source.gaps(audit.size, source.size, sizes) if source.size > audit.size else ():
        audit.take_gap(gap)
    return audit.finish()


def summarize(reports: Sequence[LogReport], findings: Sequence[Finding]) -> Report:
    """Add up the reports of several logs, and look for logs that are named but missing."""
    all_findings = [*findings]
    totals: dict[tuple[str, str], Tally] = {}
    up = down = unexplained = 0
    for report in reports:
        all_findings.extend(report.findings)
        for key, tally in report.totals.items():
            totals[key] = totals.get(key, NOTHING).plus(tally)
        up += report.coverage.up
        down += report.coverage.down
        unexplained += report.coverage.unexplained
    all_findings.extend(_missing(reports))
    return Report(
        logs=tuple(reports),
        findings=tuple(all_findings),
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


def _headless(
    heads: Sequence[KeptHead], reports: Sequence[LogReport], *, exported: BundleManifest | None = None
) -> list[Finding]:
    """A published head of a log that is not here; unsigned claims of one are told all the same."""
    present = {report.log for report in reports}
    findings = []
    for where, note, at in heads:
        with contextlib.suppress(LicenseError):
            head = read_checkpoint(note)
            if head.origin in present:
                continue
            if exported is not None and _follows(head.origin, at, exported):
                sentence = f"{where} has a head of a log that began after this export: compare a later one"
                findings.append(_note("newer", sentence, head.origin))
            else:
                sentence = f"a head over {head.size} entries was published, but the log is missing"
                findings.append(_broken("missing-log", sentence, head.origin))
    return findings


def _follows(origin: str, at: int | None, exported: BundleManifest) -> bool:
    """Whether a log may have begun after an export: its number is higher than those of the logs in it."""
    number = origin.rpartition("/")[2]
    last = max((claim.number for claim in exported.logs), default=0)
    return number.isdecimal() and int(number) > last > 0 and (at is None or at >= exported.through)


def _broken(code: str, message: str, log: str) -> Finding:
    return Finding(severity=Severity.BROKEN, code=code, message=message, log=log)


def _note(code: str, message: str, log: str) -> Finding:
    return Finding(severity=Severity.CLEAN, code=code, message=message, log=log)
