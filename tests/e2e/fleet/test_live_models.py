"""Models come and go below a common `Models:Path` while replicas serve, and no request fails by it."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.e2e.test_jobs_survive import JOBS, finished
from tests.e2e.test_models import entities
from tests.support.paths import ENGLISH
from tests.support.site import NO_TLS, SENTENCE, VERSION, Service, Site

pytestmark = pytest.mark.e2e


def put(mount: Path, project: str, name: str, release: str) -> None:
    """Put a model there, or in the place of the one that is there, as `models add` does."""
    made = mount / f".{name}"
    shutil.copytree(ENGLISH, made)
    described = json.loads((made / "model.json").read_text())
    described["release"] = release
    (made / "model.json").write_text(json.dumps(described))
    (mount / project).mkdir(exist_ok=True)
    place, gone = mount / project / name, mount / f".gone-{name}"
    if place.exists():
        place.rename(gone)
    made.rename(place)
    shutil.rmtree(gone, ignore_errors=True)


def served(service: Service) -> dict[str, str]:
    with service.client() as client:
        models = client.get("/models").json()["models"]
    return {
        f"{one['projectName']}/{one['deploymentName']}": one.get("modelVersion", one["status"])
        for one in models
    }


def serves(service: Service, models: dict[str, str]) -> bool:
    return served(service) == models


def threads(service: Service) -> int:
    return len(list(Path(f"/proc/{service.process.pid}/task").iterdir()))


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    made = tmp_path / "models"
    made.mkdir()
    put(made, "acme", "a", "1.0.0")
    return made


def test_what_is_put_changed_and_taken_away_reaches_every_replica_at_sighup(
    new_site: Callable[..., Site], mount: Path
) -> None:
    services = []
    for name in ("one", "two"):
        site = new_site(name)
        site.issue()
        services.append(site.start(f"Models:Path={mount}"))
    put(mount, "acme", "b", "1.0.0")
    for service in services:
        service.reload()
        until(partial(serves, service, {"acme/a": "1.0.0", "acme/b": "1.0.0"}))
        with service.client() as client:
            assert entities(client, "acme", "b") == (202, "acme/b")
    put(mount, "acme", "b", "1.1.0")
    shutil.rmtree(mount / "acme" / "a")
    for service in services:
        service.reload()
        until(partial(serves, service, {"acme/b": "1.1.0"}))
        with service.client() as client:
            assert entities(client, "acme", "a") == (404, "ProjectNotFound")
        assert service.stop() == 0
        assert "was taken away" in service.text()


def test_what_cannot_be_served_changes_nothing(site: Site, mount: Path) -> None:
    site.issue()
    service = site.start(f"Models:Path={mount}")
    with (mount / "acme" / "a" / "tokenizer.json").open("r+b") as file:
        file.write(b"[")
    shutil.copytree(mount / "acme" / "a", mount / "acme" / "broken")
    service.reload()
    until(lambda: served(service) == {"acme/a": "1.0.0", "acme/broken": "failed"})
    assert "the model before stays" in service.text()
    (mount / "acme").rename(mount / ".acme")
    service.reload()
    until(lambda: "the models that are served stay" in service.text())
    with service.client() as client:
        assert entities(client, "acme", "a") == (202, "acme/a")
    assert service.stop() == 0


def test_requests_and_jobs_under_way_end_with_the_model_they_began_with(site: Site, mount: Path) -> None:
    site.issue()
    service = site.start(f"Models:Path={mount}")
    with service.client() as client:
        assert entities(client, "acme", "a") == (202, "acme/a")
    before = threads(service)
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
        with httpx2.Client(base_url=service.url, trust_env=False, verify=NO_TLS, timeout=30) as client:
            while not done.is_set():
                reply = client.post("/language/:analyze-text", params=VERSION, json=body)
                statuses.append(reply.status_code)

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    with service.client() as client:
        reply = client.post(
            JOBS,
            params=VERSION,
            json={
                "analysisInput": {"documents": [{"id": str(n), "text": SENTENCE * 40} for n in range(25)]},
                "tasks": [
                    {
                        "kind": "CustomEntityRecognition",
                        "parameters": {"projectName": "acme", "deploymentName": "a"},
                    }
                ],
            },
        )
        job = reply.headers["operation-location"].partition("?")[0].rpartition("/")[2]
        put(mount, "acme", "a", "2.0.0")
        service.reload()
        until(lambda: served(service) == {"acme/a": "2.0.0"})
        assert finished(client, job)["status"] == "succeeded"
    time.sleep(0.3)
    done.set()
    for caller in callers:
        caller.join(30)
    assert set(statuses) == {200}
    until(lambda: threads(service) <= before + 1)  # the model before has ended; a helper of the loop may stay
    assert service.stop() == 0


def test_a_model_whose_folder_breaks_stays_in_memory_and_one_that_had_left_it_is_said_to_have_failed(
    site: Site, mount: Path
) -> None:
    for name in ("b", "c"):
        put(mount, "acme", name, "1.0.0")
    site.issue()
    service = site.start(f"Models:Path={mount}", "Models:MemoryMiB=64")  # of one and a bit
    for name in ("a", "b"):  # "a" is the one in memory, "b" is not
        with (mount / "acme" / name / "tokenizer.json").open("r+b") as file:
            file.write(b"[")
    with service.client() as client:
        for _ in range(2):
            assert entities(client, "acme", "c") == (202, "acme/c")
            assert entities(client, "acme", "a") == (202, "acme/a")
        assert "\nappliance_models_in_memory 2.0\n" in client.get("/metrics").text
        service.reload()
        until(lambda: served(service) == {"acme/a": "1.0.0", "acme/b": "failed", "acme/c": "1.0.0"})
        assert f"{mount}/acme/a now cannot be served; the model before stays" in service.text()
        assert f"the model before in {mount}/acme/b has left memory" in service.text()
        assert entities(client, "acme", "a") == (202, "acme/a")
        assert entities(client, "acme", "b")[0] == 404
    assert service.stop() == 0
