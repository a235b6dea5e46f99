"""`appliance speech train` on a Whisper of random weights and recordings of two tones."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.host.torch_extra import has_torch
from tests.support.tiny_custom import write_recordings, write_tiny_folder

needs_torch = pytest.mark.skipif(not has_torch(), reason="torch is not installed: pip install torch")


def run(*words: object) -> Result:
    words = ("speech", "train", *words, "--minutes", 0.05, "Engine:Sessions=1")
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_tiny_folder(tmp_path / "tiny")


@needs_torch
def test_a_model_is_trained_and_both_are_shown(tmp_path: Path, base: Path) -> None:
    recordings = write_recordings(tmp_path / "set", count=120)
    done = run(recordings, "--base", base, "--out", tmp_path / "mine", "--release", "3")
    assert done.exit_code == 0, done.output
    assert "A = tiny, heard in" in done.stdout
    assert "B = mine 3, heard in" in done.stdout
    assert f"next: appliance serve Service=speechtotext Mounts:Model={tmp_path / 'mine'}" in done.stdout
    assert (tmp_path / "mine/MODEL_CARD.md").exists()


@needs_torch
def test_json_has_what_was_learnt_from_and_both_rates(tmp_path: Path, base: Path) -> None:
    recordings = write_recordings(tmp_path / "set", count=120, speakers=0)
    done = run(recordings, "--base", base, "--out", tmp_path / "mine", "--json")
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    assert value["learntFrom"]["recordings"] == 108
    assert value["examinedOn"].startswith("12 recordings drawn by chance")
    assert [model["model"] for model in value["models"]] == ["tiny", "mine"]
    assert {"wer", "low", "high", "beyondChance"} <= set(value["difference"])


@needs_torch
def test_too_few_recordings_and_another_kind_of_base_are_refused(tmp_path: Path, base: Path) -> None:
    few = write_recordings(tmp_path / "few", count=5)
    done = run(few, "--base", base, "--out", tmp_path / "mine")
    assert done.exit_code != 0
    assert "5 recordings are too few to learn from" in done.output
    done = run(few, "--base", "speech-en", "--out", tmp_path / "mine")
    assert "speech-en is no Whisper" in done.output
    assert not (tmp_path / "mine").exists()


@needs_torch
def test_audio_that_cannot_be_read_is_named_by_its_line(tmp_path: Path, base: Path) -> None:
    recordings = write_recordings(tmp_path / "set")
    (tmp_path / "set/7.wav").write_bytes(b"no sound")
    done = run(recordings, "--base", base, "--out", tmp_path / "mine")
    assert done.exit_code != 0
    assert "list.jsonl, line 8: 7.wav: " in done.output


@pytest.mark.skipif(has_torch(), reason="torch is installed, and this is about a machine without it")
def test_without_torch_the_command_that_installs_it_is_named(tmp_path: Path, base: Path) -> None:
    done = run(write_recordings(tmp_path / "set"), "--base", base, "--out", tmp_path / "mine")
    assert done.exit_code != 0
    assert "training of speech needs torch, which is not installed here" in done.output
    assert "pip install 'offline-appliance[train]'" in done.output


def test_a_folder_that_holds_something_is_no_place_for_a_model(tmp_path: Path, base: Path) -> None:
    done = run(write_recordings(tmp_path / "set"), "--base", base, "--out", base)
    assert done.exit_code != 0
    assert "is not empty" in done.output
