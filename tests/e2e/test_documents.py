"""The OpenAPI document is valid, its examples work as they stand, and Swagger UI is what its note says."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx2

import appliance.api
from appliance.api.language.openapi import document

SWAGGER = Path(appliance.api.__file__).parent / "swagger"


def test_the_document_is_valid_openapi_3_1() -> None:
    import openapi_spec_validator  # builds its grammars for three seconds, in every worker

    found = document()
    assert found["openapi"].startswith("3.1")
    openapi_spec_validator.validate(json.loads(json.dumps(found)))


def test_every_example_is_answered_as_the_document_says(client: httpx2.Client) -> None:
    found: dict[str, Any] = client.get("/openapi.json").json()
    tried = 0
    for path, operations in found["paths"].items():
        operation = operations.get("post")
        if operation is None or "requestBody" not in operation:
            continue
        example = operation["requestBody"]["content"]["application/json"]["example"]
        query = {
            p["name"]: p["schema"]["default"]
            for p in operation.get("parameters", [])
            if p["required"] and p["in"] == "query"
        }
        reply = client.post(path, params=query, json=example)
        assert str(reply.status_code) in operation["responses"], reply.text
        assert reply.status_code < 300, (path, reply.text)
        if "operation-location" in reply.headers:
            state = client.get(reply.headers["operation-location"]).json()
            assert state["status"] == "succeeded"
        tried += 1
    assert tried == 9


def test_the_page_loads_only_its_own_files_under_a_policy_without_inline_script(
    client: httpx2.Client,
) -> None:
    for path in ("/swagger", "/swagger/", "/swagger/index.html"):
        page = client.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "connect-src 'self'" in policy
        for source in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert client.get(source).status_code == 200, source


def test_the_bundled_files_are_those_that_the_note_names() -> None:
    note = (SWAGGER / "README.md").read_text()
    named = dict(re.findall(r"\| `([\w.-]+)` \| `([0-9a-f]{64})` \|", note))
    assert set(named) == {"swagger-ui-bundle.js", "swagger-ui.css"}
    for name, digest in named.items():
        assert hashlib.sha256((SWAGGER / name).read_bytes()).hexdigest() == digest
