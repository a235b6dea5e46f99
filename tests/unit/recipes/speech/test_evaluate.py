import numpy as np
import pytest

from recipes.speech.card import CARD, NOTICES, TEMPLATES, card, headline, scores
from recipes.speech.clips import Clip
from recipes.speech.evaluate import Tally, noisy, scored, strings


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


def test_a_card_has_every_set_and_speaker_and_leaves_nothing_open() -> None:
    one = Tally(recordings=2, words=10, wrong=(3, 1), exact=(0, 1))
    results = {"commands-an4": {"mjwl": one, "fash": one}, "strings, white 10 dB": {" 3 digits": one}}
    table, score = scores(results), headline(results)
    assert score == "WER 10.0 %: names spelled, digits, dates, commands (AN4)"
    assert headline({}) == "not measured"
    assert "| mjwl | 2 | 10 | 30.0 % | 10.0 % | 50.0 % |" in table
    assert "connected digits, 1 to 12, white 10 dB noise | 2 | 10 |" in table
    text = card((TEMPLATES / CARD).read_text(), release="1.2.3", megabytes=3.44, table=table, score=score)
    assert f"| score | {score} |" in text
    assert "| release | 1.2.3 |" in text
    assert "3.4 MB" in text
    assert table in text
    assert "{" not in text
    assert "<!--" not in text
    assert "Limits" in text
    assert "Carnegie Mellon University" in (TEMPLATES / NOTICES).read_text()
