"""Send a document whose marks make it one text element: it is metered, limited and quoted as what it is."""

from collections.abc import Iterator

import httpx2
import pytest

from license.authority.authority import Authority
from tests.support.site import VERSION, Service, Site

MARK = "\U000e0100"  # VARIATION SELECTOR-17
LONG = "Berlin" + MARK * 200_000
UNITS = ("TextElements_v8", "UnicodeCodePoint", "Utf16CodeUnit")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    site = Site(tmp_path_factory.mktemp("marks") / "site", vendor)
    site.issue()
    yield site.start()
    site.close()


def ask(client: httpx2.Client, text: str, unit: str = "TextElements_v8") -> httpx2.Response:
    body = {
        "kind": "EntityRecognition",
        "parameters": {"stringIndexType": unit},
        "analysisInput": {"documents": [{"id": "1", "text": text}]},
    }
    return client.post("/language/:analyze-text", params=VERSION | {"showStats": "true"}, json=body)


def counted(client: httpx2.Client) -> int:
    meters = client.get("/records/usage-logs/").json()["meters"]
    return sum(int(meter["quantity"]) for meter in meters)


def tokens(client: httpx2.Client) -> float:
    """Tokens in all calls of the model."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("appliance_batch_tokens_sum"))


def test_a_document_of_one_endless_element_is_over_the_limit(service: Service) -> None:
    with service.client() as client:
        before = counted(client)
        reply = ask(client, LONG + " Angela Merkel met Barack Obama.")
        (error,) = reply.json()["results"]["errors"]
        assert "too large" in error["error"]["innererror"]["message"]
        assert counted(client) == before


@pytest.mark.parametrize("mark", ["\ufe0f", "\u20e3", "\U0001f3fd", "\u200d\U0001f469"])
def test_marks_that_are_tokens_reach_the_model_no_more_than_they_are_metered(
    service: Service, mark: str
) -> None:
    with service.client() as client:
        before = tokens(client)
        reply = ask(client, "\U0001f469" + mark * (100_000 // len(mark))).json()["results"]["documents"][0]
        elements = reply["statistics"]["charactersCount"]
        assert 3_000 < elements < 3_500
        assert tokens(client) - before < 100


@pytest.mark.parametrize("unit", UNITS)
def test_marks_are_metered_by_thirty_and_answers_quote_no_more(service: Service, unit: str) -> None:
    text = "Angela Merkel met Barack Obama in Berlin" + MARK * 100_000
    with service.client() as client:
        before = counted(client)
        reply = ask(client, text, unit).json()["results"]["documents"][0]
        elements = 39 + -(-100_001 // 31)
        assert reply["statistics"]["charactersCount"] == elements
        assert reply["statistics"]["transactionsCount"] == counted(client) - before == -(-elements // 1000)
    for entity in reply["entities"]:
        assert len(entity["text"]) < 100
        assert entity["length"] > 0
