"""Graphs are tried when they are loaded, and what does not fit is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ModelError
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.whisper.network import load_network
from tests.support.whisper import BESIDE, MERGED, SPLIT, reference_features, tiny_folder


def changed(folder: Path, name: str, **values: object) -> None:
    table = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**table, **values}))


def test_a_plain_export_is_given_its_thirty_seconds(tmp_path: Path) -> None:
    network = load_network(SpeechFolder.open(tiny_folder(tmp_path / "m")))
    assert not network.short_windows
    encoding = network.encode(np.zeros(8_000, np.float32))
    assert encoding.hidden.shape[1] == 1500
    assert encoding.positions == 80  # half a second, and the silence around it, in steps of 0.32 s


@pytest.mark.parametrize("names", [MERGED, SPLIT])
def test_tokens_one_by_one_say_the_same_as_all_at_once(tmp_path: Path, names: tuple[str, ...]) -> None:
    network = load_network(SpeechFolder.open(tiny_folder(tmp_path / "m", *names, *BESIDE)))
    encoding = network.encode_features(reference_features(), 1500)
    tokens = [273, 275, 278, 282, 157, 112, 86]
    once = network.step(network.begin(encoding), tokens).logits
    state = network.begin(encoding)
    each = [network.step(state, [token]).logits[0] for token in tokens]
    assert np.abs(once - np.stack(each)).max() < 1e-3
    assert state.length == len(tokens)
    again = network.step(state.cut(4), tokens[4:]).logits
    assert np.abs(again - once[4:]).max() < 1e-3


def test_a_config_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    changed(folder, "config.json", vocab_size=310)
    with pytest.raises(ModelError, match="writes 303 columns"):
        load_network(SpeechFolder.open(folder))
    changed(folder, "config.json", vocab_size=303, decoder_layers=3)
    with pytest.raises(ModelError, match="fail on silence"):
        load_network(SpeechFolder.open(folder))
