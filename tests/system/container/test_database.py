"""Jobs in PostgreSQL, from a container that reaches it by a socket in a volume and no network."""

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
from sqlalchemy import create_engine, inspect, text

from tests.support.site import SENTENCE
from tests.system.container.host import Host
from tests.system.container.test_text_lines import DISCONNECTED

BODY = {
    "analysisInput": {"documents": [{"id": "1", "language": "en", "text": SENTENCE}]},
    "tasks": [{"kind": "EntityRecognition", "taskName": "one"}],
}


def test_jobs_lie_in_postgresql(host: Host, postgres: str) -> None:
    sockets = Path(parse_qs(urlsplit(postgres).query)["host"][0])
    sockets.chmod(0o755)
    host.license()
    line = f"{host.line(DISCONNECTED, 1)} 'Jobs:Database=postgresql+psycopg://vendor@/postgres?host=/sockets'"
    host.serve(line, f"-v {sockets}:/sockets")
    with httpx2.Client(base_url=f"http://127.0.0.1:{host.port}", trust_env=False, timeout=30) as client:
        made = client.post("/language/analyze-text/jobs?api-version=2023-04-01", json=BODY)
        assert made.status_code == 202, made.text
        where = urlsplit(made.headers["operation-location"])
        deadline = time.monotonic() + 60
        while (job := client.get(f"{where.path}?{where.query}").json())["status"] != "succeeded":
            assert job["status"] in ("notStarted", "running"), job
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
    engine = create_engine(postgres)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        rows = {name: connection.scalar(text(f'select count(*) from "{name}"')) for name in tables}  # noqa: S608
    engine.dispose()
    assert any(rows.values()), rows
    assert not list((host.home / "output").rglob("jobs.db"))
