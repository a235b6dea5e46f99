"""Weights come back out of the graphs that they were written into."""

import json

import numpy as np
import pytest

from appliance.onnx_tools.whisper.decoder import decoder
from appliance.onnx_tools.whisper.encoder import encoder
from appliance.onnx_tools.whisper.read_graphs import OtherGraphsError, read_weights
from appliance.onnx_tools.whisper.silence import silence
from appliance.onnx_tools.whisper.weights import Weights
from tests.support.paths import BUNDLED
from tests.support.tiny_whisper import HEADS, arrays
from tests.support.whisper import TINY

NAMES = sorted(set(arrays()) - {"encoder/num_heads"})


def written(weights: Weights, bits: int | None) -> tuple[bytes, bytes]:
    still = silence(weights)
    graphs = encoder(weights, still, bits=bits), decoder(weights, still[-1], bits=bits)
    return graphs[0].SerializeToString(), graphs[1].SerializeToString()


def test_in_float32_they_are_what_they_were() -> None:
    weights = Weights(arrays())
    found, bits = read_weights(*written(weights, None), heads=HEADS)
    assert bits is None
    assert (found.heads, found.layers, found.positions) == (weights.heads, weights.layers, weights.positions)
    for name in NAMES:
        assert np.allclose(found(name), weights(name), atol=1e-6), name


@pytest.mark.parametrize("bits", [7, 8])
def test_in_whole_numbers_they_are_within_half_a_step(bits: int) -> None:
    weights = Weights(arrays())
    found, told = read_weights(*written(weights, bits), heads=HEADS)
    assert told == bits
    for name in NAMES:
        near = np.abs(found(name) - weights(name))
        assert near.max() <= 0.51 * np.abs(weights(name)).max() / (2 ** (bits - 1) - 1), name


def test_weights_that_were_rounded_are_rounded_to_themselves() -> None:
    once, _ = read_weights(*written(Weights(arrays()), 7), heads=HEADS)
    twice, _ = read_weights(*written(once, 7), heads=HEADS)
    for name in NAMES:
        assert np.allclose(once(name), twice(name), atol=1e-6), name


def test_the_bundled_model_can_be_read() -> None:
    folder = BUNDLED / "whisper-tiny-en"
    config = json.loads((folder / "config.json").read_text())
    graphs = [(folder / name).read_bytes() for name in ("encoder_model.onnx", "decoder_model_merged.onnx")]
    found, bits = read_weights(graphs[0], graphs[1], heads=config["encoder_attention_heads"])
    assert (bits, found.vocab, found.width) == (7, config["vocab_size"], config["d_model"])


def test_graphs_of_another_exporter_are_refused() -> None:
    graphs = [(TINY / name).read_bytes() for name in ("encoder_model.onnx", "decoder_model_merged.onnx")]
    with pytest.raises(OtherGraphsError, match="missing"):
        read_weights(graphs[0], graphs[1], heads=2)


def test_graphs_without_short_windows_are_refused() -> None:
    weights = Weights(arrays())
    graphs = encoder(weights, None, bits=7), decoder(weights, None, bits=7)
    with pytest.raises(OtherGraphsError, match="short windows"):
        read_weights(graphs[0].SerializeToString(), graphs[1].SerializeToString(), heads=HEADS)


def test_weights_between_two_lie_on_the_way() -> None:
    one, other = Weights(arrays(1)), Weights(arrays(2))
    found = one.towards(other, 0.25)
    assert (found.heads, found.layers) == (one.heads, one.layers)
    for name in NAMES:
        assert np.allclose(found(name), 0.75 * one(name) + 0.25 * other(name), atol=1e-6), name


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(OtherGraphsError, match="no"):
        read_weights(b"{}", b"{}", heads=2)
