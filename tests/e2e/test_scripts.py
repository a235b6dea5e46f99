"""Names in scripts with and without spaces, in every unit: each offset cuts the name out of the text as sent.

The model is tiny and of sentencepiece's kind; what it knows is `tests.support.tiny_languages.NAMES`.
"""

import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from appliance.api.language.responses import AnalyzeTextResult
from tests.support.index_units import cut, measure
from tests.support.site import VERSION, Site
from tests.support.tiny_languages import LANGUAGES, write_tiny_languages

pytestmark = pytest.mark.e2e
UNITS = ("UnicodeCodePoint", "Utf16CodeUnit", "TextElements_v8")
AT_ONCE = 5
MIXED = 40

# Language, text, and the names in it. An astral character in front parts the three units from the beginning.
TEXTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "zh-Hans",
        "\U0001f600\u4e60\u8fd1\u5e73\u661f\u671f\u56db\u5728\u5317\u4eac\u4f1a\u89c1\u4e86\u8bb0\u8005\u3002",
        ("\u4e60\u8fd1\u5e73", "\u5317\u4eac"),
    ),
    (
        "ja",
        "\U00020bb7\u91ce\u5bb6\u3001\u5b89\u500d\u664b\u4e09\u306f\u6771\u4eac\u3067\u30c8\u30e8\u30bf\u306e\u4f1a\u8b70\u3092\u958b\u3044\u305f\u3002",
        ("\u5b89\u500d\u664b\u4e09", "\u6771\u4eac", "\u30c8\u30e8\u30bf"),
    ),
    ("ja", "\uff84\uff96\uff80\u306e\u8eca", ("\uff84\uff96\uff80",)),  # half-width kana
    (
        "th",
        "\U0001f1f9\U0001f1ed \u0e19\u0e49\u0e33\u0e43\u0e19"
        "\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e\u0e21\u0e32\u0e01",
        ("\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e",),
    ),
    (
        "ar",
        "\U0001f4f0 \u0642\u0627\u0644 \u0645\u062d\u0645\u062f \u0627\u0644\u0639\u0644\u064a IBM"
        " \u0628\u0627\u0644\u0642\u0627\u0647\u0631\u0629\u060c \u0646\u0639\u0645.",
        (
            "\u0645\u062d\u0645\u062f \u0627\u0644\u0639\u0644\u064a",
            "\u0628\u0627\u0644\u0642\u0627\u0647\u0631\u0629",
        ),
    ),
    (
        "he",
        "\U0001f54d \u05d1\u05e0\u05d9\u05de\u05d9\u05df \u05e0\u05ea\u05e0\u05d9\u05d4\u05d5"
        " \u05e4\u05d2\u05e9 \u05d0\u05ea Angela Merkel \u05d1\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd.",
        (
            "\u05d1\u05e0\u05d9\u05de\u05d9\u05df \u05e0\u05ea\u05e0\u05d9\u05d4\u05d5",
            "Angela Merkel",
            "\u05d1\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd",
        ),
    ),
    (
        "de",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 Stra\u00dfenbahnunfa\u0308lle in Berlin-Mitte:"
        " die Siemens-Bahntechniksparte und Angela Merkel.",
        ("Berlin", "Siemens", "Angela Merkel"),
    ),
    ("vi", "\U0001f600 Th\u00e0nh ph\u1ed1 H\u1ed3 Ch\u00ed Minh, Vi\u1ec7t Nam", ("H\u1ed3 Ch\u00ed Minh",)),
    (
        "vi",
        unicodedata.normalize("NFD", "\U0001f600 Th\u00e0nh ph\u1ed1 H\u1ed3 Ch\u00ed Minh, Vi\u1ec7t"),
        (unicodedata.normalize("NFD", "H\u1ed3 Ch\u00ed Minh"),),
    ),
    (
        "hi",
        "\U0001f600 \u0915\u094d\u0937\u093f \u0928\u0930\u0947\u0902\u0926\u094d\u0930 \u092e\u094b"
        "\u0926\u0940 \u0928\u0947 \u0926\u093f\u0932\u094d\u0932\u0940 \u092e\u0947\u0902 "
        "\u0915\u0939\u093e\u0964",
        (
            "\u0928\u0930\u0947\u0902\u0926\u094d\u0930 \u092e\u094b\u0926\u0940",
            "\u0926\u093f\u0932\u094d\u0932\u0940",
        ),
    ),
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_languages(tmp_path_factory.mktemp("models") / "demo" / "tiny")


@pytest.fixture
def served(site: Site, tiny: Path) -> Iterator[httpx2.Client]:
    site.issue()
    service = site.start(f"Models:Path={tiny.parent.parent}")
    with service.client() as client:
        yield client
    assert service.stop() == 0


def answers(client: httpx2.Client, texts: list[tuple[str, str]], unit: str) -> list[dict[str, Any]]:
    """Ask for the documents, given as language and text, and return them in their order."""
    documents = []
    for first in range(0, len(texts), AT_ONCE):
        batch = enumerate(texts[first : first + AT_ONCE], first)
        sent = [{"id": str(n), "language": language, "text": text} for n, (language, text) in batch]
        reply = client.post(
            "/language/:analyze-text",
            params=VERSION,
            json={
                "kind": "EntityRecognition",
                "analysisInput": {"documents": sent},
                "parameters": {"stringIndexType": unit},
            },
        )
        assert reply.status_code == 200, reply.text
        AnalyzeTextResult.model_validate(reply.json())
        documents += reply.json()["results"]["documents"]
    return documents


def test_names_in_each_script_stand_where_the_answer_says_in_every_unit(served: httpx2.Client) -> None:
    for unit in UNITS:
        found = answers(served, [(language, text) for language, text, _ in TEXTS], unit)
        for (language, text, names), document in zip(TEXTS, found, strict=True):
            told = [(one["text"], one["offset"], one["length"]) for one in document["entities"]]
            expected = [
                (name, measure(text[: text.index(name)], unit), measure(name, unit)) for name in names
            ]
            assert told == expected, (language, unit)
            assert [one["code"] for one in document["warnings"] if one["code"] != "UnknownTokens"] == []


def test_names_of_all_scripts_in_one_text_are_all_found_and_every_slice_is_the_entity(
    served: httpx2.Client,
) -> None:
    chosen = random.Random(25)  # noqa: S311 (varied, and the same in every run)
    texts = []
    for number in range(MIXED):
        parts = [part for _, text, names in chosen.choices(TEXTS, k=8) for part in (text, *names)]
        texts.append(chosen.choice((" ", "\n", "\u3000")).join(parts[number % 3 :]))
    for unit in UNITS:
        documents = answers(served, [("mul", text) for text in texts], unit)
        for text, document in zip(texts, documents, strict=True):
            assert document["entities"], text
            for one in document["entities"]:
                assert cut(text, unit, one["offset"], one["length"]) == one["text"]
                assert one["text"] == one["text"].strip()


def test_a_model_of_many_languages_lists_them_and_warns_of_others(served: httpx2.Client) -> None:
    assert served.get("/models").json()["models"][0]["languages"] == list(LANGUAGES)
    (document,) = answers(served, [("sw", "Angela Merkel")], "Utf16CodeUnit")
    assert [one["code"] for one in document["warnings"]] == ["UnsupportedLanguage"]
    assert "en, de, zh-Hans" in document["warnings"][0]["message"]
    (document,) = answers(served, [("zh-Hant", "\u5317\u4eac")], "Utf16CodeUnit")
    assert [one["code"] for one in document["warnings"]] == ["UnsupportedLanguage"]
    (document,) = answers(served, [("de-AT", "Berlin")], "Utf16CodeUnit")
    assert document["warnings"] == []
