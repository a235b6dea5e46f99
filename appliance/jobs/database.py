"""The database of the job store: opened, checked, and its tables made or brought up to date."""

import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateColumn

from appliance.errors import SettingsError
from appliance.jobs.refusals import first_line, make_private, refused
from appliance.jobs.tables import LATER_COLUMNS, JobTable

_MAKING_TABLES: Final = 0x6A6F6273  # "jobs": key of the lock under which tables are made
_BUSY_SECONDS: Final = 5
_AGAIN_SECONDS: Final = 0.02
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
"""What libpq is told unless the URL says otherwise; seconds, and milliseconds for `tcp_user_timeout`."""
_EXAMPLE: Final = "write it as SQLAlchemy does, such as Jobs:Database=sqlite:////var/lib/appliance/jobs.db"


def open_file(path: Path) -> Engine:
    """Open an SQLite file that only its owner can read, whatever the umask.

    Raises:
        SQLAlchemyError, sqlite3.Error, OSError: It cannot be used, or is damaged.
    """
    make_private(path)
    return _prepared(
        create_engine(
            f"sqlite:///{path}",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS},
        )
    )


def open_url(text: str) -> Engine:
    """Open the database that an SQLAlchemy URL names.

    Raises:
        SettingsError: It cannot be used; the message holds no password.
    """
    try:
        url = make_url(text)
        if url.get_backend_name() == "sqlite" and url.database:
            return open_file(Path(url.database))
        if url.drivername == "postgresql+psycopg":
            url = url.update_query_dict({key: of for key, of in _PSYCOPG.items() if key not in url.query})
        return _prepared(create_engine(url, pool_pre_ping=True, pool_size=1))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise SettingsError(f"Jobs:Database cannot be used: {first_line(error)}", hint=_EXAMPLE) from error
    except (SQLAlchemyError, OSError) as error:
        raise refused(make_url(text).render_as_string(hide_password=True), error) from error


def _prepared(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
    try:
        _make_tables(engine)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
                if verdict != "ok":
                    raise DatabaseError("PRAGMA quick_check", None, Exception(str(verdict)))
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_tables(engine: Engine) -> None:
    """Make the tables that are missing, one process after the other: several may begin with nothing."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))
        JobTable.metadata.create_all(connection)
        _add_columns(connection)


def _add_columns(connection: Connection) -> None:
    """Bring the tables of earlier versions up to date; those go on using them meanwhile."""
    for column in LATER_COLUMNS:
        table = column.table
        if column.name not in {known["name"] for known in inspect(connection).get_columns(table.name)}:
            words = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {words}")


def _on_connect(connection: Any, _record: object) -> None:
    _switch_to_wal(connection)
    for pragma in ("synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _switch_to_wal(connection: Any) -> None:
    """Where several switch a new file at once, SQLite refuses some without waiting."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return
