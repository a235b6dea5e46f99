"""A model of one language is asked for that one; a multilingual one for those it tells apart."""

from appliance.speech.model.spoken import Spoken

ENGLISH = Spoken(locale="en-US")
MANY = Spoken(locale="en-US", languages=("en", "de", "fr"))


def test_which_locales_are_spoken() -> None:
    assert ENGLISH.includes("en-us")
    assert ENGLISH.includes("en")
    assert not ENGLISH.includes("en-GB")
    assert not ENGLISH.includes("de-DE")
    assert MANY.includes("de-AT")
    assert MANY.includes("EN-gb")
    assert not MANY.includes("es-ES")


def test_a_text_has_the_locale_as_the_caller_spelled_it() -> None:
    assert MANY.locale_of("de", ("fr-FR", "de-CH")) == "de-CH"
    assert MANY.locale_of("en") == "en-US"
    assert MANY.locale_of("fr") == "fr"
    assert ENGLISH.locale_of("", ("en-GB",)) == "en-US"


def test_it_is_told_in_a_sentence() -> None:
    assert str(ENGLISH) == "en-US"
    assert str(MANY) == "3 languages (en, de, fr, …)"
