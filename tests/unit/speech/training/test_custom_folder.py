"""What is said of a gain is what the recordings prove; bases that cannot learn are refused."""

import json
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.training.adapt import Sources, adapt
from appliance.speech.training.custom_folder import About, gain_sentence, open_base, write_model
from tests.support.paths import BUNDLED
from tests.support.tiny_custom import evaluation, write_tiny_folder
from tests.support.whisper import tiny_folder

BAD, GOOD = evaluation([True] * 30), evaluation([False] * 30)


ABOUT = About(
    name="mine",
    release="1",
    language="",
    taught=1,
    minutes=1,
    speakers=1,
    held="",
    how="",
    seconds=1,
    notes=(),
)


def test_a_gain_is_called_one_only_beyond_chance() -> None:
    assert "50.0 % before, 0.0 % after" in gain_sentence(BAD, GOOD)
    assert "The gain is beyond chance" in gain_sentence(BAD, GOOD)
    slight = evaluation([False] + [True] * 29)
    assert "The gain may be chance" in gain_sentence(BAD, slight)


def test_no_gain_is_said_as_no_gain() -> None:
    assert gain_sentence(BAD, BAD).endswith("There is no gain.")
    assert gain_sentence(evaluation([False] * 29 + [True]), evaluation([True] + [False] * 29)).endswith(
        "no gain."
    )
    assert "worse than before, beyond chance: do not use it" in gain_sentence(GOOD, BAD)


def test_a_base_is_opened_with_its_weights(tmp_path: Path) -> None:
    base = open_base(SpeechFolder.open(write_tiny_folder(tmp_path / "tiny")))
    assert (base.bits, base.weights.width) == (7, 16)


def test_what_the_base_has_learnt_from_text_is_kept_with_its_weights(tmp_path: Path) -> None:
    tiny = SpeechFolder.open(write_tiny_folder(tmp_path / "tiny"))
    adapt(tiny, Sources(phrases="go on\n"), tmp_path / "adapted")
    described = json.loads((tmp_path / "adapted/model.json").read_text())
    described["adaptation"]["weight"] = 0.2
    (tmp_path / "adapted/model.json").write_text(json.dumps(described))
    base = open_base(SpeechFolder.open(tmp_path / "adapted"))
    (tmp_path / "out").mkdir()
    made = write_model(tmp_path / "out", base, base.weights, ABOUT)
    assert made.adaptation is not None
    assert (made.adaptation.phrases, made.adaptation.weight) == (("go on",), 0.2)


def test_a_base_that_was_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "base")
    base = open_base(SpeechFolder.open(folder))
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match=r"config\.json of .* was changed"):
        write_model(tmp_path / "out", base, base.weights, ABOUT)


def test_a_base_that_is_no_whisper_is_refused() -> None:
    with pytest.raises(ModelError, match="speech-en is no Whisper"):
        open_base(SpeechFolder.open(BUNDLED / "speech-en"))


def test_a_whisper_of_another_exporter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be trained") as caught:
        open_base(SpeechFolder.open(tiny_folder(tmp_path / "other")))
    assert "whisper-tiny-en" in caught.value.hint
