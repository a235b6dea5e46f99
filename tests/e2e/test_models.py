"""Several models at once: each under its own names, a broken one beside them, over a real socket."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from appliance.api.operations.responses import Models
from tests.support.paths import ENGLISH
from tests.support.site import SENTENCE, VERSION, Site


def entities(client: object, project: str, deployment: str) -> tuple[int, str]:
    reply = client.post(  # type: ignore[attr-defined]
        "/language/analyze-text/jobs",
        params=VERSION,
        json={
            "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
            "tasks": [
                {
                    "kind": "CustomEntityRecognition",
                    "parameters": {"projectName": project, "deploymentName": deployment},
                }
            ],
        },
    )
    if reply.status_code != 202:
        return reply.status_code, reply.json()["error"]["code"]
    state: dict[str, Any] = {"status": "running"}
    while state["status"] in ("notStarted", "running"):
        state = client.get(reply.headers["operation-location"]).json()  # type: ignore[attr-defined]
    results = state["tasks"]["items"][0]["results"]
    return 202, f"{results['projectName']}/{results['deploymentName']}"


@pytest.mark.e2e
def test_models_are_chosen_by_name_and_a_broken_one_is_told_and_does_not_matter(
    site: Site, tmp_path: Path
) -> None:
    mount = tmp_path / "modelPath"
    (mount / "acme").mkdir(parents=True)
    (mount / "acme" / "prod").symlink_to(ENGLISH)
    shutil.copytree(ENGLISH, mount / "acme" / "test")
    broken = mount / "acme" / "broken"
    shutil.copytree(ENGLISH, broken)
    with (broken / "tokenizer.json").open("r+b") as file:
        file.write(b"[")
    described = json.loads((mount / "acme" / "test" / "model.json").read_text())
    described["name"] = "another"
    (mount / "acme" / "test" / "model.json").write_text(json.dumps(described))
    site.issue()
    service = site.start(f"Models:Path={mount}")
    with service.client() as client:
        assert entities(client, "acme", "prod") == (202, "acme/prod")
        assert entities(client, "acme", "test") == (202, "acme/test")
        assert entities(client, "acme", "Prod") == (404, "ProjectNotFound")
        assert entities(client, "acme", "broken") == (404, "ProjectNotFound")
        listed = client.get("/models").json()
        told = {one["deploymentName"]: one for one in client.get("/status").json()["models"]}
    assert {name: one["status"] for name, one in told.items()} == {
        "prod": "ready",
        "test": "ready",
        "broken": "failed",
    }
    assert "tokenizer.json" in told["broken"]["reason"]
    Models.model_validate(listed)
    by_name = {model["deploymentName"]: model for model in listed["models"]}
    assert by_name["test"]["name"] == "another"
    assert by_name["prod"]["status"] == by_name["test"]["status"] == "ready"
    assert "tokenizer.json" in by_name["broken"]["reason"]
    assert "tokenizer.json" in service.text()
    assert service.stop() == 0


@pytest.mark.e2e
def test_the_containers_own_parameters_choose_the_model(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "v1").symlink_to(ENGLISH)
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'mount'}", "projectName=loans", "exportedModelName=v1")
    with service.client() as client:
        for name in ("v1", "production"):
            assert entities(client, "loans", name) == (202, f"loans/{name}")
    assert service.stop() == 0


@pytest.mark.e2e
def test_more_models_than_memory_holds_are_all_served(site: Site, tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    for name in names:
        shutil.copytree(ENGLISH, tmp_path / "mount" / "acme" / name, copy_function=os.link)
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'mount'}", "Models:MemoryMiB=64")  # of one and a bit
    with service.client() as client:
        assert "\nappliance_models_in_memory 1.0\n" in client.get("/metrics").text
        for name in (*names, *names):
            assert entities(client, "acme", name) == (202, f"acme/{name}")
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda name: entities(client, "acme", name), names * 4))
        assert found == [(202, f"acme/{name}") for name in names * 4]
        metrics = client.get("/metrics").text
    assert "\nappliance_models 3.0\n" in metrics
    assert "\nappliance_models_in_memory 1.0\n" in metrics
    assert "leaves memory to another" in service.text()
