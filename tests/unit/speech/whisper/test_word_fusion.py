"""Words of the domain earn what their probability says; what their first letters earned is taken back."""

import math

import numpy as np
import pytest

from appliance.speech.adaptation.continuations import Continuations
from appliance.speech.adaptation.kneser_ney import estimate
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BUNDLED
from appliance.speech.model.whisper_config import WhisperConfig
from appliance.speech.whisper.tokens import WhisperTokens
from appliance.speech.whisper.word_fusion import LEAST, Place, WordFusion


def config() -> WhisperConfig:
    found = SpeechFolder.open(BUNDLED["dictation"]).whisper
    assert found is not None
    return found


CONFIG = config()
TOKENS = WhisperTokens(CONFIG)
WORDS = Continuations(estimate([["dark", "roast"], ["light", "roast"], ["dark", "espresso"]]))
FUSION = WordFusion(WORDS, TOKENS, end=CONFIG.end, weight=0.5)


def earned(text: str, *, end: bool = False) -> float:
    place, total = Place(), 0.0
    for token in TOKENS.encode(text):
        total += FUSION.gain(place, token)
        place = FUSION.after(place, token)
    return total + (FUSION.gain(place, CONFIG.end) if end else 0.0)


def worth(probability: float) -> float:
    return 0.5 * (math.log(probability + LEAST) - math.log(LEAST))


def test_a_whole_text_earns_its_words_and_its_end_whatever_its_tokens() -> None:
    before = ("<s>",), ("<s>", "dark"), ("dark", "roast")
    wanted = worth(WORDS.word(before[0], "dark")) + worth(WORDS.word(before[1], "roast"))
    wanted += worth(WORDS.end(before[2]))
    for text in (" dark roast", " Dark roast.", " DARK-ROAST!", " dark, ro" + "ast"):
        assert earned(text, end=True) == pytest.approx(wanted), text


def test_words_of_no_domain_earn_nothing() -> None:
    assert earned(" zebra crossings,") == pytest.approx(0.0)


def test_what_first_letters_earned_is_taken_back() -> None:
    assert earned(" da") > 1.0
    assert earned(" dance,") == pytest.approx(0.0)


def test_only_the_likeliest_tokens_change() -> None:
    values = np.full(CONFIG.vocabulary, -20.0, np.float32)
    dark, zebra = TOKENS.encode(" dark")[0], TOKENS.encode(" dog")[0]
    values[[dark, zebra]] = [-1.0, -0.5]
    weighed = FUSION.weighed(values, Place())
    assert weighed[dark] > weighed[zebra] == pytest.approx(-0.5)
    assert np.count_nonzero(weighed != values) <= 16
