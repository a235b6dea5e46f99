"""Words of a spoken form become one that is written as the pronunciation says."""

from appliance.speech.adaptation.pronunciations import Pronunciations
from appliance.speech.decoding.segment import HeardWord
from appliance.speech.whisper.displayed_forms import with_displayed_forms

KNOWN = Pronunciations.read("CNTK\tc n t k\n3CPO\tthree c p o\n", "p")


def heard(*written: str) -> list[HeardWord]:
    return [
        HeardWord(text=one.strip(" .,?").lower(), start=at, end=at + 1, confidence=1 - at / 10, written=one)
        for at, one in enumerate(written)
    ]


def test_letters_written_in_any_way_are_displayed_alike() -> None:
    for words in ((" Use", " C-N-T-K."), (" Use", " cntk."), (" Use", " c", " n", " t", " k.")):
        found = with_displayed_forms(heard(*words), KNOWN)
        assert [word.written for word in found] == [" Use", " CNTK."]
        assert [word.text for word in found] == ["use", "c n t k"]
        assert (found[1].start, found[1].end) == (1, len(words))


def test_the_confidence_is_that_of_the_least_sure_word() -> None:
    (found,) = with_displayed_forms(heard(" 3", " CPO"), KNOWN)
    assert found.confidence == 0.9


def test_other_words_stay() -> None:
    words = heard(" C", " and", " three")
    assert with_displayed_forms(words, KNOWN) == words


def test_signs_and_punctuation_around_a_spoken_form_stay() -> None:
    for words, expected in (
        ((" Smith", " &", " C", " N", " T", " K", " &", " Sons"), [" Smith", " &", " CNTK", " &", " Sons"]),
        ((" +", " CNTK"), [" +", " CNTK"]),
        ((" (CNTK),",), [" (CNTK),"]),
        ((" \u201cc", " n", " t", " k\u201d?"), [" \u201cCNTK\u201d?"]),
    ):
        assert [word.written for word in with_displayed_forms(heard(*words), KNOWN)] == expected
