"""The bundled Whisper reads ordinary English, knows when it did not understand, and places words in the
sound."""

import itertools

import numpy as np
import pytest

from appliance.speech.decoding.segment import NO_PREFERENCES, Preferences
from appliance.speech.whisper.recognizer import confidence
from appliance.speech.whisper.search import Transcript
from appliance.speech.whisper.tokens import spoken_text
from tests.support.dictation import AMIABLE, ASK, RATE, amiable, ask, recognizer
from tests.support.tones import silence

LEAST = 0.6  # of `Speech:LeastConfidencePercent`


def test_ordinary_english_is_written_with_capitals_and_punctuation() -> None:
    for samples, text in ((amiable(), AMIABLE), (ask(), ASK)):
        (heard,) = recognizer().recognize(samples, NO_PREFERENCES)
        assert "".join(word.written for word in heard.words).strip() == text
        assert heard.text == spoken_text(heard.words)
        assert heard.confidence > 0.85


def test_words_lie_in_the_sound_in_order_and_leave_pauses_out() -> None:
    (heard,) = recognizer().recognize(ask(), NO_PREFERENCES)
    assert all(0 <= word.start < word.end <= len(ask()) for word in heard.words)
    assert all(left.end <= right.start for left, right in itertools.pairwise(heard.words))
    at = {word.text: (word.start / RATE, word.end / RATE) for word in reversed(heard.words)}
    # Heard by ear: "Americans" ends at 2.2 s, "ask" begins at 3.3 s, "country" of the first half ends at 6.0
    # s.
    assert at["americans"][1] == pytest.approx(2.2, abs=0.15)
    assert at["ask"][0] == pytest.approx(3.3, abs=0.15)


def test_quiet_recordings_are_read_as_loud_ones() -> None:
    (heard,) = recognizer().recognize(amiable() * np.float32(0.003), NO_PREFERENCES)
    assert "".join(word.written for word in heard.words).strip() == AMIABLE


@pytest.mark.parametrize("kind", ["backwards", "white", "brown", "tone", "clicks", "silence"])
def test_what_is_no_speech_is_not_understood(kind: str) -> None:
    random = np.random.default_rng(1)
    white = random.normal(size=3 * RATE).astype(np.float32)
    sound = {
        "backwards": ask()[::-1].copy(),
        "white": white * np.float32(0.1),
        "brown": (np.cumsum(white) / 300).astype(np.float32),
        "tone": (0.2 * np.sin(2 * np.pi * 500 * np.arange(3 * RATE) / RATE)).astype(np.float32),
        "clicks": ((random.random(3 * RATE) < 1e-3) * white).astype(np.float32),
        "silence": silence(3.0) + white * np.float32(1e-4),
    }[kind]
    (heard,) = recognizer().recognize(sound, NO_PREFERENCES)
    assert not heard.text or heard.confidence < LEAST


def test_no_audio_has_no_text() -> None:
    (heard,) = recognizer().recognize(np.empty(0, np.float32), NO_PREFERENCES)
    assert (heard.text, heard.words, heard.confidence) == ("", (), 0.0)


def test_alternatives_are_whole_texts_that_differ_and_the_best_is_first() -> None:
    samples = amiable() + np.random.default_rng(2).normal(0, 0.02, len(amiable())).astype(np.float32)
    found = recognizer().recognize(samples, NO_PREFERENCES, 5)
    alone = recognizer().recognize(samples, NO_PREFERENCES)
    assert 1 < len(found) <= 5
    assert found[0] == alone[0]
    assert len({heard.text for heard in found}) == len(found)
    assert all(heard.words for heard in found)
    scores = [heard.score for heard in found[1:]]
    assert scores == sorted(scores, reverse=True)


def test_phrases_change_what_is_written_and_a_weight_of_zero_does_not() -> None:
    (plain,) = recognizer().recognize(amiable(), NO_PREFERENCES)
    (spelled,) = recognizer().recognize(amiable(), Preferences(phrases=("Amyable Hymself",)))
    (unweighed,) = recognizer().recognize(amiable(), Preferences(phrases=("Amyable Hymself",), weight=0))
    assert unweighed == plain
    assert spelled.text != plain.text


def test_a_text_that_repeats_itself_is_not_trusted() -> None:
    logs = (-0.05,) * 20
    sure = Transcript(tokens=(1,) * 19, logs=logs)
    assert confidence(sure) > 0.9
    assert confidence(Transcript(tokens=(1,) * 19, logs=logs, repeats=True)) == 0.0
    assert confidence(Transcript(tokens=(1,) * 19, logs=logs, no_speech=0.9)) < LEAST


def test_alternatives_have_no_words_that_the_model_hardly_believes_itself() -> None:
    """`immiable` is a fiftieth as likely as `amiable`; `an ill` for `an old` is a real rival."""
    for sound in (amiable(), ask()):
        texts = [heard.text for heard in recognizer().recognize(sound, NO_PREFERENCES, 5)]
        assert not {"immiable", "hadi", "immutable"} & set(" ".join(texts).split()), texts
    assert len(texts) > 1
