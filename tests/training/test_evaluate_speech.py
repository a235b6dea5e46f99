import numpy as np
import pytest

from appliance.training.evaluate_speech import noisy, scored, strings
from appliance.training.speech.clips import Clip


def test_strings_are_of_one_to_twelve_words_and_noise_has_the_power_asked_for() -> None:
    random = np.random.default_rng(1)
    clips = [
        Clip(
            wave=random.uniform(-0.1, 0.1, 4000).astype(np.float32),
            text="one",
            corpus="digits-fsdd",
            speaker="x",
        )
    ]
    made = strings(clips)
    assert {len(clip.text.split()) for clip in made} == set(range(1, 13))
    loud = np.abs(made[-1].wave) > 0
    added = noisy(made[-1], 10, 0, 1).wave - made[-1].wave
    assert np.mean(made[-1].wave[loud] ** 2) / np.mean(added**2) == pytest.approx(10, rel=0.02)


def test_errors_are_counted_by_speaker_and_for_both_ways_of_reading() -> None:
    clips = [
        Clip(wave=np.zeros(10, np.float32), text=text, corpus="x", speaker=speaker)
        for text, speaker in (("one two", "a"), ("three", "b"), ("four five", "a"))
    ]
    found = scored(clips, lambda _: ("one two", "four five"))
    assert (found["a"].words, found["a"].wrong, found["a"].exact) == (4, (2, 2), (1, 1))
    assert found["b"].rates()["wer_greedy"] == 200.0
