"""Texts are those that transformers writes, for each layout of an export; drafts change none of them."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16

from appliance.speech.model.folder import SpeechFolder
from appliance.speech.whisper.network import Encoding, WhisperNetwork, load_network
from appliance.speech.whisper.search import REPEATED, Search, Transcript
from appliance.speech.whisper.tokens import WhisperTokens
from tests.support.whisper import BESIDE, MERGED, SPLIT, TINY, reference_features, tiny_folder

EXPECTED = np.load(TINY / "reference.npz")
LAYOUTS = {"merged": MERGED, "two decoders": SPLIT}


@pytest.fixture(params=LAYOUTS)
def network(request: pytest.FixtureRequest, tmp_path: Path) -> WhisperNetwork:
    return load_network(SpeechFolder.open(tiny_folder(tmp_path / "m", *LAYOUTS[request.param], *BESIDE)))


def searched(network: WhisperNetwork) -> tuple[Search, Encoding, list[int]]:
    tokens = WhisperTokens(network.config)
    # As many positions as the reference wrote tokens for.
    return Search(network, tokens), network.encode_features(reference_features(), 120), tokens.begin("de")


def test_the_text_is_that_of_transformers(network: WhisperNetwork) -> None:
    search, encoding, prompt = searched(network)
    found = search.transcript(encoding, prompt)
    count = min(len(found.tokens), len(EXPECTED["tokens"]))
    assert count >= 25
    assert list(found.tokens[:count]) == EXPECTED["tokens"][:count].tolist()
    assert found.logs[:count] == pytest.approx(EXPECTED["logs"][:count], abs=1e-3)


@pytest.mark.parametrize("known", [0, 1, 7, 20])
def test_a_draft_that_is_right_changes_nothing(network: WhisperNetwork, known: int) -> None:
    search, encoding, prompt = searched(network)
    plain = search.transcript(encoding, prompt)
    drafted = search.transcript(encoding, prompt, draft=plain.tokens[:known])
    assert drafted.tokens == plain.tokens
    assert drafted.logs == pytest.approx(plain.logs, abs=1e-4)
    assert (
        drafted.attention is None
        or plain.attention is None
        or drafted.attention.shape == plain.attention.shape
    )


def test_a_draft_that_is_wrong_changes_nothing(network: WhisperNetwork) -> None:
    search, encoding, prompt = searched(network)
    plain = search.transcript(encoding, prompt)
    wrong = [*plain.tokens[:5], (plain.tokens[5] + 1) % 200, *plain.tokens[6:9]]
    assert search.transcript(encoding, prompt, draft=wrong).tokens == plain.tokens
    assert search.transcript(encoding, prompt, draft=[9, 9, 9]).tokens == plain.tokens


def test_other_texts_differ_from_the_best_and_from_one_another(network: WhisperNetwork) -> None:
    search, encoding, prompt = searched(network)
    best = search.transcript(encoding, prompt)
    settled = Transcript(tokens=best.tokens, logs=best.logs)
    others = search.others(encoding, prompt, settled, 3)
    assert len({best.tokens, *(other.tokens for other in others)}) == 1 + len(others)
    assert all(len(other.logs) == len(other.tokens) + 1 for other in others)


def test_suppressed_tokens_are_never_written(network: WhisperNetwork) -> None:
    search, encoding, prompt = searched(network)
    found = search.transcript(encoding, prompt)
    assert not set(found.tokens) & set(network.config.suppressed)
    assert found.tokens[0] not in network.config.not_first


def test_a_text_without_end_is_said_to_repeat_itself(network: WhisperNetwork) -> None:
    search, _, prompt = searched(network)
    found = search.transcript(network.encode_features(reference_features(), 25), prompt)
    assert found.repeats == (len(found.logs) == len(found.tokens))
    assert len(found.tokens) <= 12 + 8 * 25 / 50


def test_the_language_is_one_of_the_candidates(network: WhisperNetwork) -> None:
    search, encoding, _ = searched(network)
    found = {search.language(encoding, codes) for codes in (("de", "fr", "en"), ("de",), ("fr",))}
    assert {code for code, _ in found} >= {"de", "fr"}
    assert sum(share for _, share in {search.language(encoding, (code,)) for code in ("de", "fr", "en")}) == (
        pytest.approx(1.0, abs=1e-5)
    )


def test_a_model_of_half_precision_writes_the_same(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "half", *SPLIT, *BESIDE)
    for name in SPLIT:
        onnx.save(convert_float_to_float16(onnx.load(str(folder / name))), str(folder / name))
    search, encoding, prompt = searched(load_network(SpeechFolder.open(folder)))
    assert list(search.transcript(encoding, prompt).tokens[:8]) == EXPECTED["tokens"][:8].tolist()


def test_a_model_of_eight_bits_is_read(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "eight", *SPLIT, *BESIDE)
    for name in SPLIT:
        quantize_dynamic(folder / name, tmp_path / name, weight_type=QuantType.QUInt8)
        (tmp_path / name).rename(folder / name.replace(".onnx", "_quantized.onnx"))
        (folder / name).unlink()
    search, encoding, prompt = searched(load_network(SpeechFolder.open(folder)))
    assert len(search.transcript(encoding, prompt).logs) > 1


def test_what_repeats_itself_is_told_by_how_well_it_deflates() -> None:
    assert REPEATED == 2.4
