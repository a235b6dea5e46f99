"""The client of a running service, on real sockets: batches, waiting, refusals, no other address."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from appliance.cli.service_client import CHARACTERS_PER_JOB, PER_JOB, NotAnswered, ServiceClient, batches
from appliance.datasets.document import Label

Reply = tuple[int, dict[str, str], Any]
Answer = Callable[[str, Any, dict[str, str]], Reply]


class Peer:
    """A server that answers as a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = lambda *_: (500, {}, {})
        self.asked: list[tuple[str, Any, dict[str, str]]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                asked = self.path, body, dict(self.headers)
                peer.asked.append(asked)
                status, headers, value = peer.answer(*asked)
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _any  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def client(self, **more: str) -> ServiceClient:
        return ServiceClient(url=self.url, project="loans", deployment="v1", **more)


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def results(documents: list[dict[str, Any]]) -> dict[str, Any]:
    items = [{"results": {"documents": documents, "errors": []}}]
    return {"status": "succeeded", "tasks": {"items": items}}


def names(body: Any) -> list[dict[str, Any]]:
    """An entity at the beginning of each text."""
    return [
        {
            "id": one["id"],
            "entities": [{"category": "Person", "offset": 0, "length": 4, "text": one["text"][:4]}],
        }
        for one in body["analysisInput"]["documents"]
    ]


def working(peer: Peer) -> Answer:
    jobs: list[Any] = []

    def answer(path: str, body: Any, _: dict[str, str]) -> Reply:
        if body is not None:
            jobs.append(body)
            # Another name of the service, as a proxy might give it: only the path counts.
            return (
                202,
                {"operation-location": f"http://elsewhere.invalid/jobs/{len(jobs) - 1}?api-version=v"},
                b"",
            )
        if sum(asked[0] == path for asked in peer.asked) == 1:
            return 200, {"retry-after-ms": "10"}, {"status": "running"}
        return 200, {}, results(names(jobs[int(path.split("/")[2].split("?", maxsplit=1)[0])]))

    return answer


def test_texts_are_asked_in_jobs_and_answered_in_their_order_and_empty_ones_cost_nothing(peer: Peer) -> None:
    peer.answer = working(peer)
    texts = [f"Anna{number}" for number in range(PER_JOB)] + ["  ", "Bert"]
    found = list(peer.client(key="secret").ask(texts))
    assert [len(part) for part in found] == [PER_JOB, 2]
    assert found[1] == [(), (Label(0, 4, "Person"),)]
    sent = [body for _, body, _ in peer.asked if body]
    assert [len(body["analysisInput"]["documents"]) for body in sent] == [PER_JOB, 1]
    assert sent[0]["tasks"][0]["parameters"] == {
        "projectName": "loans",
        "deploymentName": "v1",
        "stringIndexType": "UnicodeCodePoint",
    }
    assert all(headers["Ocp-Apim-Subscription-Key"] == "secret" for _, _, headers in peer.asked)


def test_batches_hold_neither_too_many_texts_nor_too_many_characters() -> None:
    large = "x" * (CHARACTERS_PER_JOB // 2 + 1)
    assert list(batches([large, large, "a", large])) == [(0, 1), (1, 3), (3, 4)]
    assert list(batches(["a"] * (PER_JOB + 1))) == [(0, PER_JOB), (PER_JOB, PER_JOB + 1)]
    assert list(batches(["x" * 10 * CHARACTERS_PER_JOB])) == [(0, 1)]
    assert list(batches([])) == []


def test_a_busy_service_is_asked_again(peer: Peer) -> None:
    inner = working(peer)

    def answer(path: str, body: Any, headers: dict[str, str]) -> Reply:
        if len(peer.asked) == 1:
            return 429, {"Retry-After": "0"}, {"error": {"code": "429", "message": "busy"}}
        return inner(path, body, headers)

    peer.answer = answer
    assert list(peer.client().ask(["Anna"])) == [[(Label(0, 4, "Person"),)]]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            (401, {}, {"error": {"code": "401", "message": "no key"}}),
            "the service refused loans/v1: 401, no key",
        ),
        (
            (404, {}, {"error": {"message": "x", "innererror": {"message": "no such project"}}}),
            "404, no such project",
        ),
        ((200, {}, b"<html>"), "does not fit what was asked"),
        ((200, {}, [1]), "does not fit what was asked"),
        ((302, {"Location": "http://elsewhere.invalid/"}, {}), "the service refused loans/v1: 302"),
    ],
)
def test_refusals_are_told_in_the_services_own_words(peer: Peer, reply: Reply, said: str) -> None:
    peer.answer = lambda *_: reply
    with pytest.raises(NotAnswered, match=said):
        list(peer.client(key="secret").ask(["Anna"]))
    assert len(peer.asked) == 1


@pytest.mark.parametrize(
    "state",
    [
        {"status": "failed"},
        {"status": "succeeded", "tasks": {"items": []}},
        results([]),
        results([{"id": "0", "entities": [{"category": "P", "offset": 2, "length": 4, "text": "Anna"}]}]),
        results([{"id": "0", "entities": [{"category": "P", "offset": "2", "length": 4, "text": "Anna"}]}]),
        results([{"id": "7", "entities": []}]),
    ],
)
def test_results_that_do_not_fit_the_texts_are_refused(peer: Peer, state: Any) -> None:
    def answer(_: str, body: Any, _headers: dict[str, str]) -> Reply:
        return (202, {"operation-location": f"{peer.url}/jobs/1"}, b"") if body else (200, {}, state)

    peer.answer = answer
    with pytest.raises(NotAnswered):
        list(peer.client().ask(["Anna"]))


def test_where_nobody_listens_the_hint_says_how_to_name_the_service() -> None:
    client = ServiceClient(url="http://127.0.0.1:1", project="loans", deployment="v1")
    with pytest.raises(NotAnswered, match="does not answer") as caught:
        list(client.ask(["Anna"]))
    assert "--url" in caught.value.hint
