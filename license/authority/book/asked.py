"""What was asked to be opened of its customers' logs, in the vendor's book: one row for each log.

A choice that was made stands until it is answered: who sends the same summary again, or a later one, is asked
for the same stretches again, and never gets another chance at the draw. The heads of those summaries stay
until something accepted goes on from them: another history in their place contradicts them.
"""

import base64
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlalchemy.engine import Engine
from sqlmodel import Field, Session, select

from license.authority.book.heads import Days
from license.authority.book.tables import Table
from license.evidence.bundle.openings import Stretch
from license.evidence.log.checkpoint import Checkpoint, read_checkpoint
from license.evidence.log.entry import Tally


class _OpeningRow(Table, table=True):
    """The openings of a log; `asked` and `days` are JSON."""

    __tablename__ = "usage_opening"

    origin: str = Field(primary_key=True)
    resource: str = Field(foreign_key="resource.name", index=True)
    checkpoint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    asked: str
    days: str


class _SummaryRow(Table, table=True):
    """The head of a summary that was asked about, and that nothing accepted has gone on from."""

    __tablename__ = "usage_summary"

    origin: str = Field(primary_key=True)
    size: int = Field(sa_column=Column(BigInteger, primary_key=True))
    root: str = Field(primary_key=True)
    resource: str = Field(foreign_key="resource.name", index=True)
    checkpoint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The head of a summary that was asked about.

    Attributes:
        checkpoint: Its note.
        at: When the summary was taken in and asked about, in Unix seconds.
    """

    checkpoint: bytes
    at: int

    @property
    def head(self) -> Checkpoint:
        """What the checkpoint says."""
        return read_checkpoint(self.checkpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLog(Summary):
    """A summary of a log, with the stretches of it that were asked for and are not answered.

    Attributes:
        asked: The stretches, in order.
        days: The sums that the summary said.
    """

    asked: tuple[Stretch, ...]
    days: Days


class OpeningRepository:
    """The rows of openings in the vendor's book.

    Args:
        engine: Of `license.authority.book.store.Store`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        Table.metadata.create_all(engine)

    def logs(self, resource: str) -> dict[str, AskedLog]:
        """Return what was asked of a resource and is not answered, by log."""
        with Session(self._engine) as session:
            query = select(_OpeningRow).where(_OpeningRow.resource == resource)
            return {row.origin: _asked(row) for row in session.exec(query)}

    def owner(self, origin: str) -> str | None:
        """Return the resource for which a log was asked about; None if nothing is open."""
        with Session(self._engine) as session:
            row = session.get(_OpeningRow, origin)
            if row is not None:
                return row.resource
            return session.exec(select(_SummaryRow.resource).where(_SummaryRow.origin == origin)).first()

    def summaries(self, resource: str) -> list[Summary]:
        """Return the heads of summaries that nothing accepted has gone on from, the oldest first."""
        with Session(self._engine) as session:
            query = select(_SummaryRow).where(_SummaryRow.resource == resource).order_by("at", "size")
            return [Summary(checkpoint=row.checkpoint, at=row.at) for row in session.exec(query)]

    def ask(self, resource: str, logs: Mapping[str, AskedLog], *, met: Collection[str]) -> None:
        """Enter what is asked of some logs, in the place of what was asked of them before.

        Args:
            resource: The resource that pays.
            logs: What is asked, by log.
            met: The logs that were compared with every head known of them, as far as they reach.
        """
        with Session(self._engine) as session:
            for origin, log in logs.items():
                session.merge(_row(origin, resource, log))
                if origin in met:
                    _forget(session, origin, log.head.size)
                session.merge(_summary(resource, log))
            session.commit()

    def settle(self, sizes: Iterable[tuple[str, int]], *, met: Collection[str]) -> None:
        """Forget what was asked of logs up to the size that is accepted of each; `met` as for `ask`."""
        with Session(self._engine) as session:
            for origin, size in sizes:
                if origin in met:
                    _forget(session, origin, size)
                row = session.get(_OpeningRow, origin)
                if row is None:
                    continue
                log = _asked(row)
                left = tuple(stretch for stretch in log.asked if stretch.stop > size)
                if left:
                    row.asked = _stretches(left)
                    session.add(row)
                else:
                    session.delete(row)
            session.commit()


def _forget(session: Session, origin: str, size: int) -> None:
    """What goes on from these heads stands for them from now on."""
    query = select(_SummaryRow).where(_SummaryRow.origin == origin)
    for row in session.exec(query):
        if row.size <= size:
            session.delete(row)
    session.flush()


def _summary(resource: str, log: AskedLog) -> _SummaryRow:
    head = log.head
    root = base64.b64encode(head.root).decode("ascii")
    return _SummaryRow(
        origin=head.origin,
        size=head.size,
        root=root,
        resource=resource,
        checkpoint=log.checkpoint,
        at=log.at,
    )


def _row(origin: str, resource: str, log: AskedLog) -> _OpeningRow:
    days = [[date, meter, *tally] for (date, meter), tally in sorted(log.days.items())]
    return _OpeningRow(
        origin=origin,
        resource=resource,
        checkpoint=log.checkpoint,
        at=log.at,
        asked=_stretches(log.asked),
        days=json.dumps(days, separators=(",", ":")),
    )


def _stretches(stretches: Iterable[Stretch]) -> str:
    return json.dumps([[s.first, s.stop] for s in stretches], separators=(",", ":"))


def _asked(row: _OpeningRow) -> AskedLog:
    return AskedLog(
        checkpoint=row.checkpoint,
        at=row.at,
        asked=tuple(Stretch(first=first, stop=stop) for first, stop in json.loads(row.asked)),
        days={(date, meter): Tally(*numbers) for date, meter, *numbers in json.loads(row.days)},
    )
