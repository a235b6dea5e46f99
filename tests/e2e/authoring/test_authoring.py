"""The authoring API over a real socket: label file in, served model out."""

import copy
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from appliance.authoring.service import AuthoringService, open_authoring
from appliance.cli.main import main
from appliance.config.settings import Settings
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.pipeline.deployments import Deployments
from license.authority.authority import Authority
from tests.e2e.authoring.conftest import BASE, VERSION, Author, Start
from tests.support.site import Service, Site

Box = tuple[Service, Author, dict[str, Any]]
SENTENCE = "Litware sold the vessel Calypso in port 7."

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def entities(client: httpx2.Client, project: str, deployment: str, **document: str) -> list[tuple[str, str]]:
    parameters = {"projectName": project, "deploymentName": deployment}
    body = {
        "analysisInput": {"documents": [{"id": "1", "text": SENTENCE, **document}]},
        "tasks": [{"kind": "CustomEntityRecognition", "parameters": parameters}],
    }
    reply = client.post("/language/analyze-text/jobs", params={"api-version": "2023-04-01"}, json=body)
    if reply.status_code != 202:
        return [(str(reply.status_code), reply.json()["error"]["code"])]
    for _ in range(100):
        state = client.get(reply.headers["operation-location"]).json()
        if state["status"] == "succeeded":
            break
        time.sleep(0.05)
    found = state["tasks"]["items"][0]["results"]["documents"][0]["entities"]
    return [(one["text"], one["category"]) for one in found]


FOUND = [("Litware", "Seller"), ("Calypso", "Ship")]


def test_authoring_is_off_by_default_and_never_without_access_control(
    vendor: Authority, tmp_path: Path
) -> None:
    def opened(*words: str) -> AuthoringService | None:
        return open_authoring(
            Settings.read(words, {}),
            state=tmp_path / "state",
            deployments=Deployments(),
            load=lambda path: NerEngine.load(ModelFolder.open(path)),
            clock=time.time,
        )

    assert opened() is None
    assert opened("ApiKeys:a=key") is None
    assert not (tmp_path / "state").exists()
    site = Site(tmp_path / "site", vendor)
    site.issue()
    refused = site.run("Authoring:Enabled=true")
    assert refused.returncode == 78
    assert "access control" in refused.stderr + refused.stdout


def test_a_trained_model_is_deployed_and_answers(box: Box) -> None:
    _, author, _ = box
    assert entities(author.client, "ships", "prod") == FOUND
    listed = author.client.get("/models").json()["models"]
    assert ("ships", "prod") in [(one["projectName"], one["deploymentName"]) for one in listed]
    shown = author.call("GET", f"{BASE}/ships/deployments/prod").json()
    model = author.call("GET", f"{BASE}/ships/models/m1").json()
    assert shown["modelId"] == model["modelId"]
    assert model["lastTrainingDurationInSeconds"] >= 0
    assert author.call("GET", f"{BASE}/ships/deployments").json()["value"] == [shown]
    project = author.call("GET", f"{BASE}/ships").json()
    assert project.keys() >= {"lastTrainedDateTime", "lastDeployedDateTime", "storageInputContainerName"}
    assert [one["projectName"] for one in author.call("GET", BASE).json()["value"]] == ["ships"]


def test_without_the_key_nothing_is_shown_or_changed(box: Box) -> None:
    service, _, file = box
    with service.client() as stranger:
        for method, path in (("GET", BASE), ("DELETE", f"{BASE}/ships"), ("POST", f"{BASE}/x/:import")):
            assert stranger.request(method, path, params=VERSION, json=file).status_code == 401


def test_the_evaluation_is_by_category_and_by_document(box: Box) -> None:
    _, author, file = box
    summary = author.call("GET", f"{BASE}/ships/models/m1/evaluation/summary-result").json()
    assert summary["evaluationOptions"] == {"kind": "manual"}
    scores = summary["customEntityRecognitionEvaluation"]
    assert scores["entities"].keys() == {"Seller", "Ship"}
    assert scores["microF1"] > 0.7
    assert scores["confusionMatrix"]["Ship"]["Ship"]["rawValue"] >= 3
    results = author.call(
        "GET", f"{BASE}/ships/models/m1/evaluation/result", stringIndexType="Utf16CodeUnit"
    ).json()["value"]
    tests = {one["location"] for one in file["assets"]["documents"] if one["dataset"] == "Test"}
    assert {one["location"] for one in results} == tests
    first = results[0]["customEntityRecognitionResult"]["entities"][0]
    assert {one["category"] for one in first["expectedEntities"]} == {"Seller", "Ship"}
    paged = author.call("GET", f"{BASE}/ships/models/m1/evaluation/result", maxpagesize="3").json()
    assert len(paged["value"]) == 3
    assert len(author.client.get(paged["nextLink"]).json()["value"]) == len(tests) - 3


def test_mistakes_of_the_label_file_are_all_told_by_the_training_job(box: Box, documents: Path) -> None:
    _, author, file = box
    wrong = copy.deepcopy(file)
    label = {"category": "Nobody", "offset": 0, "length": 500}
    wrong["assets"]["documents"][0]["entities"] = [{"labels": [label]}]
    wrong["assets"]["documents"][1]["location"] = "missing.txt"
    author.done("POST", f"{BASE}/wrong/:import", wrong)
    reply = author.call("POST", f"{BASE}/wrong/:train", {"modelLabel": "m"})
    job = author.follow(reply)
    assert job["status"] == "failed"
    told = " ".join(one["message"] for one in job["errors"])
    assert all(words in told for words in ("Nobody", "lies outside the text", "missing.txt"))
    assert author.call("GET", f"{BASE}/wrong/models").json()["value"] == []
    gone = author.follow(author.call("DELETE", f"{BASE}/wrong"))
    assert gone["status"] == "succeeded"
    assert author.call("GET", f"{BASE}/wrong").status_code == 404


def test_a_training_is_cancelled(box: Box) -> None:
    _, author, _ = box
    reply = author.call("POST", f"{BASE}/ships/:train", {"modelLabel": "late"})
    job = reply.headers["operation-location"].partition("?")[0].rpartition("/")[2]
    path = f"{BASE}/ships/train/jobs/{job}"
    assert author.call("POST", f"{path}/:cancel").status_code == 202
    assert author.follow(reply, 20)["status"] == "cancelled"
    assert author.call("POST", f"{path}/:cancel").status_code == 400
    assert author.call("GET", f"{BASE}/ships/models/late").status_code == 404
    assert len(author.call("GET", f"{BASE}/ships/train/jobs").json()["value"]) >= 2


def test_deployments_are_swapped_and_deleted(box: Box) -> None:
    _, author, _ = box
    author.done("PUT", f"{BASE}/ships/deployments/blue", {"trainedModelLabel": "m1"})
    names = {"firstDeploymentName": "blue", "secondDeploymentName": "prod"}
    author.done("POST", f"{BASE}/ships/deployments/:swap", names)
    assert entities(author.client, "ships", "blue") == FOUND
    reply = author.call("DELETE", f"{BASE}/ships/deployments/blue")
    assert author.follow(reply)["status"] == "succeeded"
    assert entities(author.client, "ships", "blue") == [("404", "ProjectNotFound")]


def test_lists_expressions_and_the_threshold_of_a_project_are_served_and_travel(
    box: Box, start: Start, documents: Path, tmp_path: Path
) -> None:
    _, author, file = box
    listed = copy.deepcopy(file)
    words = {
        "sublists": [{"listKey": "v", "synonyms": [{"language": "en", "values": ["vessel", "in port"]}]}]
    }
    number = {"expressions": [{"regexKey": "n", "language": "en", "regexPattern": "[0-9]+"}]}
    listed["assets"]["entities"] += [
        {"category": "Kind", "compositionSetting": "combineComponents", "list": words},
        {"category": "Port", "regex": number},
    ]
    listed["metadata"]["settings"] = {"confidenceThreshold": 1}
    author.done("POST", f"{BASE}/listed/:import", listed)
    exported = author.done("POST", f"{BASE}/listed/:export", stringIndexType="Utf16CodeUnit")
    again = author.client.get(exported["resultUrl"]).json()
    assert again["assets"]["entities"] == listed["assets"]["entities"]
    job = author.done("POST", f"{BASE}/listed/:train", {"modelLabel": "m1"})
    assert "its list and expressions alone find it" in str(job["warnings"])
    author.done("PUT", f"{BASE}/listed/deployments/prod", {"trainedModelLabel": "m1"})
    found = [("vessel", "Kind"), ("in port", "Kind"), ("7", "Port")]  # nothing learnt is that sure
    assert entities(author.client, "listed", "prod") == found
    shown = {one["projectName"]: one for one in author.client.get("/models").json()["models"]}
    assert {"Kind", "Port"} <= set(shown["listed"]["categories"])
    author.done("PUT", f"{BASE}/listed/exported-models/v1", {"trainedModelLabel": "m1"})
    files = author.call("GET", f"{BASE}/listed/exported-models/v1/manifest").json()["modelFiles"]
    source = tmp_path / "carried"
    source.mkdir()
    for one in files:
        (source / one["name"]).write_bytes(author.client.get(one["contentUri"]).read())
    models = tmp_path / "models"
    done = CliRunner().invoke(
        main, ["models", "add", str(source), "--project", "listed", "--name", "v1", f"Models:Path={models}"]
    )
    assert done.exit_code == 0, done.output
    _, other = start(f"Models:Path={models}", f"Authoring:Documents={documents}")
    assert entities(other.client, "listed", "v1") == found


def test_synonyms_of_a_multilingual_project_are_those_of_the_language_that_a_request_names(box: Box) -> None:
    _, author, file = box
    spoken = copy.deepcopy(file)
    words = [{"language": "en", "values": ["vessel"]}, {"language": "de", "values": ["in port"]}]
    spoken["assets"]["entities"].append({"category": "Kind", "list": {"sublists": [{"synonyms": words}]}})
    spoken["metadata"] |= {"settings": {"confidenceThreshold": 1}, "multilingual": True, "language": "de"}
    author.done("POST", f"{BASE}/spoken/:import", spoken)
    assert "modelLanguages" not in author.call("GET", f"{BASE}/spoken").json()
    author.done("POST", f"{BASE}/spoken/:train", {"modelLabel": "m1"})
    author.done("PUT", f"{BASE}/spoken/deployments/prod", {"trainedModelLabel": "m1"})
    for language, found in (("en-us", ["vessel"]), ("de", ["in port"]), ("", ["in port"]), ("fr", [])):
        answered = entities(author.client, "spoken", "prod", language=language)
        assert [text for text, _ in answered] == found


def test_a_training_says_the_languages_of_its_model_and_scores_each_language_of_the_test(box: Box) -> None:
    _, author, file = box
    mixed = copy.deepcopy(file)
    mixed["metadata"] |= {"multilingual": True, "language": "en"}
    tests = [one for one in mixed["assets"]["documents"] if one["dataset"] == "Test"]
    tests[0]["language"] = "de"
    del tests[1]["language"]
    author.done("POST", f"{BASE}/mixed/:import", mixed)
    job = author.done(
        "POST",
        f"{BASE}/mixed/:train",
        {"modelLabel": "m1", "evaluationOptions": {"kind": "manual"}},
    )
    assert job["result"]["modelLanguages"] == ["en", "multilingual"]
    project = author.call("GET", f"{BASE}/mixed").json()
    assert (project["language"], project["multilingual"], project["modelLanguages"]) == (
        "en",
        True,
        ["en", "multilingual"],
    )
    assert author.call("GET", f"{BASE}/mixed/models/m1").json()["modelLanguages"] == ["en", "multilingual"]
    listed = author.call("GET", f"{BASE}/mixed/models").json()["value"]
    assert [one["modelLanguages"] for one in listed] == [["en", "multilingual"]]
    path = f"{BASE}/mixed/models/m1/evaluation"
    summary = author.call("GET", f"{path}/summary-result").json()["customEntityRecognitionEvaluation"]
    assert {name: one["documentCount"] for name, one in summary["languages"].items()} == {
        "de": 1,
        "en": len(tests) - 1,
    }
    results = author.call("GET", f"{path}/result").json()["value"]
    assert sorted(one["language"] for one in results) == ["de", *["en"] * (len(tests) - 1)]
    whole = author.call("GET", f"{BASE}/ships/models/m1/evaluation/summary-result").json()
    assert "languages" not in whole["customEntityRecognitionEvaluation"]


def test_what_a_project_asks_for_and_is_not_served_is_refused_at_import(box: Box) -> None:
    _, author, file = box
    for change, said in (
        ({"prebuilts": [{"category": "DateTime"}]}, "prebuilt components are not served here"),
        ({"regex": {"expressions": [{"regexPattern": "(?<=x)secret"}]}}, "the expression is refused"),
    ):
        wrong = copy.deepcopy(file)
        wrong["assets"]["entities"][0].update(change)
        reply = author.call("POST", f"{BASE}/refused/:import", wrong)
        assert reply.status_code == 400
        assert said in reply.text
        assert "secret" not in reply.text
    reply = author.call("PATCH", f"{BASE}/ships", {"settings": {"confidenceThreshold": 7}})
    assert reply.status_code == 400
    assert "confidenceThreshold is a number from 0 to 1" in reply.text


def test_an_exported_model_is_served_by_the_containers_start_on_another_box(
    start: Start, box: Box, tmp_path: Path, documents: Path
) -> None:
    _, author, _ = box
    listed = author.call("GET", f"{BASE}/ships/exported-models").json()["value"]
    assert [one["exportedModelName"] for one in listed] == ["v1"]
    files = author.call("GET", f"{BASE}/ships/exported-models/v1/manifest").json()["modelFiles"]
    names = {one["name"] for one in files}
    assert names >= {"model.onnx", "tokenizer.json", "config.json", "model.json", "MODEL_CARD.md"}
    assert not names & {"evaluation.json", "results.json"}  # they quote the customer's documents
    mount = tmp_path / "modelPath" / "ships" / "v1"
    mount.mkdir(parents=True)
    for one in files:
        (mount / one["name"]).write_bytes(author.client.get(one["contentUri"]).read())
    escape = f"{BASE}/ships/exported-models/v1/files/..%2F..%2Fauthoring.db"
    assert author.call("GET", escape).status_code == 404
    # The second box serves the exported model, and takes a copy of the project.
    _, other = start(
        f"Models:Path={tmp_path / 'modelPath'}",
        "projectName=ships",
        "exportedModelName=v1",
        f"Authoring:Documents={documents}",
    )
    assert entities(other.client, "ships", "v1") == FOUND
    job = author.done("POST", f"{BASE}/ships/:export", stringIndexType="Utf16CodeUnit")
    file = author.client.get(job["resultUrl"]).json()
    other.done("POST", f"{BASE}/ships/:import", file)
    again = other.client.get(other.done("POST", f"{BASE}/ships/:export")["resultUrl"]).json()
    assert again == file
    here, there = (one.call("GET", f"{BASE}/ships").json()["lastModifiedDateTime"] for one in (author, other))
    assert there >= here


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/ships/:train", {}, 400),
        ("POST", "/ships/:train", {"modelLabel": "../x"}, 400),
        ("POST", "/ships/:train", {"modelLabel": "m", "trainingConfigVersion": "1999"}, 400),
        ("POST", "/none/:train", {"modelLabel": "m"}, 404),
        ("POST", "/ships/:import", {"metadata": {"projectKind": "CustomSingleLabelClassification"}}, 400),
        ("POST", "/ships/:import", [1], 400),
        ("PATCH", "/..%2Fx", {}, 404),
        ("PATCH", "/x y", {}, 400),
        ("PATCH", "/x", {"storageInputContainerName": "../etc"}, 400),
        ("PUT", "/ships/deployments/prod", {"trainedModelLabel": "none"}, 404),
        ("PUT", "/ships/deployments/global", {"trainedModelLabel": "m1"}, 400),
        ("GET", "/ships/train/jobs/7", None, 404),
        ("GET", "/ships/models/none/evaluation/summary-result", None, 404),
        ("POST", "/ships/:export?stringIndexType=TextElements_v8", None, 400),
        ("POST", "/ships/deployments/:swap", {"firstDeploymentName": "a", "secondDeploymentName": "b"}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_apis_own_words(
    box: Box, method: str, path: str, body: Any, status: int
) -> None:
    _, author, _ = box
    path, _, query = path.partition("?")
    extra = dict([query.split("=")]) if query else {}
    reply = author.call(method, BASE + path, body, **extra)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["code"]
    assert author.client.get(BASE).json()["error"]["code"] == "MissingApiVersionParameter"


def test_a_project_is_made_and_changed_by_patch(box: Box) -> None:
    _, author, _ = box
    body = {"projectKind": "CustomEntityRecognition", "storageInputContainerName": "c", "language": "en"}
    made = author.call("PATCH", f"{BASE}/made", body)
    assert made.status_code == 201
    changed = author.call("PATCH", f"{BASE}/made", {"description": "changed"})
    assert changed.status_code == 200
    assert changed.json()["description"] == "changed"
    assert changed.json()["storageInputContainerName"] == "c"
    assert author.follow(author.call("DELETE", f"{BASE}/made"))["status"] == "succeeded"


def test_the_numbers_of_a_comparison_are_kept_with_the_card_of_a_deployed_model(box: Box) -> None:
    _, author, _ = box
    card = f"{BASE}/ships/deployments/prod/card"
    before = author.call("GET", card).json()["card"]
    numbers = {"f1A": 0.7, "f1B": 0.9, "difference": 0.2, "low": -0.1, "high": 0.3, "support": 4}
    found = {"a": "ships/prod", "b": "demo/production", "documents": 2, "all": numbers, "categories": {}}
    kept = author.call("POST", card, {**found, "shown": [{"sentence": SENTENCE}]}).json()["card"]
    assert kept.startswith(before.rstrip())
    assert "| all | 70.0 | 90.0 | -20.0 | -30.0 … +10.0 | 4 |" in kept
    assert SENTENCE not in kept
    assert author.call("GET", card).json()["card"] == kept
    for body, said in (({**found, "a": "other"}, "and not ships/prod"), ({}, "is no comparison")):
        refused = author.call("POST", card, body)
        assert refused.status_code == 400
        assert said in refused.text
        assert "/models/" not in refused.text
    assert author.call("POST", f"{BASE}/ships/deployments/none/card", found).status_code == 404


def test_a_restart_serves_again_what_was_deployed(start: Start, site: Site, box: Box) -> None:
    service, _, _ = box
    assert service.stop() == 0
    _, again = start(site=site)
    assert entities(again.client, "ships", "prod") == FOUND
