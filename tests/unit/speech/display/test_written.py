"""A text that its model has written is shown as it is; other forms are without capitals and punctuation."""

from appliance.speech.decoding.segment import HeardWord
from appliance.speech.display.pipeline import Forms
from appliance.speech.display.text import Profanity
from appliance.speech.display.written import show_written
from appliance.speech.whisper.tokens import lexical


def words(*written: str) -> list[HeardWord]:
    return [
        HeardWord(text=lexical(text), start=at * 100, end=at * 100 + 90, confidence=0.9, written=text)
        for at, text in enumerate(written)
    ]


def test_forms_of_a_written_text() -> None:
    found = show_written(words(" Don't", " pay", " $4.50,", " Mr.", " Smith!"), Profanity.MASKED)
    assert found.display == "Don't pay $4.50, Mr. Smith!"
    assert found.lexical == found.itn == "don't pay $4.50 mr smith"
    assert [(piece.text, piece.first, piece.end) for piece in found.pieces][2] == ("$4.50,", 2, 3)


def test_swearing_is_masked_or_removed_in_the_display_forms_alone() -> None:
    said = words(" Oh", " Shit,", " no.")
    assert show_written(said, Profanity.MASKED).display == "Oh ****, no."
    assert show_written(said, Profanity.MASKED).masked == "oh **** no"
    assert show_written(said, Profanity.REMOVED).display == "Oh no."
    assert show_written(said, Profanity.RAW).display == "Oh Shit, no."
    assert show_written(said, Profanity.MASKED).lexical == "oh shit no"


def test_languages_without_spaces_have_none() -> None:
    assert show_written(words("你", "好,", "世", "界。"), Profanity.MASKED).display == "你好,世界。"


def test_display_models_leave_a_written_text_as_it_is() -> None:
    assert Forms().show(words(" Twenty", " two."), Profanity.MASKED).display == "Twenty two."
    assert Forms().show([], Profanity.MASKED).display == ""
