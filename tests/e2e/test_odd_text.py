"""Odd text in every unit: each answer's offset and length cut the entity out of the text as it was sent."""

import random
from collections.abc import Iterator

import httpx2
import pytest

from appliance.api.language.responses import AnalyzeTextResult
from tests.support.index_units import cut

TEXTS = 200
AT_ONCE = 5
NAMES = (
    "Angela Merkel",
    "Reuters",
    "Berlin",
    "Jose\u0301 Mari\u0301a",
    "M\u00fcnchen",
    "S\u00e3o Paulo",
    "O\u2019Brien",
)
ODD = (
    *(
        "\U0001f469\u200d\U0001f680",
        "\u2764\ufe0f",
        "\U0001f1e9\U0001f1ea",
        "\U0001f1e9",
        "1\ufe0f\u20e3",
        "\U0001f3fd",
    ),
    *("e\u0301\u0323", "\u0301", "\u0e19\u0e49\u0e33", "\u0915\u094d\u0937\u093f", "\uac00\u11a8", "\ufdfa"),
    *(
        "\u200b",
        "\u200d",
        "\u200f",
        "\u202e",
        "\ufeff",
        "\u00ad",
        "\x00",
        "\x0b",
        "\x1b[31m",
        "\ufffd",
        "\ufffc",
        "\ue000",
    ),
    *(
        "\r\n",
        "\n\r",
        "\t",
        "\u2028",
        "\u0085",
        "\u3000",
        "\u00a0",
        " | ",
        ";",
        "\u2502",
        "\u2192",
        "\u20ac",
        "\u2122",
    ),
    *(
        "[SEP]",
        "[CLS]",
        "[UNK]",
        "##ing",
        "<b>",
        "&amp;",
        "\\u0041",
        "%00",
        "'; --",
        "{{x}}",
        "\U0001d538",
        "\u6771\u4eac",
    ),
    *(
        "\u0130",
        "\u1e9e",
        "\ufb01",
        "\u01c5",
        "@berlin",
        "#Reuters",
        "https://berlin.de/Merkel",
        "x" * 90,
        "(",
        "\u201c",
    ),
)


def odd_texts() -> Iterator[str]:
    chosen = random.Random(18)  # noqa: S311 (varied, and the same in every run)
    for _ in range(TEXTS):
        pieces = [
            chosen.choice(NAMES if chosen.random() < 0.4 else ODD) for _ in range(chosen.randint(1, 25))
        ]
        yield chosen.choice(("", " ")).join(pieces) + chosen.choice(("", " met in Berlin."))


@pytest.mark.parametrize(
    "unit",
    [
        "UnicodeCodePoint",
        pytest.param("Utf16CodeUnit", marks=pytest.mark.slow),
        pytest.param("TextElements_v8", marks=pytest.mark.slow),
    ],
)
def test_two_hundred_odd_texts_are_answered_and_every_slice_is_the_entity(
    client: httpx2.Client, unit: str
) -> None:
    texts = list(odd_texts())
    entities = 0
    for first in range(0, TEXTS, AT_ONCE):
        batch = {str(number): texts[number] for number in range(first, first + AT_ONCE)}
        documents = [{"id": number, "text": text} for number, text in batch.items()]
        reply = client.post(
            "/language/:analyze-text",
            params={"api-version": "2023-04-01"},
            json={
                "kind": "EntityRecognition",
                "analysisInput": {"documents": documents},
                "parameters": {"stringIndexType": unit},
            },
        )
        assert reply.status_code == 200, reply.text
        AnalyzeTextResult.model_validate(reply.json())
        results = reply.json()["results"]
        answered = [one["id"] for one in (*results["documents"], *results["errors"])]
        assert sorted(answered) == sorted(batch)
        for document in results["documents"]:
            for entity in document["entities"]:
                text = batch[document["id"]]
                assert cut(text, unit, entity["offset"], entity["length"]) == entity["text"]
                entities += 1
    assert entities > TEXTS
