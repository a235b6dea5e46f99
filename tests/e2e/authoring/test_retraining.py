"""Two people who train under one name, over a real socket."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.authoring.conftest import BASE, VERSION, Author, Start, write_project
from tests.support.site import Service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
TRAIN = f"{BASE}/ships/:train"
BEN = "another-key-for-tests"


def train(author: Author, **headers: str) -> Any:
    wanted = {name.replace("_", "-"): value for name, value in headers.items()}
    return author.client.post(TRAIN, params=VERSION, json={"modelLabel": "m1"}, headers=wanted)


def test_the_second_who_trains_under_a_name_hears_of_the_first(start: Start, documents: Path) -> None:
    service, ann = start(f"Authoring:Documents={documents}", f"ApiKeys:ben={BEN}")
    ann.done("POST", f"{BASE}/ships/:import", write_project(documents))
    first = train(ann, Repeatability_Request_ID="r1")
    same = train(ann, Repeatability_Request_ID="r1")
    assert same.headers["operation-location"] == first.headers["operation-location"]
    with as_ben(service) as client:
        ben = Author(client)
        refused = train(ben)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ModelLabelTaken")
        assert "being trained with the key tests since" in refused.json()["error"]["message"]
        assert ann.follow(first)["status"] == "succeeded"
        refused = train(ben, If_None_Match="*")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ModelLabelTaken")
        assert " with the key tests; this training would replace it" in refused.json()["error"]["message"]
        model = ben.call("GET", f"{BASE}/ships/models/m1").json()["modelId"]
        assert train(ben, If_Match='"another"').status_code == 409
        job = ben.follow(train(ben, If_Match=f'"{model}"'))
    assert job["status"] == "succeeded"
    told = " ".join(one["message"] for one in job["warnings"])
    assert "takes the place of the model m1" in told
    assert "with the key tests" in told


def as_ben(service: Service) -> Any:
    return service.client(headers={"Ocp-Apim-Subscription-Key": BEN})
