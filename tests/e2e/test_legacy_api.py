"""The legacy Text Analytics API over a real socket, in the shapes its published clients read."""

import uuid
from typing import Any

import httpx2
import pytest

from appliance.api.language.legacy_requests import OTHER_TASKS
from appliance.api.language.responses import LegacyJobState, LegacyResults
from appliance.api.responses import ErrorResponse

SENTENCE = "Angela Merkel met reporters from Reuters in Berlin."
CUSTOM = ("v3.2-preview.2", "v3.1-preview.ct.1")
NAMES = {"project-name": "demo", "deployment-name": "production"}


def analyze(client: httpx2.Client, version: str, tasks: dict[str, Any], *texts: str) -> httpx2.Response:
    documents = [{"id": str(n), "text": text} for n, text in enumerate(texts or (SENTENCE,))]
    body = {"displayName": "MyJobName", "analysisInput": {"documents": documents}, "tasks": tasks}
    return client.post(f"/text/analytics/{version}/analyze", json=body)


def state(client: httpx2.Client, submitted: httpx2.Response, **query: str) -> dict[str, Any]:
    assert submitted.status_code == 202, submitted.text
    assert submitted.content == b""
    for _ in range(200):
        found = client.get(submitted.headers["operation-location"], params=query).json()
        if found["status"] not in ("notStarted", "running"):
            LegacyJobState.model_validate(found)
            return dict(found)
    raise AssertionError("the job never ended")


@pytest.mark.parametrize("version", CUSTOM)
@pytest.mark.parametrize("unit", ["TextElement_v8", "TextElements_v8"])
def test_custom_tasks_answer_in_the_superset_of_both_previews(
    client: httpx2.Client, version: str, unit: str
) -> None:
    empty: dict[str, Any] = {
        "entityRecognitionTasks": [],
        "keyPhraseExtractionTasks": [],
        "sentimentAnalysisTasks": [],
    }
    task = {"parameters": {**NAMES, "stringIndexType": unit}, "taskName": "0"}
    submitted = analyze(client, version, {**empty, "customEntityRecognitionTasks": [task]})
    location = submitted.headers["operation-location"]
    base = f"{str(client.base_url).rstrip('/')}/text/analytics/{version}/analyze/jobs/"
    assert location.startswith(base)
    uuid.UUID(location.removeprefix(base))
    found = state(client, submitted, showStats="True")
    assert found["status"] == "succeeded"
    assert found["displayName"] == "MyJobName"
    tasks = found["tasks"]
    assert (tasks["completed"], tasks["failed"], tasks["inProgress"], tasks["total"]) == (1, 0, 0, 1)
    (item,) = tasks["customEntityRecognitionTasks"]
    assert item["state"] == item["status"] == "succeeded"
    assert item["taskName"] == item["name"] == "0"
    results = item["results"]
    assert (results["projectName"], results["deploymentName"]) == ("demo", "production")
    assert [e["text"] for e in results["documents"][0]["entities"]] == ["Angela Merkel", "Reuters", "Berlin"]
    assert results["statistics"]["transactionsCount"] == 1
    if version == "v3.1-preview.ct.1":
        assert tasks["tasks"]["customEntityRecognitionTasks"] == [item]
        assert tasks["details"]["status"] == "succeeded"
    else:
        assert "tasks" not in tasks


def test_the_oldest_clients_name_a_model_id_and_a_task_name_of_their_own(client: httpx2.Client) -> None:
    task = {"parameters": {"modelId": "0c9b_custom_latest"}, "name": "mine"}
    found = state(client, analyze(client, "v3.1-preview.ct.1", {"customEntityRecognitionTasks": [task]}))
    (item,) = found["tasks"]["customEntityRecognitionTasks"]
    assert item["name"] == "mine"
    assert item["results"]["projectName"] == "demo"


@pytest.mark.parametrize("version", ["v3.1", *CUSTOM])
def test_prebuilt_tasks_are_served_by_every_version(client: httpx2.Client, version: str) -> None:
    tasks = {"entityRecognitionTasks": [{"parameters": {"model-version": "latest"}, "taskName": "x"}] * 2}
    found = state(client, analyze(client, version, tasks))
    items = found["tasks"]["entityRecognitionTasks"]
    assert len(items) == 2
    assert all(item["results"]["modelVersion"] for item in items)


@pytest.mark.parametrize(
    ("version", "tasks"),
    [
        ("v3.1", {"customEntityRecognitionTasks": [{"parameters": NAMES}]}),
        ("v3.2-preview.2", {"keyPhraseExtractionTasks": [{"parameters": {}}]}),
        ("v3.2-preview.2", {"entityRecognitionTasks": []}),
        ("v3.2-preview.2", {"customEntityRecognitionTasks": [{"parameters": {}}]}),
        ("v3.2-preview.2", {"entityRecognitionTasks": [{"parameters": {"stringIndexType": "bytes"}}]}),
    ],
)
def test_what_is_not_served_is_a_400_that_says_so(
    client: httpx2.Client, version: str, tasks: dict[str, Any]
) -> None:
    reply = analyze(client, version, tasks)
    ErrorResponse.model_validate(reply.json())
    assert (reply.status_code, reply.json()["error"]["innererror"]["code"]) == (400, "InvalidParameterValue")


def test_an_unknown_deployment_is_a_404_at_submit(client: httpx2.Client) -> None:
    parameters = {**NAMES, "deployment-name": "nowhere"}
    reply = analyze(client, CUSTOM[0], {"customEntityRecognitionTasks": [{"parameters": parameters}]})
    assert reply.status_code == 404


@pytest.mark.parametrize("spelling", ["", "$"])
def test_pages_follow_the_legacy_link_in_either_spelling(client: httpx2.Client, spelling: str) -> None:
    tasks = {"customEntityRecognitionTasks": [{"parameters": NAMES}]}
    submitted = analyze(client, "v3.2-preview.2", tasks, *[SENTENCE] * 25)
    first = state(client, submitted, showStats="true")
    assert len(first["tasks"]["customEntityRecognitionTasks"][0]["results"]["documents"]) == 20
    assert "$skip=20&$top=5" in first["@nextLink"]
    last = client.get(first["@nextLink"]).json()
    assert len(last["tasks"]["customEntityRecognitionTasks"][0]["results"]["documents"]) == 5
    assert "@nextLink" not in last
    own = state(client, submitted, **{f"{spelling}top": "3", f"{spelling}skip": "24"})
    (item,) = own["tasks"]["customEntityRecognitionTasks"]
    assert [d["id"] for d in item["results"]["documents"]] == ["24"]


@pytest.mark.parametrize("version", ["v3.1", "v3.2-preview.2"])
def test_synchronous_recognition_answers_without_any_envelope(client: httpx2.Client, version: str) -> None:
    reply = client.post(
        f"/text/analytics/{version}/entities/recognition/general",
        params={"showStats": "true", "stringIndexType": "Utf16CodeUnit", "model-version": "latest"},
        json={"documents": [{"id": "1", "text": "\U0001f600 " + SENTENCE}, {"id": "2", "text": ""}]},
        headers={"Content-Type": "text/json; charset=utf-8"},
    )
    assert reply.status_code == 200
    LegacyResults.model_validate(reply.json())
    (document,) = reply.json()["documents"]
    assert document["entities"][0]["offset"] == 3
    assert reply.json()["errors"][0]["error"]["innererror"]["code"] == "InvalidDocument"
    assert reply.json()["statistics"]["documentsCount"] == 2
    assert reply.headers["Usage-Record"]


@pytest.mark.parametrize("body", [{}, {"documents": []}, {"documents": None}])
def test_missing_documents_carry_the_older_word(client: httpx2.Client, body: dict[str, Any]) -> None:
    reply = client.post("/text/analytics/v3.1/entities/recognition/general", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["innererror"]["code"] == "MissingInputRecords"


@pytest.mark.parametrize("version", ["v3.1", "v3.2-preview.2"])
@pytest.mark.parametrize("text", ["", None, " \n"])
def test_a_document_without_text_is_its_own_error_and_costs_nothing(
    client: httpx2.Client, version: str, text: str | None
) -> None:
    path = f"/text/analytics/{version}/entities/recognition/general"
    alone = client.post(path, json={"documents": [{"id": "a", "text": text}]})
    assert alone.status_code == 200, alone.text
    assert "Usage-Record" not in alone.headers
    beside = client.post(path, json={"documents": [{"id": "b", "text": SENTENCE}, {"id": "a", "text": text}]})
    assert [d["id"] for d in beside.json()["documents"]] == ["b"]
    for reply in (alone, beside):
        LegacyResults.model_validate(reply.json())
        (error,) = reply.json()["errors"]
        assert (error["id"], error["error"]["innererror"]["message"]) == ("a", "Document text is empty.")
    inputs = {"documents": [{"id": "a", "text": text}]}
    tasks: dict[str, Any] = {"entityRecognitionTasks": [{}]}
    refused = client.post(
        f"/text/analytics/{version}/analyze", json={"analysisInput": inputs, "tasks": tasks}
    )
    assert (refused.status_code, refused.json()["error"]["innererror"]["code"]) == (
        400,
        "InvalidDocumentBatch",
    )


@pytest.mark.parametrize("bad", [{"id": ""}, {"id": None}, {}])
def test_a_document_without_an_id_has_its_batch_refused(client: httpx2.Client, bad: dict[str, Any]) -> None:
    inputs = {"documents": [{"id": "a", "text": SENTENCE}, {**bad, "text": SENTENCE}]}
    at_once = client.post("/text/analytics/v3.1/entities/recognition/general", json=inputs)
    tasks: dict[str, Any] = {"entityRecognitionTasks": [{}]}
    as_job = client.post("/text/analytics/v3.1/analyze", json={"analysisInput": inputs, "tasks": tasks})
    for reply in (at_once, as_job):
        assert reply.status_code == 400
        assert reply.json()["error"]["innererror"] == {
            "code": "InvalidDocument",
            "message": "At least one document is missing an Id attribute.",
        }


@pytest.mark.parametrize("version", ["v3.1", *CUSTOM])
def test_optional_fields_and_lists_of_other_tasks_may_be_null(client: httpx2.Client, version: str) -> None:
    nulls = {"model-version": None, "stringIndexType": None, "loggingOptOut": None}
    tasks: dict[str, Any] = dict.fromkeys(("customEntityRecognitionTasks", *OTHER_TASKS))
    tasks["entityRecognitionTasks"] = [{"parameters": None, "taskName": None}, {"parameters": nulls}]
    if version in CUSTOM:
        tasks["customEntityRecognitionTasks"] = [{"parameters": {**NAMES, **nulls}}]
    found = state(client, analyze(client, version, tasks))
    assert found["tasks"]["completed"] == 2 + (version in CUSTOM)
    for item in found["tasks"]["entityRecognitionTasks"]:
        assert len(item["results"]["documents"][0]["entities"]) == 3
    if version in CUSTOM:
        only_custom = {**tasks, "entityRecognitionTasks": None}
        assert state(client, analyze(client, version, only_custom))["tasks"]["completed"] == 1


@pytest.mark.parametrize("path", ["v3.1/analyze/jobs/1", "v9.9/analyze", "v3.1/analyze/jobs/" + "0" * 32])
def test_unknown_jobs_and_versions_are_404(client: httpx2.Client, path: str) -> None:
    assert client.get(f"/text/analytics/{path}").status_code == 404
