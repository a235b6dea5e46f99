"""Requests that skip the layers of the application get the replies that those would have given."""

import json
import re
from typing import Any

import pytest

from tests.support.site import Service
from tests.support.wire import ANALYZE, BODY, Reply, post, wire

pytestmark = pytest.mark.e2e

JOBS = "/language/analyze-text/jobs?api-version=2023-04-01"
LEGACY = "/text/analytics/v3.1/entities/recognition/general"
LAYERED = {"X_Forwarded_For": "192.0.2.1"}
"""A header that only a layer reads; no proxy is trusted here, so that it changes nothing."""

CASES: dict[str, dict[str, Any]] = {
    "an answer": {},
    "with statistics": {"target": ANALYZE + "&showStats=true"},
    "a name in another case": {"target": ANALYZE.replace("api-version", "API-Version")},
    "no version": {"target": ANALYZE.partition("?")[0]},
    "an unknown version": {"target": ANALYZE.replace("2023", "2013")},
    "no JSON": {"body": b"{"},
    "an empty body": {"body": b""},
    "too long a body": {"body": b" " * 600_000},
    "another encoding": {"body": BODY.decode().encode("utf-16")},
    "a byte order mark": {"body": b"\xef\xbb\xbf" + BODY},
    "gzip without a word": {"body": b"\x1f\x8b\x08"},
    "an unknown model version": {
        "body": json.dumps({**json.loads(BODY), "parameters": {"modelVersion": "x"}}).encode()
    },
    "a null": {"body": BODY.replace(b'"kind"', b'"parameters": null, "kind"')},
    "an empty document": {"body": re.sub(rb'"text": "[^"]*"', b'"text": " "', BODY)},
    "a job": {"target": JOBS, "body": json.dumps({**json.loads(BODY), "tasks": []}).encode()},
    "an older version": {"target": LEGACY, "body": b'{"documents": [{"id": "1", "text": "Ada in Rome."}]}'},
    "the last on its connection": {"Connection": "close"},
    "a caller that waits for leave": {"Expect": "100-continue"},
}
_VARIES = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}")
_COUNTED = {"apim-request-id", "usage-record", "date"}


def ask(service: Service, case: dict[str, Any], **more: str) -> Reply:
    headers = {name: value for name, value in case.items() if name not in ("target", "body")}
    with wire(service.url) as one:
        one.send(post(case.get("body", BODY), case.get("target", ANALYZE), **headers, **more))
        reply = one.reply()
        if reply.status == 100:
            reply = one.reply()
        ends = headers.get("Connection") == "close" or reply.headers.get("connection") == "close"
        assert not ends or one.ended()
    return reply


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_direct_reply_is_the_one_of_all_layers(service: Service, case: dict[str, Any]) -> None:
    ask(service, {})  # the name in the Host header is known from here on
    direct, layered = ask(service, case), ask(service, case, **LAYERED)
    assert direct.status == layered.status
    assert direct.headers.keys() == layered.headers.keys()
    for name in direct.headers.keys() - _COUNTED:
        assert direct.headers[name] == layered.headers[name], name
    assert _VARIES.sub(b"", direct.body) == _VARIES.sub(b"", layered.body)
    assert direct.headers["apim-request-id"] != layered.headers["apim-request-id"]


def test_requests_of_both_ways_are_counted_alike(service: Service) -> None:
    def counted() -> float:
        with service.client() as client:
            text = client.get("/metrics").text
        found = re.search(r'appliance_requests_total\{endpoint="analyze_text",status="200"\} ([\d.]+)', text)
        return float(found[1]) if found else 0.0

    before = counted()
    ask(service, {})
    ask(service, {}, **LAYERED)
    assert counted() == before + 2


def test_many_requests_in_one_packet_are_answered_in_their_order(service: Service) -> None:
    names = [f"document-{number}" for number in range(8)]
    bodies = [BODY.replace(b'"id": "1"', b'"id": "%s"' % name.encode()) for name in names]
    with wire(service.url) as one:
        one.send(b"".join(post(body) for body in bodies))
        answered = [one.reply().json()["results"]["documents"][0]["id"] for _ in names]
    assert answered == names
