"""A start loads what its first answer needs, and nothing that only jobs need."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_jobs_survive import finished, submit
from tests.support.site import SENTENCE, VERSION, Service, Site

ANALYZE: dict[str, Any] = {
    "kind": "EntityRecognition",
    "parameters": {"modelVersion": "latest"},
    "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
}


def loads(service: Service, library: str) -> bool:
    """Whether a compiled part of a library is in the memory of a service."""
    return f"/{library}/" in Path(f"/proc/{service.process.pid}/maps").read_text("utf-8")


@pytest.mark.e2e
def test_a_ready_service_has_not_loaded_sqlalchemy_unless_there_are_jobs(
    site: Site,
) -> None:
    site.forks = False  # a forked process has loaded everything
    site.issue()
    service = site.start()
    with service.client() as client:
        assert client.get("/ready").status_code == 200
        assert client.post("/language/:analyze-text", params=VERSION, json=ANALYZE).status_code == 200
        assert loads(service, "numpy")
        assert not loads(service, "sqlalchemy"), "it would be a third of the start"
        job = submit(client, 1)
        done = finished(client, job)
        assert loads(service, "sqlalchemy")
    assert service.stop() == 0
    service = site.start()
    with service.client() as client:
        assert finished(client, job) == done
        assert loads(service, "sqlalchemy")
    assert service.stop() == 0


LATER = (
    "appliance.api.language.legacy_requests",
    "appliance.api.language.openapi",
    "appliance.ner.components.matcher",
    "appliance.server.admin",
    "license.models.package",
    "pyrage",
    "re2",
    "statistics",
    "websockets",
)
"""What only some requests, some models or some settings need."""


@pytest.mark.e2e
def test_what_only_some_requests_need_is_imported_by_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.forks = False
    site.issue()
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # each module is named in the log as it is imported
    service = site.start()
    begun, _, _ = service.text().partition(" ready: ")
    assert {"pydantic", "appliance.services.text"} <= imported(begun)
    assert imported(begun).isdisjoint(LATER)
    with service.client() as client:
        assert client.post("/language/:analyze-text", params=VERSION, json=ANALYZE).status_code == 200
        assert imported(service.text()).isdisjoint(LATER)
        legacy = {"documents": ANALYZE["analysisInput"]["documents"]}
        path = "/text/analytics/v3.1/entities/recognition/general"
        assert client.post(path, json=legacy).status_code == 200
    assert service.stop() == 0
    assert "appliance.api.language.legacy_requests" in imported(service.text())


def imported(log: str) -> set[str]:
    """Names of the modules whose import a log tells of."""
    lines = (line for line in log.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}
