"""The vendor's book: resources with plans and keys, and every licence ever issued. SQLModel over SQLite.

Rows never leave this file; callers get frozen values. Of the resources' keys only SHA-256 sums are kept: they
are random, 96 bits beyond the part used for looking them up, so a plain hash cannot be run backwards.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, col, create_engine, or_, select

from license.claims import License, Plan
from license.errors import AuthorityError
from license.fields import IDENTIFIER, TOKEN, check_choice, check_text
from license.terms import BINDINGS

KEY_CHARS: Final = 32
_LOOKUP_CHARS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a customer has bought: one product under one plan.

    Attributes:
        name: Short name, unique.
        subscription: Identifier in licences.
        customer: Name, for people.
        product: Such as `ner`.
        plan: Tier, period, included units.
        binding: `instance` or `any`: where its licences may be used.
        approved: Whether disconnected use was granted.
        created: Unix second.
    """

    name: str
    subscription: str
    customer: str
    product: str
    plan: Plan
    binding: str
    approved: bool
    created: int

    def __post_init__(self) -> None:
        check_text("the resource's name", self.name, pattern=TOKEN)
        check_text("subscription", self.subscription, pattern=IDENTIFIER)
        check_text("customer", self.customer)
        check_text("product", self.product, pattern=TOKEN)
        check_choice("binding", self.binding, BINDINGS)


class _Table(SQLModel, registry=registry()):
    """Own metadata, so that no other database of this process gets these tables."""


class _ResourceRow(_Table, table=True):
    __tablename__ = "resource"

    name: str = Field(primary_key=True)
    subscription: str = Field(unique=True)
    customer: str
    product: str
    tier: str
    period_start: int
    period_end: int
    meters: str
    overage: str
    binding: str
    approved: bool
    created: int
    key1_lookup: str = Field(index=True)
    key1_sha256: str
    key2_lookup: str = Field(index=True)
    key2_sha256: str


class _LicenseRow(_Table, table=True):
    __tablename__ = "license"
    __table_args__ = {"sqlite_autoincrement": True}

    serial: int | None = Field(default=None, primary_key=True)
    id: str = Field(default="", index=True)
    replaces: str | None = None
    resource: str = Field(foreign_key="resource.name", index=True)
    instance: str = Field(index=True)
    issued: int = 0
    expires: int = 0
    note: bytes = b""


class Store:
    """The book in one SQLite file; safe to use from several threads.

    Args:
        path: The file; made if missing.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)  # SQLite gives its side files the mode of this one
        self._engine = create_engine(f"sqlite:///{path}")
        event.listen(self._engine, "connect", _configure)
        _Table.metadata.create_all(self._engine)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for backups and tests."""
        return self._engine

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def add(self, resource: Resource) -> tuple[str, str]:
        """Enter a resource and return its two keys, which are shown once and stored nowhere.

        Raises:
            AuthorityError: a resource of that name exists.
        """
        key1, key2 = new_key(), new_key()
        row = _ResourceRow(
            name=resource.name,
            subscription=resource.subscription,
            customer=resource.customer,
            product=resource.product,
            tier=resource.plan.tier,
            period_start=resource.plan.period[0],
            period_end=resource.plan.period[1],
            meters=json.dumps(dict(resource.plan.meters)),
            overage=resource.plan.overage,
            binding=resource.binding,
            approved=resource.approved,
            created=resource.created,
            key1_lookup=key1[:_LOOKUP_CHARS],
            key1_sha256=_hash(key1),
            key2_lookup=key2[:_LOOKUP_CHARS],
            key2_sha256=_hash(key2),
        )
        try:
            with Session(self._engine) as session:
                session.add(row)
                session.commit()
        except IntegrityError as error:
            raise AuthorityError(
                f"there already is a resource {resource.name}",
                code="AlreadyExists",
                hint="choose another name; `license resource list` shows those taken",
            ) from error
        return key1, key2

    def get(self, name: str) -> Resource:
        """Return the resource; raises `AuthorityError` if there is none of that name."""
        with Session(self._engine) as session:
            return _resource(_existing(session, name))

    def resources(self) -> list[Resource]:
        """Return all resources by name."""
        with Session(self._engine) as session:
            return [
                _resource(row) for row in session.exec(select(_ResourceRow).order_by(col(_ResourceRow.name)))
            ]

    def approve(self, name: str) -> Resource:
        """Grant the resource disconnected use; raises `AuthorityError` if there is none of that name."""
        with Session(self._engine) as session:
            row = _existing(session, name)
            row.approved = True
            session.add(row)
            session.commit()
            return _resource(row)

    def regenerate_key(self, name: str, which: int) -> str:
        """Replace key 1 or 2 of the resource and return the new one; the other stays good meanwhile.

        Raises:
            AuthorityError: there is no such resource.
        """
        key = new_key()
        with Session(self._engine) as session:
            row = _existing(session, name)
            setattr(row, f"key{which}_lookup", key[:_LOOKUP_CHARS])
            setattr(row, f"key{which}_sha256", _hash(key))
            session.add(row)
            session.commit()
        return key

    def find_by_key(self, key: str) -> Resource | None:
        """Return the resource one of whose keys this is, or None.

        The first characters find the row; the whole is compared by its hash in constant time, and one
        comparison is made even where no row was found.
        """
        if not key.isascii():
            return None
        lookup, given = key[:_LOOKUP_CHARS], _hash(key)
        found = None
        with Session(self._engine) as session:
            query = select(_ResourceRow).where(
                or_(col(_ResourceRow.key1_lookup) == lookup, col(_ResourceRow.key2_lookup) == lookup)
            )
            for row in session.exec(query):
                first = hmac.compare_digest(row.key1_sha256, given)
                second = hmac.compare_digest(row.key2_sha256, given)
                if first | second:
                    found = _resource(row)
        hmac.compare_digest(_hash(""), given)
        return found

    def record(
        self, resource: str, instance: str, make: Callable[[int, str | None], tuple[License, bytes]]
    ) -> tuple[License, bytes]:
        """Issue one licence: reserve the next serial, let `make` sign under it, and enter the result.

        All of it is one transaction: a serial is never given twice, and a licence that left is in the book.

        Args:
            resource: Name of the resource.
            instance: Text form of the machine's key, or empty for a bearer licence.
            make: Gets the serial and the `id` of this machine's licence before; returns licence and note.
        """
        with Session(self._engine) as session:
            row = _LicenseRow(resource=resource, instance=instance)
            session.add(row)
            session.flush()  # takes SQLite's write lock and the serial
            serial = row.serial or 0
            before = session.exec(
                select(_LicenseRow.id)
                .where(_LicenseRow.resource == resource, _LicenseRow.instance == instance)
                .where(col(_LicenseRow.serial) < serial)
                .order_by(col(_LicenseRow.serial).desc())
            ).first()
            made, note = make(serial, before)
            row.id, row.replaces, row.issued, row.expires = made.id, made.replaces, made.issued, made.expires
            row.note = note
            session.add(row)
            session.commit()
        return made, note

    def notes(self, resource: str) -> list[bytes]:
        """Return every licence note issued to the resource, oldest first."""
        with Session(self._engine) as session:
            query = select(_LicenseRow.note).where(_LicenseRow.resource == resource)
            return list(session.exec(query.order_by(col(_LicenseRow.serial))))


def new_key() -> str:
    """Return a new resource key: 32 hex digits."""
    return secrets.token_hex(KEY_CHARS // 2)


def _existing(session: Session, name: str) -> _ResourceRow:
    row = session.get(_ResourceRow, name)
    if row is None:
        raise AuthorityError(
            f"there is no resource {name}",
            code="NoSuchResource",
            hint="`license resource list` shows those there are",
        )
    return row


def _resource(row: _ResourceRow) -> Resource:
    plan = Plan(
        tier=row.tier,
        period=(row.period_start, row.period_end),
        meters=tuple(json.loads(row.meters).items()),
        overage=row.overage,
    )
    return Resource(
        name=row.name,
        subscription=row.subscription,
        customer=row.customer,
        product=row.product,
        plan=plan,
        binding=row.binding,
        approved=row.approved,
        created=row.created,
    )


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
