"""The database of the job store: opened as its owner's alone, and brought up to date where it is older."""

import asyncio
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from appliance.jobs.database import open_file, open_url
from appliance.jobs.job import JobStatus
from appliance.jobs.refusals import first_line

OLDER = (
    "CREATE TABLE job (id VARCHAR(36) NOT NULL, instance VARCHAR(64) NOT NULL, display_name TEXT, "
    "created FLOAT NOT NULL, updated FLOAT NOT NULL, open BOOLEAN NOT NULL, cancelled BOOLEAN NOT NULL, "
    "ledger_origin VARCHAR(200) NOT NULL, ledger_size BIGINT NOT NULL, PRIMARY KEY (id))",
    "CREATE INDEX job_by_age ON job (instance, created)",
    "CREATE TABLE task (id VARCHAR(36) NOT NULL, job_id VARCHAR(36) NOT NULL, position INTEGER NOT NULL, "
    "kind VARCHAR(64) NOT NULL, name TEXT, project TEXT, deployment TEXT, version TEXT NOT NULL, "
    "unit VARCHAR(32) NOT NULL, status VARCHAR(32) NOT NULL, updated FLOAT NOT NULL, release TEXT NOT NULL, "
    "outcome TEXT, PRIMARY KEY (id))",
    "CREATE INDEX ix_task_job_id ON task (job_id)",
    "CREATE TABLE document (job_id VARCHAR(36) NOT NULL, position INTEGER NOT NULL, content TEXT NOT NULL, "
    "PRIMARY KEY (job_id, position))",
)
KNOWN = "id, instance, display_name, created, updated, open, cancelled, ledger_origin, ledger_size"
ROWS = (
    "INSERT INTO job VALUES ('J', 'here', 'name', 1700000000.0, 1700000000.0, true, false, 'log/1', 7)",
    "INSERT INTO task VALUES ('T', 'J', 0, 'K', '0', NULL, NULL, 'quick', 'UnicodeCodePoint', 'notStarted', "
    "1700000000.0, '', NULL)",
    """INSERT INTO document VALUES ('J', 0, '["0","a text"]')""",
)


def test_the_jobs_of_an_earlier_version_go_on_and_it_can_go_on_beside(
    any_place: Any, machine: Any, tmp_path: Path
) -> None:
    any_place.url = any_place.url or f"sqlite:///{tmp_path / 'older.db'}"
    engine = create_engine(any_place.url)
    with engine.begin() as connection:
        for statement in (*OLDER, *ROWS):
            connection.execute(text(statement))

    async def scenario() -> None:
        works = machine()
        jobs = any_place.jobs(works)
        await jobs.resume(works.recorded)
        for _ in range(2_000):
            found = await jobs.get("J")
            if found is not None and found.status.final:
                break
            await asyncio.sleep(0.005)
        assert found.status is JobStatus.SUCCEEDED
        assert works.counted == ["T"]
        with engine.begin() as connection:  # the earlier version knows of no further columns
            columns = ROWS[0].replace("VALUES ('J', 'here'", f"({KNOWN}) VALUES ('other', 'old'")
            connection.execute(text(columns))
        await jobs.close(1)

    asyncio.run(scenario())
    engine.dispose()
    any_place.store().close()  # a second start finds nothing to add


def test_a_file_is_its_owners_alone_and_overwrites_what_is_deleted(tmp_path: Path) -> None:
    engine = open_file(tmp_path / "jobs.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()
    assert stat.S_IMODE((tmp_path / "jobs.db").stat().st_mode) == 0o600


def test_a_url_of_a_file_is_opened_like_the_file(tmp_path: Path) -> None:
    open_url(f"sqlite:///{tmp_path / 'named.db'}").dispose()
    assert stat.S_IMODE((tmp_path / "named.db").stat().st_mode) == 0o600


def test_a_damaged_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(Exception, match="not a database"):
        open_file(tmp_path / "jobs.db")


def test_an_error_is_told_without_its_statement_and_parameters() -> None:
    assert first_line(sqlite3.OperationalError("no such table: t\n[SQL: secret]")) == (
        "OperationalError: no such table: t"
    )


def test_a_database_of_postgresql_without_an_encoding_keeps_every_letter(
    postgres_without_encoding: str,
) -> None:
    engine = open_url(postgres_without_encoding)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE word (content TEXT)"))
        connection.execute(text("INSERT INTO word VALUES (:content)"), {"content": "Zürich 東京"})
        assert connection.scalar(text("SELECT content FROM word")) == "Zürich 東京"
    engine.dispose()


def test_a_server_that_vanishes_is_given_up_soon_unless_the_url_says_otherwise(postgres: str) -> None:
    for url, seconds in ((postgres, "5"), (f"{postgres}&connect_timeout=9", "9")):
        engine = open_url(url)
        assert engine.url.query["connect_timeout"] == seconds
        assert engine.url.query["tcp_user_timeout"] == "5000"
        engine.dispose()
