"""The Language API over a real socket, with the bundled model behind it."""

import json
import re
import uuid
from typing import Any

import httpx2
import pytest

from appliance.api.language.responses import AnalyzeTextResult, JobState
from appliance.api.responses import ErrorResponse

VERSION = {"api-version": "2023-04-01"}
SENTENCE = "Angela Merkel met reporters from Reuters in Berlin."
JOBS = "/language/analyze-text/jobs"


def body(*texts: str, **parameters: Any) -> dict[str, Any]:
    documents = [{"id": str(number), "text": text, "language": "en"} for number, text in enumerate(texts)]
    return {
        "kind": "EntityRecognition",
        "analysisInput": {"documents": documents},
        "parameters": {"stringIndexType": "UnicodeCodePoint", **parameters},
    }


def job(*texts: str, tasks: int = 1, **parameters: str) -> dict[str, Any]:
    names = {"projectName": "demo", "deploymentName": "production", "stringIndexType": "UnicodeCodePoint"}
    return {
        "displayName": "a job",
        "analysisInput": body(*texts)["analysisInput"],
        "tasks": [
            {"kind": "CustomEntityRecognition", "taskName": str(n), "parameters": names | parameters}
            for n in range(tasks)
        ],
    }


def documents(*inputs: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "EntityRecognition", "analysisInput": {"documents": list(inputs)}}


def analyze(client: httpx2.Client, payload: Any, **query: str) -> httpx2.Response:
    return client.post("/language/:analyze-text", params=VERSION | query, json=payload)


def finished(client: httpx2.Client, submitted: httpx2.Response, **query: str) -> dict[str, Any]:
    assert submitted.status_code == 202, submitted.text
    location = submitted.headers["operation-location"]
    for _ in range(200):
        reply = client.get(location.replace("?", "?" + "".join(f"{k}={v}&" for k, v in query.items())))
        state = reply.json()
        JobState.model_validate(state)
        if state["status"] not in ("notStarted", "running"):
            return dict(state)
    raise AssertionError("the job never ended")


def test_a_sentence_gives_its_entities_with_exact_offsets(client: httpx2.Client) -> None:
    reply = analyze(client, body(SENTENCE))
    assert reply.status_code == 200
    AnalyzeTextResult.model_validate(reply.json())
    (document,) = reply.json()["results"]["documents"]
    assert [(e["text"], e["category"]) for e in document["entities"]] == [
        ("Angela Merkel", "Person"),
        ("Reuters", "Organization"),
        ("Berlin", "Location"),
    ]
    for entity in document["entities"]:
        assert SENTENCE[entity["offset"] : entity["offset"] + entity["length"]] == entity["text"]


def test_every_answer_names_its_own_usage_record(client: httpx2.Client) -> None:
    records = [analyze(client, body(SENTENCE)).headers["Usage-Record"] for _ in range(3)]
    assert len(set(records)) == 3
    assert all(re.fullmatch(r"offline-appliance/customner/[0-9a-f]{12}/1/\d+", r) for r in records)


def test_every_reply_carries_a_request_id_and_a_charset(client: httpx2.Client) -> None:
    for reply in (analyze(client, body(SENTENCE)), client.get("/status"), client.get("/nowhere")):
        uuid.UUID(reply.headers["apim-request-id"])
        assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_statistics_come_only_on_request_and_count_text_elements(client: httpx2.Client) -> None:
    texts = ["é" * 999 + "\U0001f469\u200d\U0001f467", "x" * 1001]
    assert "statistics" not in analyze(client, body(*texts)).json()["results"]
    results = analyze(client, body(*texts), showStats="True").json()["results"]
    assert [d["statistics"] for d in results["documents"]] == [
        {"charactersCount": 1000, "transactionsCount": 1},
        {"charactersCount": 1001, "transactionsCount": 2},
    ]
    assert results["statistics"] == {
        "documentsCount": 2,
        "validDocumentsCount": 2,
        "erroneousDocumentsCount": 0,
        "transactionsCount": 3,
    }


@pytest.mark.parametrize("unit", ["UnicodeCodePoint", "Utf16CodeUnit", "TextElements_v8"])
def test_offsets_are_in_the_unit_that_was_asked_for(client: httpx2.Client, unit: str) -> None:
    text = "\U0001f469\u200d\U0001f680 says: " + SENTENCE
    (document,) = analyze(client, body(text, stringIndexType=unit)).json()["results"]["documents"]
    shift = {"UnicodeCodePoint": 3, "Utf16CodeUnit": 5, "TextElements_v8": 1}[unit] + len(" says: ")
    offsets = {e["text"]: e["offset"] for e in document["entities"]}
    assert offsets["Berlin"] == SENTENCE.index("Berlin") + shift


def test_a_bad_document_has_its_error_beside_the_good_ones_in_request_order(client: httpx2.Client) -> None:
    results = analyze(client, body(SENTENCE, "", "x" * 5121, SENTENCE)).json()["results"]
    assert [d["id"] for d in results["documents"]] == ["0", "3"]
    assert [e["id"] for e in results["errors"]] == ["1", "2"]
    assert [e["error"]["innererror"]["code"] for e in results["errors"]] == ["InvalidDocument"] * 2


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"analysisInput": {"documents": []}}, 400, "MissingInputDocuments"),
        ({"analysisInput": {}}, 400, "MissingInputDocuments"),
        ({"analysisInput": None}, 400, "MissingInputDocuments"),
        ({"analysisInput": {"documents": [{"id": "1", "text": SENTENCE}] * 2}}, 400, "InvalidDocument"),
        ({"analysisInput": body(*["a"] * 6)["analysisInput"]}, 400, "InvalidDocumentBatch"),
        ({"analysisInput": {"documents": [{"id": 1, "text": "a"}]}}, 400, "InvalidRequestBodyFormat"),
        ({"analysisInput": {"documents": [{"id": "1"}]}}, 400, "InvalidRequestBodyFormat"),
        ({"kind": "SentimentAnalysis"}, 400, "InvalidParameterValue"),
        ({"kind": None}, 400, "InvalidParameterValue"),
        ({"parameters": {"stringIndexType": "bytes"}}, 400, "InvalidParameterValue"),
        ({"parameters": {"modelVersion": "1999-01-01"}}, 400, "ModelVersionIncorrect"),
        ({"parameters": []}, 400, "InvalidRequestBodyFormat"),
    ],
)
def test_a_wrong_request_is_a_400_with_the_documented_inner_code(
    client: httpx2.Client, change: dict[str, Any], status: int, code: str
) -> None:
    reply = analyze(client, body(SENTENCE) | change)
    ErrorResponse.model_validate(reply.json())
    assert (reply.status_code, reply.json()["error"]["innererror"]["code"]) == (status, code), reply.text


EMPTY = ["", None, " \r\n\t"]


@pytest.mark.parametrize("text", EMPTY)
def test_an_only_document_without_text_is_an_error_of_that_document_and_costs_nothing(
    client: httpx2.Client, text: str | None
) -> None:
    before = int(analyze(client, body(SENTENCE)).headers["Usage-Record"].rpartition("/")[2])
    reply = analyze(client, documents({"id": "a", "text": text}), showStats="true")
    after = int(analyze(client, body(SENTENCE)).headers["Usage-Record"].rpartition("/")[2])
    assert reply.status_code == 200, reply.text
    AnalyzeTextResult.model_validate(reply.json())
    results = reply.json()["results"]
    assert results["documents"] == []
    assert results["errors"] == [
        {
            "id": "a",
            "error": {
                "code": "InvalidArgument",
                "message": "Invalid Document in request.",
                "innererror": {"code": "InvalidDocument", "message": "Document text is empty."},
            },
        }
    ]
    assert results["statistics"] == {
        "documentsCount": 1,
        "validDocumentsCount": 0,
        "erroneousDocumentsCount": 1,
        "transactionsCount": 0,
    }
    assert "Usage-Record" not in reply.headers
    assert after == before + 1


@pytest.mark.parametrize("text", EMPTY)
def test_a_document_without_text_leaves_the_others_of_its_batch_alone(
    client: httpx2.Client, text: str | None
) -> None:
    mixed = documents(
        {"id": "a", "text": SENTENCE}, {"id": "b", "text": text}, {"id": "c", "text": SENTENCE}
    )["analysisInput"]
    at_once = analyze(client, body() | {"analysisInput": mixed}, showStats="true").json()["results"]
    as_job = finished(
        client, client.post(JOBS, params=VERSION, json=job() | {"analysisInput": mixed}), showStats="true"
    )["tasks"]["items"][0]["results"]
    for results in (at_once, as_job):
        assert [d["id"] for d in results["documents"]] == ["a", "c"]
        assert [e["id"] for e in results["errors"]] == ["b"]
        assert results["errors"][0]["error"]["innererror"]["message"] == "Document text is empty."
        assert results["statistics"]["transactionsCount"] == 2


def test_a_job_without_any_text_is_refused_whole(client: httpx2.Client) -> None:
    inputs = documents(*({"id": str(n), "text": text} for n, text in enumerate(EMPTY)))["analysisInput"]
    reply = client.post(JOBS, params=VERSION, json=job() | {"analysisInput": inputs})
    assert reply.status_code == 400
    assert reply.json()["error"]["innererror"] == {
        "code": "InvalidDocumentBatch",
        "message": "Document text is empty.",
    }


@pytest.mark.parametrize("bad", [{"id": ""}, {"id": None}, {}])
def test_a_document_without_an_id_has_its_batch_refused(client: httpx2.Client, bad: dict[str, Any]) -> None:
    inputs = documents({"id": "a", "text": SENTENCE}, {**bad, "text": SENTENCE})["analysisInput"]
    at_once = analyze(client, body() | {"analysisInput": inputs})
    as_job = client.post(JOBS, params=VERSION, json=job() | {"analysisInput": inputs})
    for reply in (at_once, as_job):
        ErrorResponse.model_validate(reply.json())
        assert reply.status_code == 400
        assert reply.json()["error"]["innererror"] == {
            "code": "InvalidDocument",
            "message": "At least one document is missing an Id attribute.",
        }
        assert "Usage-Record" not in reply.headers


NULLS = {"modelVersion": None, "stringIndexType": None, "loggingOptOut": None}


@pytest.mark.parametrize("parameters", [None, NULLS])
def test_an_optional_field_may_be_null(client: httpx2.Client, parameters: dict[str, None] | None) -> None:
    inputs = documents({"id": "a", "text": SENTENCE, "language": None})["analysisInput"]
    reply = analyze(client, {"kind": "EntityRecognition", "analysisInput": inputs, "parameters": parameters})
    assert reply.status_code == 200, reply.text
    assert len(reply.json()["results"]["documents"][0]["entities"]) == 3
    custom = {"projectName": "demo", "deploymentName": "production", **NULLS}
    tasks = [
        {"kind": "EntityRecognition", "taskName": None, "parameters": parameters},
        {"kind": "CustomEntityRecognition", "parameters": custom},
    ]
    wanted = {"displayName": None, "analysisInput": inputs, "tasks": tasks}
    state = finished(client, client.post(JOBS, params=VERSION, json=wanted))
    for item in state["tasks"]["items"]:
        assert len(item["results"]["documents"][0]["entities"]) == 3


HOSTILE = {
    "not JSON": b"kind=EntityRecognition",
    "empty": b"",
    "only white space": b"  \n",
    "null": b"null",
    "a number": b"1e999999",
    "a list": b"[]",
    "cut short": json.dumps(body(SENTENCE)).encode()[:-5],
    "10,000 nested brackets": b"[" * 10_000 + b"]" * 10_000,
    "10,000 nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep inside a field": b'{"kind":"EntityRecognition","analysisInput":' + b"[" * 10_000,
    "not UTF-8": b'{"kind":"\xff\xfe"}',
    "a lone surrogate": json.dumps(body("x")).replace('"x"', '"\\ud800 Berlin"').encode(),
    "half a surrogate pair": json.dumps(body("x")).replace('"x"', '"\\udc00"').encode(),
    "a surrogate as raw bytes": json.dumps(body("x")).encode().replace(b'"x"', b'"\xed\xa0\x80"'),
    "NaN": b'{"kind":NaN}',
    "a control character in a string": json.dumps(body("x")).encode().replace(b'"x"', b'"\x01"'),
}


@pytest.mark.parametrize("path", ["/language/:analyze-text", JOBS])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_a_400_and_the_next_request_is_served(
    client: httpx2.Client, name: str, path: str
) -> None:
    reply = client.post(
        path, params=VERSION, content=HOSTILE[name], headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 400, reply.text
    ErrorResponse.model_validate(reply.json())
    assert analyze(client, body(SENTENCE)).status_code == 200


def test_a_body_over_the_limit_is_a_413_announced_or_not(client: httpx2.Client) -> None:
    big = b" " * (4 * 1024 * 1024 + 1)
    assert analyze_raw(client, big).status_code == 413
    chunks = (big[i : i + 65536] for i in range(0, len(big), 65536))
    reply = analyze_raw(client, chunks)
    assert reply.status_code == 413
    assert reply.json()["error"]["innererror"]["code"] == "InvalidDocumentBatch"
    assert analyze(client, body(SENTENCE)).status_code == 200


def analyze_raw(client: httpx2.Client, content: Any) -> httpx2.Response:
    return client.post("/language/:analyze-text", params=VERSION, content=content)


def test_a_body_of_two_megabytes_of_escapes_is_read(client: httpx2.Client) -> None:
    text = "\U0001d538" * 125_000
    reply = client.post(JOBS, params=VERSION, content=json.dumps(job(text)).encode())
    assert len(reply.request.content) > 1_500_000
    assert reply.status_code == 202, reply.text


@pytest.mark.parametrize(
    "version",
    ["2022-05-01", "2023-04-01", "2022-10-01-preview", "2023-04-15-preview", "2026-05-15-preview"],
)
def test_every_version_that_clients_send_is_served(client: httpx2.Client, version: str) -> None:
    submitted = client.post(JOBS, params={"api-version": version}, json=job(SENTENCE))
    assert submitted.headers["operation-location"].endswith(f"?api-version={version}")
    assert client.get(submitted.headers["operation-location"]).json()["status"] == "succeeded"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "text/json", "", "text/plain"]
)
def test_json_is_read_under_any_content_type_and_after_a_byte_order_mark(
    client: httpx2.Client, content_type: str
) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        reply = client.post(
            "/language/:analyze-text",
            params=VERSION,
            content=mark + json.dumps(body(SENTENCE)).encode(),
            headers={"Content-Type": content_type} if content_type else {},
        )
        assert reply.status_code == 200


def test_the_location_names_host_and_scheme_that_the_caller_used(client: httpx2.Client) -> None:
    headers = {"Host": "ner.localhost:8443", "X-Forwarded-Proto": "https"}
    submitted = client.post(JOBS, params=VERSION, json=job(SENTENCE), headers=headers)
    assert submitted.headers["operation-location"].startswith(f"https://ner.localhost:8443{JOBS}/")


@pytest.mark.parametrize(
    ("query", "code"),
    [({}, "MissingApiVersionParameter"), ({"api-version": "1"}, "UnsupportedApiVersion")]
    + [
        ({"api-version": v}, "UnsupportedApiVersion")
        for v in ("2021-01-01", "2023-04-02", "2023-13-01-preview")
    ],
)
def test_a_missing_or_unknown_api_version_is_refused(
    client: httpx2.Client, query: dict[str, str], code: str
) -> None:
    reply = client.post("/language/:analyze-text", params=query, json=body(SENTENCE))
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)


def test_unknown_paths_and_methods_answer_in_json(client: httpx2.Client) -> None:
    assert client.get("/language/nothing").json()["error"]["code"] == "404"
    assert client.get("/language/:analyze-text", params=VERSION).status_code == 405
    assert client.delete(f"{JOBS}/{uuid.uuid4()}", params=VERSION).json()["error"]["code"] == "405"


def test_a_job_answers_where_its_operation_location_says(client: httpx2.Client) -> None:
    submitted = client.post(JOBS, params=VERSION, json=job(SENTENCE, tasks=2))
    assert submitted.content == b""
    location = submitted.headers["operation-location"]
    assert location.startswith(str(client.base_url).rstrip("/") + JOBS + "/")
    assert location.endswith("?api-version=2023-04-01")
    state = finished(client, submitted)
    assert state["status"] == "succeeded"
    assert state["displayName"] == "a job"
    assert state["lastUpdatedDateTime"] == state["lastUpdateDateTime"]
    assert state["tasks"]["completed"] == state["tasks"]["total"] == 2
    assert [item["taskName"] for item in state["tasks"]["items"]] == ["0", "1"]
    results = state["tasks"]["items"][0]["results"]
    assert (results["projectName"], results["deploymentName"]) == ("demo", "production")
    assert [e["text"] for e in results["documents"][0]["entities"]] == ["Angela Merkel", "Reuters", "Berlin"]


def test_a_short_job_is_finished_before_it_is_accepted(client: httpx2.Client) -> None:
    submitted = client.post(JOBS, params=VERSION, json=job(SENTENCE))
    assert client.get(submitted.headers["operation-location"]).json()["status"] == "succeeded"


def test_jobs_are_paged_by_twenty_without_an_empty_last_page(client: httpx2.Client) -> None:
    submitted = client.post(JOBS, params=VERSION, json=job(*[SENTENCE] * 25))
    first = finished(client, submitted, showStats="true")
    assert len(first["tasks"]["items"][0]["results"]["documents"]) == 20
    assert first["tasks"]["items"][0]["results"]["statistics"]["documentsCount"] == 20
    last = client.get(first["nextLink"]).json()
    assert [d["id"] for d in last["tasks"]["items"][0]["results"]["documents"]] == [
        str(n) for n in range(20, 25)
    ]
    assert last["tasks"]["items"][0]["results"]["statistics"]["documentsCount"] == 5
    assert "nextLink" not in last


@pytest.mark.parametrize(
    "query",
    [{"top": "-1"}, {"top": "x"}, {"skip": "-1"}, {"top": "1e3"}, {"skip": "\u0661"}, {"showStats": "yes"}],
)
def test_nonsense_in_paging_is_a_400(client: httpx2.Client, query: dict[str, str]) -> None:
    submitted = client.post(JOBS, params=VERSION, json=job(SENTENCE))
    reply = client.get(
        submitted.headers["operation-location"] + "".join(f"&{k}={v}" for k, v in query.items())
    )
    assert reply.status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"), [({"top": "0"}, 1), ({"top": "9" * 400}, 3), ({"skip": "9" * 400}, 0)]
)
def test_a_page_is_at_least_one_document_and_no_number_is_too_large(
    client: httpx2.Client, query: dict[str, str], expected: int
) -> None:
    submitted = client.post(JOBS, params=VERSION, json=job(*[SENTENCE] * 3))
    state = finished(client, submitted, **query)
    assert len(state["tasks"]["items"][0]["results"]["documents"]) == expected


def test_a_finished_job_cannot_be_cancelled(client: httpx2.Client) -> None:
    state = finished(client, client.post(JOBS, params=VERSION, json=job(SENTENCE)))
    reply = client.post(f"{JOBS}/{state['jobId']}:cancel", params=VERSION)
    assert reply.status_code == 400
    assert "already completed" in reply.json()["error"]["message"]


def test_a_long_job_is_cancelled_between_documents_and_keeps_its_place(client: httpx2.Client) -> None:
    submitted = client.post(JOBS, params=VERSION, json=job(*[SENTENCE * 90] * 25))
    location = submitted.headers["operation-location"]
    running = client.get(location)
    assert running.json()["status"] == "running"
    assert float(running.headers["retry-after-ms"]) <= 1000
    cancel = client.post(location.replace("?", ":cancel?"))
    assert cancel.status_code == 202
    assert cancel.headers["operation-location"] == location
    state = finished(client, submitted)
    assert state["status"] == "cancelled"
    (item,) = state["tasks"]["items"]
    assert item["status"] == "cancelled"
    assert item["results"] == {
        "documents": [],
        "errors": [],
        "projectName": "demo",
        "deploymentName": "production",
    }


@pytest.mark.parametrize("names", [{"projectName": "Demo"}, {"deploymentName": "other"}])
def test_an_unknown_project_or_deployment_is_a_404_at_submit(
    client: httpx2.Client, names: dict[str, str]
) -> None:
    reply = client.post(JOBS, params=VERSION, json=job(SENTENCE, tasks=1, **names))
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "ProjectNotFound")


@pytest.mark.parametrize("job_id", [str(uuid.UUID(int=1)), "1", "..%2f", "x" * 5000])
def test_an_unknown_job_is_a_404(client: httpx2.Client, job_id: str) -> None:
    assert client.get(f"{JOBS}/{job_id}", params=VERSION).status_code == 404


def test_a_job_over_the_character_limit_is_refused_whole(client: httpx2.Client) -> None:
    reply = client.post(JOBS, params=VERSION, json=job("a" * 125_001))
    assert reply.status_code == 400
    assert reply.json()["error"]["innererror"]["code"] == "InvalidDocumentBatch"
