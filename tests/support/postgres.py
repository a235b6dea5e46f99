"""A private PostgreSQL server, where one is installed."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextlib.contextmanager
def private_server() -> Iterator[str]:
    """Yield the URL of a server in a directory of its own, reached by a socket, gone afterwards."""
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    if not BINARIES:
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    binaries = BINARIES[-1]
    # The server refuses to run as root, and a socket's path may have 100 characters at most.
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(directory, "postgres")

    def run(*words: Any) -> None:
        subprocess.run([*user, *words], check=True, cwd="/", capture_output=True)

    try:
        run(binaries / "initdb", "-D", directory / "data", "-U", "vendor", "-A", "trust", "-N")
        options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off"
        control = [binaries / "pg_ctl", "-D", directory / "data", "-l", directory / "log", "-w"]
        run(*control, "-o", options, "start")
    except (subprocess.CalledProcessError, OSError) as error:
        shutil.rmtree(directory, ignore_errors=True)
        pytest.skip(f"the PostgreSQL server does not start here: {error}")
    yield f"postgresql+psycopg://vendor@/postgres?host={directory}"
    run(*control, "-m", "immediate", "stop")
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def database_without_encoding(server_url: str) -> Iterator[str]:
    """Yield the URL of an empty SQL_ASCII database on a server, gone afterwards."""
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        made = "CREATE DATABASE plain ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        connection.execute(text(made))
        try:
            yield server_url.replace("/postgres?", "/plain?")
        finally:
            connection.execute(text("DROP DATABASE plain WITH (FORCE)"))
    server.dispose()
