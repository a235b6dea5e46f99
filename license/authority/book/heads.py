"""What the vendor has seen of its customers' usage logs: one row for each log, in the vendor's book.

A row is the head that was cosigned last, and the usage accepted under it. It only ever moves forward, in one
transaction that fails if somebody else moved it meanwhile (C2SP tlog-witness explains why).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, insert, select, update

from license.authority.book.tables import Table
from license.encoding.strict import decode_base64, encode_base64
from license.errors import AuthorityError
from license.evidence.log.entry import Tally
from license.licenses.terms import LogHead

# Sums by UTC day (`YYYY-MM-DD`) and meter.
Days = Mapping[tuple[str, str], Tally]


class _LogRow(Table, table=True):
    """A usage log; `days` is JSON."""

    __tablename__ = "usage_log"

    origin: str = Field(primary_key=True)
    resource: str = Field(foreign_key="resource.name", index=True)
    instance: str
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    root: str
    cosig: str
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    last: int = Field(sa_column=Column(BigInteger, nullable=False))
    bundle: str
    days: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLog:
    """A log as the vendor saw it last.

    Attributes:
        head: The head that was cosigned, with the cosignature.
        resource: Name of the resource that pays.
        instance: Text form of the key of the installation.
        note: The checkpoint.
        at: When it was cosigned, in Unix seconds.
        last: Effective time of its last entry.
        bundle: SHA-256 of the export, in hex.
        days: Usage accepted.
    """

    head: LogHead
    resource: str
    instance: str
    note: bytes
    at: int
    last: int
    bundle: str
    days: Days


class HeadRepository:
    """The rows of logs in the vendor's book.

    Args:
        engine: Of `license.authority.book.store.Store`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        Table.metadata.create_all(engine)

    def logs(self, resource: str) -> list[SeenLog]:
        """Return every log ever accepted of a resource, by name."""
        with Session(self._engine) as session:
            query = select(_LogRow).where(_LogRow.resource == resource).order_by(col(_LogRow.origin))
            return [_seen(row) for row in session.exec(query)]

    def find(self, origin: str) -> SeenLog | None:
        """Return a log as it was accepted last; None if it is new."""
        with Session(self._engine) as session:
            row = session.get(_LogRow, origin)
            return None if row is None else _seen(row)

    def owner(self, origin: str) -> str | None:
        """Return the resource that a log was accepted for; None if it is new."""
        with Session(self._engine) as session:
            row = session.get(_LogRow, origin)
            return None if row is None else row.resource

    def advance(self, logs: Iterable[SeenLog], before: Mapping[str, int]) -> None:
        """Move the rows of some logs forward, all or none.

        Args:
            logs: What is accepted now.
            before: The size of each log's row when it was compared; a log that is not named has none.

        Raises:
            AuthorityError: A row was moved meanwhile.
        """
        try:
            with Session(self._engine) as session:
                for log in logs:
                    values = _values(log)
                    old = before.get(log.head.origin)
                    if old is None:
                        session.exec(insert(_LogRow).values(values))
                        continue
                    moved = session.exec(
                        update(_LogRow)
                        .where(col(_LogRow.origin) == log.head.origin, col(_LogRow.size) == old)
                        .values(values)
                    )
                    if moved.rowcount != 1:
                        raise _moved(log.head.origin)
                session.commit()
        except IntegrityError as error:
            raise _moved("one of the logs") from error


def _values(log: SeenLog) -> dict[str, object]:
    days = [[date, meter, *tally] for (date, meter), tally in sorted(log.days.items())]
    return {
        "origin": log.head.origin,
        "resource": log.resource,
        "instance": log.instance,
        "size": log.head.size,
        "root": encode_base64(log.head.root),
        "cosig": log.head.cosig,
        "note": log.note,
        "at": log.at,
        "last": log.last,
        "bundle": log.bundle,
        "days": json.dumps(days, separators=(",", ":")),
    }


def _seen(row: _LogRow) -> SeenLog:
    return SeenLog(
        head=LogHead(origin=row.origin, size=row.size, root=decode_base64(row.root), cosig=row.cosig),
        resource=row.resource,
        instance=row.instance,
        note=row.note,
        at=row.at,
        last=row.last,
        bundle=row.bundle,
        days={(date, meter): Tally(*numbers) for date, meter, *numbers in json.loads(row.days)},
    )


def _moved(origin: str) -> AuthorityError:
    return AuthorityError(
        f"{origin} was accepted by somebody else meanwhile", code="Moved", hint="ingest the export again"
    )
