"""Requests generated from descriptions: no 5xx, and no reply that breaks the description it is under.

The descriptions are our own OpenAPI document and, where they lie beside the repository, the published ones of
the Azure services. 250 requests each time, 5,000 in the nightly run.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok

from tests.support.paths import ROOT
from tests.support.site import SENTENCE, VERSION, Service

PUBLISHED = Path(os.environ.get("APPLIANCE_OPENAPI", ROOT.parent / "shared/reference/openapi"))
QUICK, THOROUGH = 250, 5_000
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
LANGUAGE = "/language"
LEGACY = "/text/analytics"

Prepare = Callable[[dict[str, Any]], dict[str, Any]]


def opened(found: Any) -> Any:
    """Leave out what the published descriptions themselves call open: enumerations that may grow."""
    if isinstance(found, dict):
        grows = found.get("x-ms-enum", {}).get("modelAsString") is True
        return {k: opened(v) for k, v in found.items() if not (grows and k == "enum")}
    return [opened(item) for item in found] if isinstance(found, list) else found


def published(name: str, paths: set[str], base: str) -> dict[str, Any]:
    """One published description, cut to what is served, with the base path that its host parameter holds."""
    found = opened(json.loads((PUBLISHED / name).read_text()))
    found["paths"] = {path: item for path, item in found["paths"].items() if path in paths}
    found.pop("x-ms-parameterized-host", None)
    for item in found["paths"].values():
        for operation in item.values():
            operation.pop("x-ms-examples", None)
    return dict(found, basePath=base, host="localhost", schemes=["http"])


GA = {
    "/:analyze-text",
    "/analyze-text/jobs",
    "/analyze-text/jobs/{jobId}",
    "/analyze-text/jobs/{jobId}:cancel",
}
OLD = {"/analyze", "/analyze/jobs/{jobId}", "/entities/recognition/general"}
DESCRIPTIONS: dict[str, Callable[[httpx2.Client], dict[str, Any]]] = {
    "our own": lambda client: dict(client.get("/openapi.json").json()),
    "2022-05-01": lambda _: published("Language/stable/2022-05-01/analyzetext.json", GA, LANGUAGE),
    "2023-04-01": lambda _: published("Language/stable/2023-04-01/analyzetext.json", GA, LANGUAGE),
    "v3.1": lambda _: published("TextAnalytics/stable/v3.1/TextAnalytics.json", OLD, f"{LEGACY}/v3.1"),
    "v3.2-preview.2": lambda _: published(
        "TextAnalytics/preview/v3.2-preview.2/TextAnalytics.json", OLD, f"{LEGACY}/v3.2-preview.2"
    ),
}


@pytest.fixture
def known_job(client: httpx2.Client) -> str:
    """A job that has ended, so that generated ids are not all unknown."""
    names = {"projectName": "demo", "deploymentName": "production"}
    tasks = [{"kind": "CustomEntityRecognition", "parameters": names}, {"kind": "EntityRecognition"}]
    documents = [{"id": str(n), "text": SENTENCE} for n in range(25)]
    body = {"analysisInput": {"documents": documents}, "tasks": tasks}
    submitted = client.post("/language/analyze-text/jobs", params=VERSION, json=body)
    return str(uuid.UUID(submitted.headers["operation-location"].partition("?")[0][-36:]))


def sane(case: Any, known: str, make_good: bool) -> None:
    """Point some requests at what exists, so that answers are seen and not only refusals."""
    if "jobId" in (case.path_parameters or {}) and make_good:
        case.path_parameters["jobId"] = known
    if make_good and case.query is not None and "api-version" in case.query:
        case.query["api-version"] = "2023-04-01"


def drive(description: dict[str, Any], service: Service, known: str, requests: int) -> Counter[int]:
    """Send at least so many requests, spread over the operations; return the statuses."""
    schema = schemathesis.openapi.from_dict(description)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    base = service.url + description.get("basePath", "")
    seen: Counter[int] = Counter()
    for turn in range(requests):  # operations without input have but one request each
        left = requests - seen.total()
        if left <= 0:
            break
        for operation in operations:
            hit(operation, base, known, seen, examples=-(-left // len(operations)), start=turn)
    return seen


def hit(operation: Any, base: str, known: str, seen: Counter[int], *, examples: int, start: int) -> None:
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    negative = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @seed(start)
    @settings(
        max_examples=examples,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(positive, positive, negative), make_good=st.booleans())
    def run(case: Any, make_good: bool) -> None:
        sane(case, known, make_good)
        response = case.call(base_url=base, timeout=30)
        seen[response.status_code] += 1
        # The older descriptions promise a media type for every reply; a 202 without a body has none.
        checked = (
            CHECKS if response.content else [c for c in CHECKS if c is not checks.content_type_conformance]
        )
        case.validate_response(response, checks=checked)

    run()


def check(name: str, client: httpx2.Client, service: Service, known: str, requests: int) -> None:
    if name != "our own" and not PUBLISHED.is_dir():
        pytest.skip("the published descriptions are not here; name their folder in APPLIANCE_OPENAPI")
    seen = drive(DESCRIPTIONS[name](client), service, known, requests)
    assert seen.total() >= requests
    assert not [status for status in seen if status >= 500 and status != 503]
    assert service.process.poll() is None
    assert "Traceback" not in service.text()


@pytest.fixture
def alive(service: Service) -> Iterator[Service]:
    yield service
    assert service.process.poll() is None


@pytest.mark.e2e
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_generated_requests_meet_no_5xx_and_no_broken_reply(
    name: str, client: httpx2.Client, alive: Service, known_job: str
) -> None:
    check(name, client, alive, known_job, QUICK // len(DESCRIPTIONS))


@pytest.mark.slow
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_thousands_of_generated_requests_meet_no_5xx_and_no_broken_reply(
    name: str, client: httpx2.Client, alive: Service, known_job: str
) -> None:
    check(name, client, alive, known_job, THOROUGH // len(DESCRIPTIONS))
