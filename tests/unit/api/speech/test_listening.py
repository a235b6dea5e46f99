"""The listen page's files, and transcripts as files: nothing that is no transcript gets past the edge."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import appliance.api
from appliance.api.errors import HANDLERS
from appliance.api.speech.listening import COMPARE, WRITE, routes

STATIC = Path(appliance.api.__file__).parent / "static"
FOLDER = STATIC / "listen"
TRANSCRIPT: dict[str, Any] = {
    "durationMilliseconds": 2_000,
    "combinedPhrases": [{"text": "Hello there."}],
    "phrases": [
        {
            "offsetMilliseconds": 0,
            "durationMilliseconds": 900,
            "text": "Hello there.",
            "confidence": 0.9,
            "words": [
                {"text": "Hello", "offsetMilliseconds": 0, "durationMilliseconds": 400},
                {"text": "there.", "offsetMilliseconds": 450, "durationMilliseconds": 400},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=routes(), exception_handlers=HANDLERS))


def test_a_transcript_is_written_in_each_format(client: TestClient) -> None:
    texts = {
        kind: client.post(WRITE, params={"format": kind}, json=TRANSCRIPT).text
        for kind in ("txt", "srt", "vtt", "json")
    }
    assert texts["txt"] == "Hello there.\n"
    assert "00:00:00,000 --> " in texts["srt"]
    assert texts["vtt"].startswith("WEBVTT")
    assert json.loads(texts["json"]) == TRANSCRIPT


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("exe", TRANSCRIPT),
        ("srt", {}),
        ("srt", [1]),
        ("srt", {**TRANSCRIPT, "durationMilliseconds": -1}),
        ("srt", {**TRANSCRIPT, "phrases": [{"text": "x"}]}),
        ("srt", {**TRANSCRIPT, "phrases": [{**TRANSCRIPT["phrases"][0], "words": [{"text": 7}]}]}),
    ],
)
def test_what_is_no_transcript_is_refused(client: TestClient, kind: str, body: Any) -> None:
    reply = client.post(WRITE, params={"format": kind}, json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "InvalidRequest"


def test_the_page_plays_from_its_own_memory_and_nothing_else(client: TestClient) -> None:
    policy = client.get("/listen").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "media-src blob:" in policy
    assert "media-src" not in client.get("/static/listen/main.js").headers["content-security-policy"]


def test_the_page_with_all_it_loads_keeps_its_budget() -> None:
    common = sum((STATIC / name).stat().st_size for name in ("style.css", "icon.svg", "dom.js"))
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) + common < 150_000


def test_scripts_name_elements_that_exist_and_make_no_markup() -> None:
    page = (FOLDER / "listen.html").read_text()
    ids = set(re.findall(r'\bid="([\w-]+)"', page))
    for path in FOLDER.glob("*.js"):
        script = path.read_text()
        assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= ids
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


LIST = "a.wav\tHe paid three dollars.\nb.wav\tHello there.\n"


def test_texts_are_compared_with_what_was_said_number_by_number(client: TestClient) -> None:
    listed = client.post(COMPARE, json={"transcripts": LIST}).json()
    assert [one["path"] for one in listed["recordings"]] == ["a.wav", "b.wav"]
    one = {"model": "one", "texts": {"a.wav": "he paid $3", "b.wav": "Hello here."}}
    two = {"model": "two", "texts": {"a.wav": "he paid $4", "b.wav": "Hello here.", "c.wav": "more"}}
    found = client.post(COMPARE, json={"transcripts": LIST, "results": [one, two]}).json()
    assert [(each["model"], each["wer"]) for each in found["models"]] == [
        ("one", pytest.approx(1 / 6)),
        ("two", pytest.approx(2 / 6)),
    ]
    assert found["left"] == 0
    shown = {shown["path"]: shown["errors"] for shown in found["shown"]}
    assert shown == {"a.wav": [0, 1]}, "where both are equally wrong they do not differ"
    part = client.post(
        COMPARE, json={"transcripts": LIST, "results": [{"model": "x", "texts": {"b.wav": ""}}]}
    )
    assert (part.json()["left"], part.json()["models"][0]["wer"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "transcripts"),
        ({"transcripts": "no list at all"}, "list"),
        ({"transcripts": LIST, "results": [{"model": "x", "texts": {}}]}, "was heard"),
        ({"transcripts": LIST, "results": [{"model": "x", "texts": {"a.wav": 7}}]}, "results"),
        ({"transcripts": LIST, "results": [{"model": "", "texts": {}}]}, "results"),
        ({"transcripts": LIST, "results": [{"model": "x"}] * 3}, "results"),
    ],
)
def test_what_cannot_be_compared_is_refused(client: TestClient, body: Any, said: str) -> None:
    reply = client.post(COMPARE, json=body)
    assert reply.status_code == 400
    assert said in reply.json()["error"]["innererror"]["message"]
