"""What connected appliances reported, in the vendor's book: counted exactly once, whatever the network does.

One row for each log says how many of its entries are counted; a report is taken only if it begins there, in
the transaction that moves the row. What came by an export of the same log is the same usage: whichever
reaches further is what was used (`usage_of`), and an export that reaches further takes over at the next
report. Neither is ever added to the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, delete, select, update

from license.authority.book.heads import Days, HeadRepository, SeenLog
from license.authority.book.machines import check_machines
from license.authority.book.tables import ConnectedInstanceRow, Table
from license.errors import AuthorityError
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.entry import NOTHING, Tally
from license.evidence.log.merkle import EMPTY_ROOT, ProofError, check_consistency
from license.metering_protocol import SignedReport, UsageReport


class _MeteredRow(Table, table=True):
    """A log that is reported: `next` entries of it are counted."""

    __tablename__ = "metered_log"

    origin: str = Field(primary_key=True)
    resource: str = Field(foreign_key="resource.name", index=True)
    instance: str = Field(index=True)
    next: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


class _SumRow(Table, table=True):
    """What one log used of one meter on one UTC day, as far as it is counted."""

    __tablename__ = "metered_sum"

    origin: str = Field(primary_key=True)
    date: str = Field(primary_key=True)
    meter: str = Field(primary_key=True)
    entries: int = Field(sa_column=Column(BigInteger, nullable=False))
    quantity: int = Field(sa_column=Column(BigInteger, nullable=False))
    billed: int = Field(sa_column=Column(BigInteger, nullable=False))


class _ReportedHeadRow(Table, table=True):
    """The head of a log where its last report that was counted ends, signed by the installation."""

    __tablename__ = "metered_head"

    origin: str = Field(primary_key=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    checkpoint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An installation that runs connected.

    Attributes:
        instance: Its twelve hex digits.
        vkey: Its key.
        software: Name and version, as it says.
        since: When it first asked for a lease, Unix seconds, and `at` when last.
    """

    instance: str
    vkey: str
    software: str
    since: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUsage:
    """What is known of one log's usage, from the source that reaches further.

    Attributes:
        origin: The log.
        source: `connected` or `export`.
        size: How many of its entries are counted.
        at: When it was heard of last, Unix seconds.
        days: Sums by UTC day and meter.
    """

    origin: str
    source: str
    size: int
    at: int
    days: Days


class MeterRepository:
    """The rows of connected usage in the vendor's book; safe to use from several threads and processes.

    Args:
        engine: Of `license.authority.book.store.Store`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._heads = HeadRepository(engine)  # makes every table, these too

    def meet(self, resource: str, *, instance: str, vkey: str, software: str, now: int) -> None:
        """Enter that an installation proved its key to a resource.

        Raises:
            AuthorityError: `TooManyMachines`: it is new, and as many as the resource may have are there.
        """
        with Session(self._engine) as session:
            check_machines(session, resource, vkey)
            moved = session.exec(
                update(ConnectedInstanceRow)
                .where(col(ConnectedInstanceRow.instance) == instance)
                .where(col(ConnectedInstanceRow.resource) == resource)
                .values(software=software, at=now)
            )
            if moved.rowcount != 1:
                session.merge(
                    ConnectedInstanceRow(
                        instance=instance, resource=resource, vkey=vkey, software=software, since=now, at=now
                    )
                )
            session.commit()

    def instances(self, resource: str) -> list[Instance]:
        """Return the installations that asked a resource for a lease, by their digits."""
        with Session(self._engine) as session:
            query = select(ConnectedInstanceRow).where(ConnectedInstanceRow.resource == resource)
            return [
                Instance(
                    instance=row.instance, vkey=row.vkey, software=row.software, since=row.since, at=row.at
                )
                for row in session.exec(query.order_by(col(ConnectedInstanceRow.instance)))
            ]

    def check_owner(self, resource: str, instance: str) -> None:
        """Refuse an installation whose logs are reported to another resource.

        Raises:
            AuthorityError: `Mismatch`.
        """
        with Session(self._engine) as session:
            query = select(_MeteredRow.resource).where(_MeteredRow.instance == instance)
            others = {name for name in session.exec(query) if name != resource}
        if others:
            raise _belongs(instance, min(others))

    def accept(self, resource: str, report: UsageReport, *, now: int) -> int:
        """Count a report if it begins where the count of its log ends; return where that is afterwards.

        Raises:
            AuthorityError: `Mismatch`: the installation is not known to this resource, or its log is
                another's.
        """
        try:
            return self._accept(resource, report, now)
        except IntegrityError:  # two first reports of one log at once: the other one was faster
            return self._accept(resource, report, now)

    def accept_signed(self, resource: str, signed: SignedReport, *, now: int) -> int:
        """Do the same for a report that `license.metering_protocol.open_report` has opened.

        Its key must be the one that the installation proved when it asked for its lease, and the log must
        have grown from the head where the report before ended.

        Raises:
            AuthorityError: As `accept`; `OtherKey`, `OtherHistory` where that is not so.
        """
        try:
            return self._accept(resource, signed.report, now, signed)
        except IntegrityError:
            return self._accept(resource, signed.report, now, signed)

    def heads(self, resource: str) -> dict[str, bytes]:
        """Return the checkpoints where reported logs end, as their installations signed them, by log."""
        with Session(self._engine) as session:
            query = (
                select(_ReportedHeadRow)
                .join(_MeteredRow, col(_MeteredRow.origin) == col(_ReportedHeadRow.origin))
                .where(_MeteredRow.resource == resource, _MeteredRow.next == _ReportedHeadRow.size)
            )
            return {row.origin: row.checkpoint for row in session.exec(query)}

    def position(self, resource: str, origin: str) -> int:
        """Return how many entries of a log are counted for a resource, reported or exported; 0 for none."""
        with Session(self._engine) as session:
            row = session.get(_MeteredRow, origin)
        reported = row.next if row is not None and row.resource == resource else 0
        seen = self._heads.find(origin)
        exported = seen.head.size if seen is not None and seen.resource == resource else 0
        return max(reported, exported)

    def logs(self, resource: str) -> dict[str, LogUsage]:
        """Return what was reported to a resource, by log."""
        with Session(self._engine) as session:
            rows = session.exec(select(_MeteredRow).where(_MeteredRow.resource == resource)).all()
            return {row.origin: _usage(row, _sums(session, row.origin)) for row in rows}

    def _accept(
        self, resource: str, report: UsageReport, now: int, signed: SignedReport | None = None
    ) -> int:
        with Session(self._engine) as session:
            if signed is not None:
                _check_key(session.get(ConnectedInstanceRow, (report.instance, resource)), signed)
            # A write first: it keeps others from the log until the transaction ends, on every database.
            session.exec(update(_MeteredRow).where(col(_MeteredRow.origin) == report.log).values(at=now))
            row = session.get(_MeteredRow, report.log)
            if row is None:
                row = self._begin(session, resource, report, now)
            if row.resource != resource:
                raise _belongs(report.log, row.resource)
            seen = self._heads.find(report.log)
            if seen is not None:
                _check_resource(seen, resource)
                if seen.head.size > row.next:
                    _take_over(session, row, seen)
            if report.first == row.next:
                if signed is not None:
                    _grow(session, signed, seen)
                _add(session, report)
                row.next = report.next
            counted = row.next
            session.add(row)
            session.commit()
        return counted

    @staticmethod
    def _begin(session: Session, resource: str, report: UsageReport, now: int) -> _MeteredRow:
        if session.get(ConnectedInstanceRow, (report.instance, resource)) is None:
            raise AuthorityError(
                f"the installation {report.instance} has no lease of this resource",
                status="Mismatch",
                code="UnknownInstance",
                hint="POST its request note to /v1/connected first",
            )
        row = _MeteredRow(origin=report.log, resource=resource, instance=report.instance, next=0, at=now)
        session.add(row)
        session.flush()
        return row


def usage_of(engine: Engine, resource: str) -> list[LogUsage]:
    """Return the usage of every log of a resource, connected or exported, each counted once, by name."""
    by_origin = MeterRepository(engine).logs(resource)
    for seen in HeadRepository(engine).logs(resource):
        reported = by_origin.get(seen.head.origin)
        if reported is None or seen.head.size >= reported.size:
            by_origin[seen.head.origin] = LogUsage(
                origin=seen.head.origin, source="export", size=seen.head.size, at=seen.at, days=seen.days
            )
    return [by_origin[origin] for origin in sorted(by_origin)]


def disagreement(reported: LogUsage, exported: Days, size: int) -> str:
    """Say where an export of `size` entries contradicts what its log had reported; empty if nowhere.

    Who reaches further must have at least as much of everything; of the same length, just as much.
    """
    less, more = (reported.days, exported) if size >= reported.size else (exported, reported.days)
    for key in sorted(less.keys() | more.keys()):
        low, high = less.get(key, NOTHING), more.get(key, NOTHING)
        if any(a > b for a, b in zip(low, high, strict=True)) or (size == reported.size and low != high):
            counted, shown = reported.days.get(key, NOTHING), exported.get(key, NOTHING)
            return (
                f"on {key[0]} {counted.quantity:,} units of {key[1]} were reported while connected "
                f"({reported.size:,} entries), and the export shows {shown.quantity:,} ({size:,} entries)"
            )
    return ""


def _take_over(session: Session, row: _MeteredRow, seen: SeenLog) -> None:
    """Go on from an export that reaches further than what was reported."""
    session.exec(delete(_SumRow).where(col(_SumRow.origin) == row.origin))
    for (date, meter), tally in seen.days.items():
        session.add(_SumRow(origin=row.origin, date=date, meter=meter, **tally._asdict()))
    session.flush()
    row.next = seen.head.size


def _check_key(known: ConnectedInstanceRow | None, signed: SignedReport) -> None:
    """Refuse a report by another key than the one that asked for the lease."""
    if known is not None and known.vkey != signed.instance:
        raise AuthorityError(
            f"the report on {signed.report.log} is not signed by the key that asked for its lease",
            status="Mismatch",
            code="OtherKey",
            hint="POST the machine's request note to /v1/connected again",
        )


def _grow(session: Session, signed: SignedReport, seen: SeenLog | None) -> None:
    """Check that the log goes on from where it was counted, and remember its new head."""
    report = signed.report
    kept = session.get(_ReportedHeadRow, report.log)
    root = EMPTY_ROOT if not report.first else None
    if seen is not None and seen.head.size == report.first:
        root = seen.head.root
    elif kept is not None and kept.size == report.first:
        root = read_checkpoint(kept.checkpoint).root
    try:
        # A log that was reported before reports were signed has no head here: it is believed once more.
        if root is not None:
            check_consistency(report.first, report.next, root, signed.root, signed.growth)
    except ProofError as error:
        raise AuthorityError(
            f"{report.log} is not the log that was reported before: its first {report.first:,} entries are "
            "others",
            status="Mismatch",
            code="OtherHistory",
            hint="an export of it says what was changed: `appliance usage export`, then `license ingest`",
        ) from error
    head = kept or _ReportedHeadRow(origin=report.log, size=0, checkpoint=b"")
    head.size, head.checkpoint = report.next, signed.checkpoint
    session.add(head)


def _add(session: Session, report: UsageReport) -> None:
    for record in report.records:
        row = session.get(_SumRow, (report.log, record.date, record.meter))
        if row is None:
            row = _SumRow(
                origin=report.log, date=record.date, meter=record.meter, entries=0, quantity=0, billed=0
            )
        row.entries += record.entries
        row.quantity += record.quantity
        row.billed += record.billed
        session.add(row)


def _sums(session: Session, origin: str) -> Mapping[tuple[str, str], Tally]:
    rows = session.exec(select(_SumRow).where(_SumRow.origin == origin))
    return {(row.date, row.meter): Tally(row.entries, row.quantity, row.billed) for row in rows}


def _usage(row: _MeteredRow, days: Days) -> LogUsage:
    return LogUsage(origin=row.origin, source="connected", size=row.next, at=row.at, days=days)


def _check_resource(seen: SeenLog, resource: str) -> None:
    if seen.resource != resource:
        raise _belongs(seen.head.origin, seen.resource)


def _belongs(subject: str, resource: str) -> AuthorityError:
    return AuthorityError(
        f"{subject} reports to the resource {resource}",
        status="Mismatch",
        code="OtherResource",
        hint="use a key of that resource; another one needs an installation with a new Mounts:State",
    )
