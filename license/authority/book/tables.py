"""The tables of the vendor's book. Rows never leave `license.authority.book.store`.

Seconds and serials are 64-bit on every database: an `Integer` of PostgreSQL ends in 2038.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

VERSION = 2
"""Grows with every change of the tables."""


def _big(**options: Any) -> Any:
    """Return a column of 64-bit integers; SQLite only counts up in a column of the plain type."""
    return Column(BigInteger().with_variant(Integer, "sqlite"), nullable=False, **options)


class Table(SQLModel, registry=registry()):
    """Own metadata, so that no other database of this process gets these tables."""


class BookRow(Table, table=True):
    """What the book says of itself; one row."""

    __tablename__ = "book"

    id: int = Field(primary_key=True)
    version: int


class ResourceRow(Table, table=True):
    """A resource; `meters` and `models` are JSON."""

    __tablename__ = "resource"

    name: str = Field(primary_key=True)
    subscription: str = Field(unique=True)
    customer: str
    product: str
    tier: str
    period_start: int = Field(sa_column=_big())
    period_end: int = Field(sa_column=_big())
    meters: str
    overage: str
    binding: str
    approved: bool
    models: str
    created: int = Field(sa_column=_big())
    key1_lookup: str = Field(index=True)
    key1_sha256: str
    key2_lookup: str = Field(index=True)
    key2_sha256: str


class FormerPlanRow(Table, table=True):
    """A plan that a resource had before it was renewed; the last one stands in its own row."""

    __tablename__ = "former_plan"

    resource: str = Field(primary_key=True, foreign_key="resource.name")
    period_start: int = Field(sa_column=_big(primary_key=True, autoincrement=False))
    period_end: int = Field(sa_column=_big())
    tier: str
    meters: str
    overage: str


class LicenseRow(Table, table=True):
    """A licence that was issued, under the serial the database gave it."""

    __tablename__ = "license"
    __table_args__ = {"sqlite_autoincrement": True}

    serial: int | None = Field(default=None, sa_column=_big(primary_key=True, autoincrement=True))
    id: str = Field(default="", index=True)
    replaces: str | None = None
    resource: str = Field(foreign_key="resource.name", index=True)
    instance: str = Field(index=True)
    issued: int = Field(default=0, sa_column=_big())
    expires: int = Field(default=0, sa_column=_big())
    note: bytes = b""


class MachineLimitRow(Table, table=True):
    """How many machines may have licences or leases of a resource; without a row, any number."""

    __tablename__ = "machine_limit"

    resource: str = Field(primary_key=True, foreign_key="resource.name")
    machines: int


class ConnectedInstanceRow(Table, table=True):
    """An installation that proved its key to a resource, for a lease."""

    __tablename__ = "connected_instance"

    instance: str = Field(primary_key=True)
    resource: str = Field(primary_key=True, foreign_key="resource.name")
    vkey: str
    software: str
    since: int = Field(sa_column=_big())
    at: int = Field(sa_column=_big())


class ChangeRow(Table, table=True):
    """One line of a resource's history."""

    __tablename__ = "change"

    id: int | None = Field(default=None, sa_column=_big(primary_key=True, autoincrement=True))
    resource: str = Field(sa_column=Column(ForeignKey("resource.name"), nullable=False, index=True))
    at: int = Field(sa_column=_big())
    what: str
