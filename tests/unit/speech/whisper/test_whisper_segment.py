"""Hypotheses grow as the phrase does, and the final text does not depend on them."""

import numpy as np

from appliance.speech.decoding.segment import NO_PREFERENCES
from appliance.speech.whisper.whisper_segment import WhisperSegment
from tests.support.dictation import RATE, amiable, ask, recognizer


def test_hypotheses_are_beginnings_of_the_text_and_grow() -> None:
    segment = WhisperSegment(recognizer(), NO_PREFERENCES)
    told: list[str] = []
    for piece in np.split(ask(), range(RATE // 10, len(ask()), RATE // 10)):
        segment.feed(piece)
        text = segment.guess()
        if text and (not told or told[-1] != text):
            told.append(text)
    (final,) = segment.finish()
    assert len(told) >= 3
    assert sum(final.text.startswith(text) for text in told) >= 0.6 * len(told)
    assert len(told[-1].split()) >= 8  # how often there is time to read depends on the machine


def test_the_final_text_is_the_same_without_hypotheses() -> None:
    plain, guessing = (WhisperSegment(recognizer(), NO_PREFERENCES) for _ in range(2))
    for piece in np.split(amiable(), 7):
        plain.feed(piece)
        guessing.feed(piece)
        guessing.guess()
    assert plain.finish() == guessing.finish()


def test_a_segment_without_audio_has_no_text() -> None:
    (heard,) = WhisperSegment(recognizer(), NO_PREFERENCES).finish()
    assert heard.text == ""
