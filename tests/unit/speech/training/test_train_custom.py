"""From recordings to a folder that is served: whole or not at all, with a card of what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.datasets.label_errors import DatasetError
from appliance.errors import MissingExtra
from appliance.host.torch_extra import has_torch
from appliance.speech.dataset.recordings import open_recordings
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.training.train_custom import Options, Trained, chosen, train
from appliance.speech.training.tuning import Tuning
from tests.support.tiny_custom import evaluation, write_recordings, write_tiny_folder

needs_torch = pytest.mark.skipif(not has_torch(), reason="torch is not installed: pip install torch")
OPTIONS = Options(
    minutes=1,
    threads=1,
    language="en-US",
    release="2",
    tuning=Tuning(rate=0.03, batch=4, mask_bands=1, epochs=(4, 4)),
)


def trained(place: Path, options: Options = OPTIONS, *, count: int = 120, speakers: int = 6) -> Trained:
    base = SpeechFolder.open(write_tiny_folder(place / "tiny"))
    with open_recordings(write_recordings(place / "set", count=count, speakers=speakers)) as listed:
        return train(base, listed, place / "out/mine", options, told=lambda *_: None, now=lambda: 0.0)


@needs_torch
def test_two_words_are_learnt_and_the_folder_is_served(tmp_path: Path) -> None:
    made = trained(tmp_path)
    assert made.before.errors.rate >= 0.9
    assert made.after.errors.rate <= 0.2
    folder = SpeechFolder.open(tmp_path / "out/mine")
    assert (folder.name, folder.release, folder.language) == ("mine", "2", "en-US")
    assert {path.name for path in folder.path.iterdir()} == {
        "MODEL_CARD.md", "NOTICES.txt", "config.json", "decoder_model_merged.onnx", "encoder_model.onnx",
        "generation_config.json", "model.json", "preprocessor_config.json", "tokenizer.json",
    }  # fmt: skip
    described = json.loads((folder.path / "model.json").read_text())
    assert described["task"] == "speech-whisper"
    assert described["files"] == dict(folder.digests)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    card = (folder.path / "MODEL_CARD.md").read_text()
    assert "The gain is beyond chance" in card
    assert "1970-01-01" in card
    assert "whom it has not heard" in card
    assert "lower case without punctuation" in card


def test_of_models_that_chance_may_part_the_one_that_moved_least_is_chosen() -> None:
    bad, good, perfect = ([True] * 30, [True] + [False] * 29, [False] * 30)
    assert chosen([evaluation(wrong) for wrong in (bad, good, perfect)]) == 1
    assert chosen([evaluation(wrong) for wrong in (good, perfect, bad)]) == 0
    assert chosen([evaluation(wrong) for wrong in (bad, bad, perfect)]) == 2


@needs_torch
def test_where_nothing_is_gained_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="did not help"):
        trained(tmp_path, replace(OPTIONS, minutes=1e-9))
    assert not (tmp_path / "out/mine").exists()


@needs_torch
def test_too_little_speech_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="to learn from, which is too little"):
        trained(tmp_path, count=60)


@pytest.mark.skipif(has_torch(), reason="torch is installed, and this is about a machine without it")
def test_without_torch_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="torch") as caught:
        trained(tmp_path)
    assert "offline-appliance[train]" in caught.value.hint
