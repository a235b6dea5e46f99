"""Boxes with the authoring API, and labelled texts to author with."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from license.authority.authority import Authority
from tests.support.site import Service, Site

KEY = "a-key-for-tests"
VERSION = {"api-version": "2023-04-15-preview"}
BASE = "/language/authoring/analyze-text/projects"
FIRMS = ("Contoso", "Fabrikam", "Northwind", "Litware", "Tailspin", "Adatum", "Wingtip", "Proseware")
SHIPS = ("Aurora", "Borealis", "Calypso", "Dauntless", "Endeavour", "Fortune", "Gannet", "Halcyon")


def write_project(documents: Path, count: int = 24) -> dict[str, Any]:
    """Write texts into the container `ships` below `documents` and return the project file."""
    folder = documents / "ships"
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number in range(count):
        firm, ship = FIRMS[number % 8], SHIPS[(number * 3 + number // 8) % 8]
        text = f"{firm} sold the vessel {ship} in port {number}."
        (folder / f"{number}.txt").write_text(text)
        labels = [
            {"category": category, "offset": text.index(name), "length": len(name)}
            for category, name in (("Seller", firm), ("Ship", ship))
        ]
        entries.append(
            {
                "location": f"{number}.txt",
                "language": "en",
                "dataset": "Test" if number % 6 == 5 else "Train",
                "entities": [{"regionOffset": 0, "regionLength": len(text), "labels": labels}],
            }
        )
    kind = {"projectKind": "CustomEntityRecognition"}
    return {
        "projectFileVersion": "2022-05-01",
        "stringIndexType": "Utf16CodeUnit",
        "metadata": {
            **kind,
            "storageInputContainerName": "ships",
            "projectName": "ships",
            "language": "en",
            "settings": {},
        },
        "assets": {**kind, "entities": [{"category": "Seller"}, {"category": "Ship"}], "documents": entries},
    }


class Author:
    """Calls the authoring API of a service over its socket."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def call(self, method: str, path: str, body: Any = None, **query: str) -> httpx2.Response:
        return self.client.request(method, path, params={**VERSION, **query}, json=body)

    def follow(self, reply: httpx2.Response, seconds: float = 400) -> dict[str, Any]:
        """Poll a job until it has ended."""
        assert reply.status_code == 202, reply.text
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job: dict[str, Any] = self.client.get(reply.headers["operation-location"]).json()
            if job["status"] in ("succeeded", "failed", "cancelled"):
                return job
            time.sleep(0.1)
        raise AssertionError(f"the job did not end: {job}")

    def done(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        job = self.follow(self.call(method, path, body, **query))
        assert job["status"] == "succeeded", job
        return job


Start = Callable[..., tuple[Service, Author]]


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority.create(tmp_path_factory.mktemp("vendor") / "home") as authority:
        yield authority


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Start]:
    """Start boxes with the API."""
    sites: list[Site] = []
    clients: list[httpx2.Client] = []

    def one(*words: str, site: Site | None = None) -> tuple[Service, Author]:
        if site is None:
            site = Site(tmp_path_factory.mktemp("box") / "site", vendor)
            site.issue()
            sites.append(site)
        service = site.start("Authoring:Enabled=true", f"ApiKeys:tests={KEY}", *words)
        clients.append(service.client(headers={"Ocp-Apim-Subscription-Key": KEY}))
        return service, Author(clients[-1])

    yield one
    for client in clients:
        client.close()
    for site in sites:
        site.close()


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Site]:
    """The mounts of the box below."""
    made = Site(tmp_path_factory.mktemp("box") / "site", vendor)
    made.issue()
    yield made
    made.close()


@pytest.fixture(scope="module")
def box(start: Start, site: Site, documents: Path) -> tuple[Service, Author, dict[str, Any]]:
    """A box with one project, imported, trained as `m1`, deployed as `prod` and exported as `v1`."""
    file = write_project(documents)
    service, author = start(f"Authoring:Documents={documents}", site=site)
    author.done("POST", f"{BASE}/ships/:import", file)
    body = {"MODELLABEL": "m1", "trainingConfigVersion": "fast", "evaluationOptions": {"kind": "manual"}}
    trained = author.done("POST", f"{BASE}/ships/:train", body)
    assert trained["result"]["trainingStatus"]["percentComplete"] > 90
    author.done("PUT", f"{BASE}/ships/deployments/prod", {"trainedModelLabel": "m1"})
    author.done("PUT", f"{BASE}/ships/exported-models/v1", {"TrainedmodelLabel": "m1"})
    return service, author, file
