import pytest

from appliance.api.language.documents import Document
from appliance.api.language.offsets import StringIndexType, TextIndex
from appliance.api.language.warnings import UNKNOWN_SHARE, warnings_of
from appliance.ner.engine import Recognized

MANY = tuple(f"{first}{second}" for first in "abcd" for second in "efghi")


def codes(text: str = "Text.", *, language: str = "", share: float = 0.0, made_for: str = "en") -> list[str]:
    return [one["code"] for one in warned(text, language, share, (made_for,))]


def warned(text: str, language: str, share: float, languages: tuple[str, ...]) -> list[dict[str, str]]:
    document = Document(id="1", index=TextIndex(text, StringIndexType.UTF16), language=language)
    return warnings_of(document, Recognized(unknown_share=share), languages)


def test_a_document_in_the_models_language_has_no_warning() -> None:
    assert codes(language="en-GB") == codes(language="auto") == codes() == []


def test_each_reason_has_its_own_code() -> None:
    assert codes(language="fr") == ["UnsupportedLanguage"]
    assert codes(share=0.56) == ["UnknownTokens"]
    assert codes("a" * 65) == ["LongWordsInDocument"]
    assert codes("a" * 65, language="th", share=1.0) == [
        "LongWordsInDocument",
        "UnsupportedLanguage",
        "UnknownTokens",
    ]


@pytest.mark.parametrize(("share", "told"), [(UNKNOWN_SHARE - 0.001, False), (UNKNOWN_SHARE, True)])
def test_a_share_of_two_per_cent_is_told(share: float, told: bool) -> None:
    assert UNKNOWN_SHARE == 0.02
    assert bool(codes(share=share)) is told


def test_a_message_says_what_the_model_was_made_for_and_nothing_of_the_document() -> None:
    (one,) = warned("Geheim.", "x-geheim", 0.0, ("en",))
    assert one["message"] == (
        "The model was made for en, not for the document's language, which may make predictions unreliable."
    )
    (other,) = warned("Geheim.", "sw", 0.0, MANY)
    assert "ae, af, ag, ah, ai, be, bf, bg and 12 more" in other["message"]
