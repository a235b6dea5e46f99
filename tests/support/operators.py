"""What an operator has and types: the key of the page, and what it is asked."""

from pathlib import Path
from typing import Any

import httpx2

from tests.support.site import SENTENCE, VERSION, Service

CALLER = "a-callers-key-0123456789"
OPERATOR = "an-operators-key-0123456789"
KEYS = (f"ApiKeys:one={CALLER}", f"OperatorKeys:Ada={OPERATOR}")
BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}


def operator(service: Service, **headers: str) -> httpx2.Client:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.client(headers={"Ocp-Apim-Subscription-Key": OPERATOR, **named})


def answer(client: httpx2.Client) -> httpx2.Response:
    headers = {"Ocp-Apim-Subscription-Key": CALLER}
    return client.post("/language/:analyze-text", params=VERSION, json=BODY, headers=headers)


def told(client: httpx2.Client, path: str) -> Any:
    reply = client.get(f"/admin/api/{path}")
    assert reply.status_code == 200, reply.text
    assert reply.headers["Cache-Control"] == "no-store"
    return reply.json()


def notes(directory: Path) -> bytes:
    return b"".join((directory / name).read_bytes() for name in ("license.note", "issuer.note"))


def refusal(reply: httpx2.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]
