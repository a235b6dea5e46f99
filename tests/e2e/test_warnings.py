"""What a model was not made to read is answered with a warning: at once, in jobs, on the older paths."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from appliance.api.language.responses import AnalyzeTextResult, JobState, LegacyResults
from license.authority.authority import Authority
from tests.support.site import SENTENCE, VERSION, Service, Site

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    """A service with the English model."""
    site = Site(tmp_path_factory.mktemp("english") / "site", vendor)
    site.issue()
    yield site.start("Models:General=en")
    site.close()


CHINESE = "\u4e60\u8fd1\u5e73\u661f\u671f\u56db\u5728\u5317\u4eac\u4f1a\u89c1\u4e86\u8bb0\u8005\u3002"
DOCUMENTS: list[dict[str, Any]] = [
    {"id": "plain", "text": SENTENCE},
    {"id": "null", "language": None, "text": SENTENCE},
    {"id": "auto", "language": "auto", "text": SENTENCE},
    {"id": "region", "language": "en-GB", "text": SENTENCE},
    {"id": "other", "language": "de", "text": SENTENCE},
]
UNREADABLE: list[dict[str, Any]] = [
    {"id": "script", "text": CHINESE},
    {"id": "both", "language": "zh-Hans", "text": CHINESE},
    {"id": "emoji", "language": "en", "text": f"\U0001f600\U0001f680 {SENTENCE} \U0001f600"},
    {"id": "long", "text": f"{SENTENCE} " * 40 + CHINESE * 20},
]
EXPECTED = {
    "plain": [],
    "null": [],
    "auto": [],
    "region": [],
    "other": ["UnsupportedLanguage"],
    "script": ["UnknownTokens"],
    "both": ["UnsupportedLanguage", "UnknownTokens"],
    "emoji": [],
    "long": ["UnknownTokens"],
}


def codes(results: dict[str, Any]) -> dict[str, list[str]]:
    return {one["id"]: [warning["code"] for warning in one["warnings"]] for one in results["documents"]}


def counted(client: httpx2.Client) -> dict[str, float]:
    text = client.get("/metrics").text
    found = re.findall(r'^appliance_document_warnings_total\{code="(\w+)"\} (.+)$', text, re.MULTILINE)
    return {code: float(count) for code, count in found}


def expected(documents: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {one["id"]: EXPECTED[one["id"]] for one in documents}


@pytest.mark.parametrize("documents", [DOCUMENTS, UNREADABLE])
def test_answers_at_once_carry_warnings_and_are_counted(
    client: httpx2.Client, documents: list[dict[str, Any]]
) -> None:
    before = counted(client)
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": documents}}
    reply = client.post("/language/:analyze-text", params=VERSION, json=body)
    AnalyzeTextResult.model_validate(reply.json())
    assert codes(reply.json()["results"]) == expected(documents)
    assert reply.json()["results"]["documents"][0]["warnings"] == [] or documents is UNREADABLE
    after = counted(client)
    for code in ("UnsupportedLanguage", "UnknownTokens"):
        told = sum(code in one for one in expected(documents).values())
        assert after.get(code, 0) - before.get(code, 0) == told
    assert set(after) <= {"LongWordsInDocument", "UnsupportedLanguage", "UnknownTokens"}


@pytest.mark.parametrize("version", ["v3.0", "v3.1", "v3.2-preview.2"])
def test_the_older_paths_carry_the_same_warnings(client: httpx2.Client, version: str) -> None:
    path = f"/text/analytics/{version}/entities/recognition/general"
    reply = client.post(path, json={"documents": UNREADABLE})
    LegacyResults.model_validate(reply.json())
    assert codes(reply.json()) == expected(UNREADABLE)


def test_each_task_of_a_job_carries_them(client: httpx2.Client) -> None:
    reply = client.post(
        "/language/analyze-text/jobs",
        params=VERSION,
        json={
            "analysisInput": {"documents": [*DOCUMENTS, *UNREADABLE]},
            "tasks": [{"kind": "EntityRecognition", "taskName": "names"}],
        },
    )
    assert reply.status_code == 202
    while (state := client.get(reply.headers["operation-location"]).json())["status"] in (
        "notStarted",
        "running",
    ):
        time.sleep(0.05)
    JobState.model_validate(state)
    assert codes(state["tasks"]["items"][0]["results"]) == EXPECTED


def test_what_is_served_says_its_languages(client: httpx2.Client) -> None:
    assert client.get("/models").json()["models"][0]["languages"] == ["en"]
    assert client.get("/status").json()["models"][0]["languages"] == ["en"]
