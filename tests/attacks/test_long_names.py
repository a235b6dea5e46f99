"""Names and ids of a request, stored with a job and billed to nobody: they cannot fill the disk."""

from typing import Any

import httpx2
import pytest

from tests.support.site import VERSION, Service, Site

LONG = "x" * 100_000
JOBS = "/language/analyze-text/jobs"
LEGACY = "/text/analytics/v3.1/analyze"


def job(*, name: str = "n", task: str = "t", identifier: str = "1", project: str = "demo") -> dict[str, Any]:
    parameters = {"projectName": project, "deploymentName": "production"}
    return {
        "displayName": name,
        "analysisInput": {"documents": [{"id": identifier, "text": "Ada"}]},
        "tasks": [{"kind": "CustomEntityRecognition", "taskName": task, "parameters": parameters}],
    }


def legacy(*, name: str = "n", task: str = "t") -> dict[str, Any]:
    return {
        "displayName": name,
        "analysisInput": {"documents": [{"id": "1", "text": "Ada"}]},
        "tasks": {"entityRecognitionTasks": [{"taskName": task, "parameters": {}}]},
    }


def stored(site: Site) -> int:
    return sum(path.stat().st_size for path in site.home.rglob("*") if path.is_file())


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (JOBS, job(name=LONG), "displayName"),
        (JOBS, job(task=LONG), "taskName"),
        (JOBS, job(identifier=LONG), "id"),
        (JOBS, job(project=LONG), "projectName"),
        (LEGACY, legacy(name=LONG), "displayName"),
        (LEGACY, legacy(task=LONG), "taskName"),
    ],
)
def test_a_long_name_is_refused_with_its_field(
    client: httpx2.Client, path: str, body: dict[str, Any], field: str
) -> None:
    reply = client.post(path, params=VERSION, json=body)
    assert reply.status_code == 400
    assert field in reply.text
    assert "characters" in reply.text
    assert len(reply.content) < 1_000


@pytest.mark.e2e
def test_what_is_refused_leaves_nothing_on_the_disk(site: Site) -> None:
    site.issue()
    service: Service = site.start()
    before = stored(site)
    with service.client() as client:
        for _ in range(50):
            assert client.post(JOBS, params=VERSION, json=job(name=LONG)).status_code == 400
    assert stored(site) - before < 10 * len(LONG)


@pytest.mark.e2e
def test_names_of_512_characters_are_taken(client: httpx2.Client) -> None:
    body = job(name="x" * 512, task="y" * 512, identifier="z" * 512)
    assert client.post(JOBS, params=VERSION, json=body).status_code == 202
