"""The vendor's database: reach it, make its tables, and say in a sentence why it cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event, inspect
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlmodel import Session, create_engine

from license.authority.book.tables import VERSION, BookRow, Table
from license.errors import AuthorityError

_PSYCOPG: Final = {
    # A database without an encoding of its own (SQL_ASCII) would be read as bytes.
    "client_encoding": "utf8",
    # A server that vanished with its address would be waited for by TCP for a quarter of an hour.
    "connect_timeout": "5",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "2",
}
"""What libpq is told unless the address says otherwise; seconds, and milliseconds for `tcp_user_timeout`."""


def open_book(where: Path | str) -> Engine:
    """Return the engine of a database that holds the book's tables; they are made in an empty one.

    Args:
        where: A file for SQLite, made if missing, or a SQLAlchemy address.

    Raises:
        AuthorityError: the database cannot be used, or its tables are of another version.
    """
    if isinstance(where, Path):
        where.touch(mode=0o600)  # SQLite gives its side files the mode of this one
        where = f"sqlite:///{where}"
    with _refusals(where):
        engine = create_engine(_completed(make_url(where)), pool_pre_ping=not where.startswith("sqlite"))
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _configure_sqlite)
        try:
            _prepare(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _completed(url: URL) -> URL:
    """Return an address with what libpq is told besides."""
    if url.drivername != "postgresql+psycopg":
        return url
    return url.update_query_dict({key: value for key, value in _PSYCOPG.items() if key not in url.query})


def _prepare(engine: Engine) -> None:
    fresh = not inspect(engine).has_table("resource")
    Table.metadata.create_all(engine)
    with Session(engine) as session:
        if fresh:
            session.merge(BookRow(id=1, version=VERSION))
            session.commit()
        row = session.get(BookRow, 1)
    if row is None or row.version != VERSION:
        raise AuthorityError(
            f"the book is of version {row.version if row else 1}, and this software needs {VERSION}",
            code="WrongBookVersion",
            hint="use the software that made it; while this is unreleased, make a new authority",
        )


def _configure_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def _refusals(address: str) -> Iterator[None]:
    """Turn what a database says when it cannot be used into one of our refusals; never with its password."""
    try:
        shown = make_url(address).render_as_string(hide_password=True)
    except ArgumentError as error:
        raise AuthorityError(
            "the address of the database is not understood",
            code="BadDatabase",
            hint="it must look like postgresql+psycopg://user:password@host/name",
        ) from error
    try:
        yield
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise AuthorityError(
            f"there is no driver for {shown} ({error})",
            code="BadDatabase",
            hint="for PostgreSQL: pip install 'offline-appliance[postgresql]', address postgresql+psycopg://…",
        ) from error
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines() or ["no reason given"]
        raise AuthorityError(
            f"the book {shown} cannot be used: {reason[0]}",
            code="BadDatabase",
            hint="check that the server runs, the address, and the rights of its user",
        ) from error
