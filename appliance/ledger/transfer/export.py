"""The export that leaves the isolated server: what it holds is written here, and nothing else leaves.

A summary shows every entry but usage; usage stands in it as hashes and as the signed sums of each day. A full
export shows every entry. Both end at the last signed head, so the same ledger gives the same bytes. An
answer to openings is a summary that shows the entries the vendor asked for, and ends where the first one did.
The format is `license.evidence.bundle.archive.archive`. Read-only: the service may run meanwhile.
"""

import contextlib
import gzip
import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from appliance.ledger.read.day_sums import DaySums, read_day_sums
from appliance.ledger.read.entries import entry_text, first_entry, last_event, read_acknowledged
from appliance.ledger.transfer.leaves import Leaves, as_hash, read_leaves
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import format_date
from license.errors import LicenseError
from license.evidence.bundle.archive import FOCUS, NOTE
from license.evidence.bundle.focus import MeteredDay, focus_csv
from license.evidence.bundle.lines import render_gap, render_head_lines, render_leaf
from license.evidence.bundle.manifest import BUNDLE_KIND, BundleManifest, LogClaim, Member
from license.evidence.bundle.openings import LogOpenings, Openings, Stretch
from license.evidence.bundle.receipt import RECEIPT_KIND, Receipt
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.entry import Entry, Tally, parse
from license.evidence.log.merkle import consistency_path, leaf_hash
from license.evidence.log.proof import ConsistencyProof
from license.evidence.log.source import (
    DatabaseLog,
    find_copies,
    find_databases,
    log_number,
    open_database,
    open_log,
    split_gap,
)
from license.files import HashingWriter, read_limited
from license.licenses.license import LICENSE_FIELDS, LICENSE_KIND, License
from license.licenses.terms import LogHead
from license.trust.signed_note import read_unverified, sign_note
from license.trust.statement import kind_of, parse_statement, render_statement

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # a zip has local times; one for all keeps the bytes the same
_MODE: Final = 0o600 << 16
_CHUNK: Final = 1 << 20
_MAX_JOURNAL_BYTES: Final = 16 << 20
JOURNAL_FILE: Final = "exports.jsonl"
"""Beside the logs: what left, when and why. It does not leave itself."""
_ENTRIES: Final = "SELECT n, text, leaf FROM entry WHERE n >= ? AND n < ? ORDER BY n"
_EVENTS: Final = "SELECT n, text, leaf FROM entry WHERE n >= ? AND n < ? AND kind <> 'use' ORDER BY n"
# A text that is not what was hashed is shown, or the hashes of a summary would cover it up.
_SHOWN: Final = (
    "SELECT n, text, leaf FROM entry WHERE n >= ? AND n < ? "
    "AND (kind <> 'use' OR n IN (SELECT value FROM json_each(?))) ORDER BY n"
)

Rows = Iterator[tuple[int, str, object]]
Write = Callable[[IO[bytes]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """One log as far as it is exported: up to its last signed head."""

    source: DatabaseLog
    claim: LogClaim
    heads: tuple[bytes, ...]
    cosigned: tuple[LogHead, ...]
    days: DaySums
    last: int
    exported: tuple[int, ...]
    leaves: Leaves
    opened: tuple[Stretch, ...]


def write_bundle(
    ledger: Path,
    target: IO[bytes],
    *,
    identity: SigningKey,
    full: bool,
    openings: Openings | None = None,
) -> BundleManifest:
    """Write the export of one ledger directory to a file that can be sought in.

    Args:
        ledger: `{Mounts:Output}/{service}/{instance}`.
        target: Where to.
        identity: Key of the installation, which signs the export.
        full: Whether every entry goes out, or a summary.
        openings: What the vendor asks to see of a summary, from `load_openings`: the logs it names go out up
            to the heads it names, and the stretches it names are shown.

    Returns:
        What the export says of itself.

    Raises:
        LicenseError: There is no log to export.
        OSError: The ledger cannot be read, or the target not written.
    """
    with contextlib.ExitStack() as stack:
        logs, unreadable = _open_logs(ledger, stack, openings)
        if not logs:
            raise LicenseError(f"there is no readable usage log in {ledger}", hint="name the output mount")
        notes = _notes(logs)
        withheld = tuple(sorted(sha256 for sha256, note in notes.items() if _is_bearer_key(note)))
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            members = []
            for name, write in _members(logs, notes, withheld, full=full):
                members.append(_add(archive, name, write))
            current = _license_in_force(logs[-1])
            manifest = BundleManifest(
                instance=identity.verifying.vkey,
                license=current[0],
                serial=current[1],
                form="full" if full else "summary",
                through=max(log.last for log in logs),
                logs=tuple(log.claim for log in logs),
                members=tuple(members),
                unreadable=tuple(unreadable),
                withheld=withheld,
            )
            note = sign_note(render_statement(BUNDLE_KIND, manifest.to_claims()), identity)
            _add(archive, NOTE, lambda file: _write(file, note))
    return manifest


def _members(
    logs: Sequence[_Log], notes: dict[str, bytes], withheld: Sequence[str], *, full: bool
) -> Iterator[tuple[str, Write]]:
    table = focus_csv(day for log in logs for day in _metered(log, notes)).encode()
    yield FOCUS, lambda file: _write(file, table)
    for log in logs:
        yield from _log_members(log, full=full)
    for sha256, note in sorted(notes.items()):
        if sha256 not in withheld:
            yield f"notes/{sha256}.note", lambda file, note=note: _write(file, note)  # type: ignore[misc]


def _log_members(log: _Log, *, full: bool) -> Iterator[tuple[str, Write]]:
    folder = log.claim.folder
    heads = render_head_lines(log.heads)
    yield f"{folder}/heads.txt", lambda file: _write(file, heads)
    proof = _consistency(log)
    if proof:
        yield f"{folder}/consistency.txt", lambda file: _write(file, proof)
    if full:
        rows = log.source.connection.execute(_ENTRIES, (0, log.claim.size))
        yield f"{folder}/entries.jsonl.gz", lambda file: _write_gzip(file, _lines(log, rows))
    else:
        yield f"{folder}/events.jsonl", lambda file: _write_lines(file, _lines(log, _events(log)))


def _events(log: _Log) -> Rows:
    """The entries of a summary: usage only where it is to be shown."""
    connection, changed, at = log.source.connection, log.leaves.changed, 0
    for stretch in (*log.opened, Stretch(first=log.claim.size, stop=log.claim.size)):
        if changed:
            yield from connection.execute(_SHOWN, (at, stretch.first, json.dumps(changed)))
        else:
            yield from connection.execute(_EVENTS, (at, stretch.first))
        yield from connection.execute(_ENTRIES, (stretch.first, stretch.stop))
        at = stretch.stop


def _open_logs(
    ledger: Path, stack: contextlib.ExitStack, openings: Openings | None
) -> tuple[list[_Log], list[tuple[str, str]]]:
    logs, unreadable = [], []
    paths = find_databases(ledger)
    for copy, of in find_copies(paths).items():
        raise LicenseError(
            f"{copy.name} and {of.name} in {ledger} hold the same log, and an export has each log once",
            hint="keep the one that the service writes, ledger-N.db, and move the copy elsewhere",
        )
    for path in paths:
        try:
            source = stack.enter_context(open_log(path))
            if not source.size:
                raise LicenseError("the log has no entries")
            asked = None if openings is None else openings.of(_entry(source.connection, 0).text("o"))
            logs.append(_read(source, log_number(path), asked))
        except (sqlite3.Error, LicenseError, LookupError) as error:
            unreadable.append((path.name, _printable(str(error))))
    return logs, unreadable


def _read(source: DatabaseLog, number: int, asked: LogOpenings | None) -> _Log:
    connection = source.connection
    heads = [*source.checkpoints(), *(kept.note for kept in source.published())]
    if asked is not None:
        heads.append(asked.checkpoint)  # heads of minutes are not kept for ever
    read = []
    for note in heads:
        with contextlib.suppress(LicenseError):
            read.append((read_checkpoint(note), note))
    first = _entry(connection, 0)
    origin = first.text("o")
    own = [(head, note) for head, note in read if head.origin == origin]
    if asked is not None:
        own = [(head, note) for head, note in own if head.size <= asked.head.size]
    durable = source.size
    signed = max((head.size for head, _ in own), default=0)
    size = min(signed, durable) or durable
    days = read_day_sums(connection, first, size)
    last = _entry(connection, size - 1)
    return _Log(
        exported=(*_exported(source.path.parent, origin), *_named(source.path, origin)),
        leaves=read_leaves(connection, size),
        source=source,
        claim=LogClaim(origin=origin, number=number, size=size, open=days.sums),
        heads=tuple(dict.fromkeys(note for _, note in sorted(own, key=lambda item: item[0].size))),
        cosigned=tuple(_cosigned(source.notes(), origin, size)),
        days=days,
        last=last.at,
        opened=() if asked is None else asked.stretches,
    )


def _exported(ledger: Path, origin: str) -> Iterator[int]:
    """Sizes of the log at earlier exports: the vendor may have cosigned there, so hashes must meet there."""
    with contextlib.suppress(LicenseError):
        for line in read_limited(ledger / JOURNAL_FILE, _MAX_JOURNAL_BYTES).splitlines():
            with contextlib.suppress(ValueError, AttributeError):
                size = json.loads(line).get("heads", {}).get(origin)
                if type(size) is int and size > 0:
                    yield size


def _named(path: Path, origin: str) -> Iterator[int]:
    """Sizes of a log that its successor names, and the last report: hashes must meet there too."""
    for other in find_databases(path.parent):
        with (
            contextlib.suppress(sqlite3.Error, LicenseError),
            contextlib.closing(open_database(other)) as connection,
        ):
            first = first_entry(connection)
            if first.kind == "recover" and first.text("po") == origin:
                yield first.number("pn")
            if counted := read_acknowledged(connection).get(origin):
                yield counted


def _entry(connection: sqlite3.Connection, n: int) -> Entry:
    text = entry_text(connection, n)
    if text is None:
        raise LookupError(f"the entry {n} is missing")
    return parse(text)


def _consistency(log: _Log) -> bytes:
    """The proof from the newest cosigned head; nothing where the log's own hashes do not allow it."""
    last = next((note for note in reversed(log.heads) if read_checkpoint(note).size == log.claim.size), None)
    if last is None:
        return b""
    old = max((head.size for head in log.cosigned), default=0)
    try:
        path = consistency_path(old, log.claim.size, log.leaves.subtree)
    except LookupError:
        return b""
    return ConsistencyProof(old=old, path=tuple(path), checkpoint=last).to_bytes()


def _lines(log: _Log, rows: Iterable[tuple[int, str, object]]) -> Iterator[bytes]:
    subtree = log.leaves.subtree
    sizes = [read_checkpoint(note).size for note in log.heads] + [head.size for head in log.cosigned]
    sizes += log.exported
    at = 0
    for n, text, leaf in rows:
        yield from _gap_lines(at, n, sizes, subtree)
        kept = as_hash(leaf)
        if kept != leaf_hash(str(text).encode("utf-8", "surrogateescape")):
            yield render_leaf(n, kept).encode() + b"\n"
        yield str(text).encode("utf-8", "surrogateescape") + b"\n"
        at = n + 1
    yield from _gap_lines(at, log.claim.size, sizes, subtree)


def _gap_lines(
    first: int, stop: int, sizes: Iterable[int], subtree: Callable[[int, int], bytes]
) -> Iterator[bytes]:
    if first < stop:
        # Where hashes are missing too, the entries are simply not there: the verifier says so.
        with contextlib.suppress(LookupError):
            for gap in split_gap(first, stop, sizes, subtree):
                yield render_gap(gap).encode() + b"\n"


def _metered(log: _Log, notes: dict[str, bytes]) -> Iterator[MeteredDay]:
    subscription, customer = _account(log, notes)
    sums: dict[tuple[str, str], Tally] = {}
    for day, meters in log.days.all():
        for meter, tally in meters.items():
            key = (format_date(day), meter)
            sums[key] = sums[key].plus(tally) if key in sums else tally
    for (date, meter), tally in sums.items():
        yield MeteredDay(
            origin=log.claim.origin,
            date=date,
            meter=meter,
            tally=tally,
            subscription=subscription,
            customer=customer,
        )


def _account(log: _Log, notes: dict[str, bytes]) -> tuple[str, str]:
    """Whom the last licence names that leaves with the export; a withheld one names nobody."""
    entry = _last_license(log)
    note = notes.get(entry.text("h")) if entry is not None else None
    if note is None or _is_bearer_key(note):
        return "", ""
    license = _parse_license(read_unverified(note))
    return license.subscription, license.customer


def _parse_license(text: str) -> License:
    return License.from_claims(parse_statement(text, LICENSE_KIND, understood=LICENSE_FIELDS))


def _license_in_force(log: _Log) -> tuple[str, int]:
    entry = _last_license(log)
    return ("", 0) if entry is None else (entry.text("l"), entry.number("s"))


def _last_license(log: _Log) -> Entry | None:
    return last_event(log.source.connection, "lic", 0, log.claim.size)


def _notes(logs: Iterable[_Log]) -> dict[str, bytes]:
    return {hashlib.sha256(note).hexdigest(): note for log in logs for note in log.source.notes()}


def _is_bearer_key(note: bytes) -> bool:
    """Whether a note is a licence that opens models for whoever holds it: it must not travel with reports."""
    try:
        text = read_unverified(note)
        if kind_of(text) != LICENSE_KIND:
            return False
        models = _parse_license(text).models
    except LicenseError:
        return True  # what cannot be read does not leave
    return any(model.enc == "plain" for model in models)


def _cosigned(notes: Iterable[bytes], origin: str, size: int) -> Iterator[LogHead]:
    """Heads of this log in licences and receipts; unverified, since they only say where to begin a proof."""
    for note in notes:
        logs: tuple[LogHead, ...] = ()
        with contextlib.suppress(LicenseError):
            text = read_unverified(note)
            if kind_of(text) == LICENSE_KIND:
                logs = _parse_license(text).ledger.logs
            elif kind_of(text) == RECEIPT_KIND:
                logs = Receipt.from_claims(
                    parse_statement(text, RECEIPT_KIND, understood=Receipt.__slots__)
                ).logs
        yield from (head for head in logs if head.origin == origin and head.size <= size)


def _add(archive: zipfile.ZipFile, name: str, write: Write) -> Member:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system, info.external_attr = 3, _MODE
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".gz") else zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=name.endswith((".gz", ".jsonl"))) as file:
        hashing = HashingWriter(file)
        write(hashing)  # type: ignore[arg-type]
    return Member(name=name, size=hashing.size, sha256=hashing.sha256)


def _write(file: IO[bytes], data: bytes) -> None:
    file.write(data)


def _write_lines(file: IO[bytes], lines: Iterable[bytes]) -> None:
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _CHUNK:
            file.write(b"".join(waiting))
            waiting, size = [], 0
    file.write(b"".join(waiting))


def _write_gzip(file: IO[bytes], lines: Iterable[bytes]) -> None:
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        _write_lines(packed, lines)  # type: ignore[arg-type]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:180]) or "unreadable"
