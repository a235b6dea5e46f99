"""Whisper in torch computes what the graphs compute, and rounds as they do."""

from pathlib import Path

import numpy as np
import pytest

from appliance.onnx_tools.whisper.decoder import decoder
from appliance.onnx_tools.whisper.encoder import encoder
from appliance.onnx_tools.whisper.read_graphs import read_weights
from appliance.onnx_tools.whisper.silence import silence
from appliance.onnx_tools.whisper.weights import Weights
from appliance.speech.audio.reader import Sound
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.whisper.features import log_mel
from appliance.speech.whisper.network import load_network
from tests.support.paths import BUNDLED, ROOT
from tests.support.tiny_custom import LONGER, tiny_weights, write_tiny_folder
from tests.support.tiny_whisper import HEADS, LAYERS, MELS, POSITIONS, arrays

torch = pytest.importorskip("torch", reason="needs the extra train")

from appliance.speech.training.torch_whisper import TorchWhisper, learnt_names  # noqa: E402

TOKENS = [33, 39, 3, 17, 30, 2]


def all_learn(weights: Weights) -> set[str]:
    return learnt_names(weights.names(), layer=0, layers=weights.layers["encoder"])


@pytest.mark.parametrize("positions", [20, 32, LONGER * POSITIONS])
def test_logits_are_those_of_the_graphs(positions: int, tmp_path: Path) -> None:
    folder = SpeechFolder.open(write_tiny_folder(tmp_path / "tiny", bits=None))
    graphs = load_network(folder)
    mel = np.random.default_rng(1).uniform(-0.5, 1.1, (MELS, 2 * positions)).astype(np.float32)
    encoding = graphs.encode_features(mel, positions)
    wanted = graphs.step(graphs.begin(encoding), TOKENS).logits
    network = TorchWhisper(tiny_weights(), bits=None, learns=lambda _: True)
    with torch.no_grad():
        heard = network.encode(torch.from_numpy(np.stack((mel, mel[:, ::-1].copy()))))
        states = network.decode(heard, torch.tensor([TOKENS, TOKENS]))
        found = network.logits(states)[0].numpy()
    assert np.allclose(heard[0].numpy(), encoding.hidden[0], atol=1e-4)
    assert np.allclose(found, wanted, atol=1e-3)


def test_logits_of_a_real_phrase_are_near_those_of_the_bundled_graphs_in_8_bits() -> None:
    folder = SpeechFolder.open(BUNDLED / "whisper-tiny-en")
    assert folder.whisper is not None
    graphs = load_network(folder)
    sound = (ROOT / "tests/unit/speech/recordings/oh-six-seven-oh-eight.opus").read_bytes()
    samples = np.concatenate(list(Sound.open(sound).blocks(16_000, max_seconds=60)))
    mel = log_mel(samples, bands=80)
    tokens = [folder.whisper.start, folder.whisper.no_timestamps, 440, 18, 21]
    wanted = graphs.step(graphs.begin(graphs.encode_features(mel, 1)), tokens).logits
    weights, bits = read_weights(folder.read("encoder"), folder.read("decoder"), heads=folder.whisper.heads)
    network = TorchWhisper(weights, bits=bits, learns=all_learn(weights).__contains__)
    with torch.no_grad():
        heard = network.encode(torch.from_numpy(mel)[None])
        found = network.logits(network.decode(heard, torch.tensor([tokens])))[0].numpy()
    assert list(found.argmax(1)) == list(wanted.argmax(1))
    assert min(np.corrcoef(one, other)[0, 1] for one, other in zip(found, wanted, strict=True)) > 0.99


def test_weights_that_have_learnt_nothing_are_written_as_they_were() -> None:
    still = silence(Weights(arrays()))
    graphs = [
        encoder(Weights(arrays()), still, bits=7).SerializeToString(),
        decoder(Weights(arrays()), still[-1], bits=7).SerializeToString(),
    ]
    base, bits = read_weights(graphs[0], graphs[1], heads=HEADS)
    network = TorchWhisper(base, bits=bits, learns=all_learn(base).__contains__)
    moved = network.weights()
    again = [
        encoder(moved, still, bits=7).SerializeToString(),
        decoder(moved, still[-1], bits=7).SerializeToString(),
    ]
    found, _ = read_weights(again[0], again[1], heads=HEADS)
    product = "encoder/layer_0/ffn/linear_0/weight"
    assert not np.allclose(moved(product), base(product), atol=1e-3)
    for name in base.names():
        assert np.allclose(found(name), base(name), atol=1e-4), name


def test_small_changes_are_not_rounded_away() -> None:
    """Of weights moved by a tenth of a step, about a tenth arrives at the next whole number."""
    name = "encoder/layer_0/ffn/linear_0/weight"
    base, bits = read_weights(
        encoder(Weights(arrays()), silence(Weights(arrays())), bits=7).SerializeToString(),
        decoder(Weights(arrays()), silence(Weights(arrays()))[-1], bits=7).SerializeToString(),
        heads=HEADS,
    )
    network = TorchWhisper(base, bits=bits, learns=all_learn(base).__contains__)
    step = np.abs(base(name)).max(1, keepdims=True) / 63
    inside = np.abs(base(name)) < 62 * step
    moved = network.weights()(name) + 0.1 * step
    share = (np.rint(moved / step) != np.rint(base(name) / step))[inside].mean()
    assert 0.05 < share < 0.15


def test_gradients_reach_what_learns_and_nothing_else() -> None:
    weights = Weights(arrays())
    names = learnt_names(weights.names(), layer=1, layers=LAYERS)
    network = TorchWhisper(weights, bits=7, learns=names.__contains__)
    mel = torch.rand(1, MELS, 40)
    logits = network.logits(network.decode(network.encode(mel), torch.tensor([TOKENS])))
    torch.autograd.backward(logits.square().mean())
    reached = {name for name, value in network.values_of.items() if value.grad is not None}
    assert reached == names
    assert "encoder/layer_0/ffn/linear_0/weight" not in names
    assert "encoder/layer_1/ffn/linear_0/weight" in names
