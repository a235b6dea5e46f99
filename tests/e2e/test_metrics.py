"""`/metrics` of a running service: right numbers, and nothing of anybody's."""

import re

import httpx2
import pytest

from tests.support.site import SENTENCE, VERSION

pytestmark = pytest.mark.e2e
METER = "CognitiveServices.Ner.Container.TextRecords"


def scrape(client: httpx2.Client) -> dict[str, float]:
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in reply.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_request_moves_the_counters_that_tell_of_it(client: httpx2.Client) -> None:
    before = scrape(client)
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
    assert client.post("/language/:analyze-text", params=VERSION, json=body).status_code == 200
    after = scrape(client)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown(f'appliance_recorded_units_total{{meter="{METER}"}}') == 1
    assert grown("appliance_ledger_commit_seconds_count") == 1
    assert grown("appliance_batch_windows_sum") == 1
    assert grown("appliance_batch_tokens_sum") > 5
    assert grown("appliance_ledger_entries") >= 1
    assert grown(f'appliance_plan_used_units{{meter="{METER}"}}') == 1
    served = [name for name in after if name.startswith("appliance_requests_total") and grown(name)]
    assert len([name for name in served if 'status="200"' in name]) == 2  # the request and the scrape before


def test_standing_is_told_as_it_is(client: httpx2.Client) -> None:
    found = scrape(client)
    assert found['appliance_license_state{state="Valid"}'] == 1
    assert found['appliance_license_state{state="Expired"}'] == 0
    assert found["appliance_license_days_left"] > 90
    assert found["appliance_ready"] == found["appliance_ledger_healthy"] == found["appliance_models"] == 1
    assert abs(found["appliance_clock_offset_seconds"]) <= 1
    assert found["appliance_output_free_bytes"] > 0
    assert found["process_start_time_seconds"] > 0


def test_paths_and_texts_of_callers_are_no_labels(client: httpx2.Client) -> None:
    client.get("/patients/Merkel")
    client.get("/language/analyze-text/jobs/Merkel")
    client.post("/language/:analyze-text", params=VERSION, json={"kind": "Merkel"})
    text = client.get("/metrics").text
    assert "Merkel" not in text
    assert "Test customer" not in text
    assert re.search(r'appliance_requests_total\{endpoint="none",status="404"\}', text)
