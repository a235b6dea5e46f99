"""A project deployed by the authoring API of one box is served by all that read its `Models:Path`."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from license.authority.authority import Authority
from tests.e2e.authoring.conftest import BASE, Start, write_project
from tests.e2e.authoring.test_authoring import FOUND, entities
from tests.support.paths import ENGLISH
from tests.support.site import Site

pytestmark = pytest.mark.e2e


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def names(client: httpx2.Client) -> list[str]:
    return [one["deploymentName"] for one in client.get("/models").json()["models"]]


@pytest.mark.slow
def test_what_is_deployed_on_one_box_is_served_by_all_and_withdrawn_from_all(
    start: Start, vendor: Authority, documents: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    mount = tmp_path / "models"
    shutil.copytree(ENGLISH, mount / "demo" / "production")
    site = Site(tmp_path / "box", vendor)
    other = Site(tmp_path / "other", vendor)
    for one in (site, other):
        request.addfinalizer(one.close)
        one.issue()
    words = (f"Authoring:Documents={documents}", f"Models:Path={mount}", "Authoring:Publish=True")
    box, author = start(*words, site=site)
    replica = other.start(f"Models:Path={mount}")
    author.done("POST", f"{BASE}/ships/:import", write_project(documents))
    author.done("POST", f"{BASE}/ships/:train", {"modelLabel": "m1", "trainingConfigVersion": "fast"})
    author.done("PUT", f"{BASE}/ships/deployments/prod", {"trainedModelLabel": "m1"})
    put = {path.name for path in (mount / "ships" / "prod").iterdir()}
    assert {"model.onnx", "model.json"} <= put
    assert not put & {"evaluation.json", "results.json"}, "they quote the customer's documents"
    replica.reload()
    with replica.client() as client:
        until(lambda: "prod" in names(client))
        assert entities(client, "ships", "prod") == FOUND
    assert entities(author.client, "ships", "prod") == FOUND
    author.client.close()
    assert box.stop() == 0
    box, author = start(*words, site=site)
    assert names(author.client) == ["production", "prod"], "it is served once"
    author.done("DELETE", f"{BASE}/ships/deployments/prod")
    assert not (mount / "ships").exists()
    replica.reload()
    with replica.client() as client:
        until(lambda: names(client) == ["production"])


def test_there_is_no_publishing_without_a_place(vendor: Authority, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", vendor)
    site.issue()
    result = site.run("Authoring:Enabled=True", "ApiKeys:a=0123456789abcdef", "Authoring:Publish=True")
    assert result.returncode == 78
    assert "Authoring:Publish=True needs Models:Path" in result.stderr
