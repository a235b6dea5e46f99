"""Two texts followed at once find the one that the words of a domain make likelier."""

from pathlib import Path

import numpy as np
import pytest

from appliance.speech.adaptation.continuations import Continuations
from appliance.speech.adaptation.kneser_ney import estimate
from appliance.speech.audio.reader import Sound
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BUNDLED
from appliance.speech.whisper.network import WhisperNetwork, load_network
from appliance.speech.whisper.search import Search
from appliance.speech.whisper.tokens import WhisperTokens
from appliance.speech.whisper.word_fusion import WordFusion

RECORDING = Path(__file__).parents[1] / "recordings/o-a-m-j-one-five-three.opus"


@pytest.fixture(scope="module")
def network() -> WhisperNetwork:
    return load_network(SpeechFolder.open(BUNDLED["dictation"]))


def text(network: WhisperNetwork, weight: float | None) -> str:
    tokens = WhisperTokens(network.config)
    words = Continuations(estimate([["o", "a", "m", "j", "one", "five", "three"], ["stop"]]))
    fusion = None
    if weight is not None:
        fusion = WordFusion(words, tokens, end=network.config.end, weight=weight)
    samples = np.concatenate(list(Sound.open(RECORDING.read_bytes()).blocks(16_000, max_seconds=60)))
    found = Search(network, tokens, fusion=fusion).transcript(network.encode(samples), tokens.begin("en"))
    assert len(found.logs) == len(found.tokens) + 1
    assert found.attention is not None
    assert len(found.attention) == len(found.logs)
    return tokens.text(found.tokens).strip().lower()


def test_without_weight_the_words_of_a_domain_change_nothing(network: WhisperNetwork) -> None:
    assert text(network, 0.0) == text(network, None)


def test_with_weight_the_text_is_written_in_the_words_of_the_domain(network: WhisperNetwork) -> None:
    assert "153" in text(network, None)
    assert "one five three" in text(network, 1.0)
