"""`appliance speech train` with text alone: what it says, what it measures, and what it refuses."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main

RECORDINGS = Path(__file__).parents[2] / "speech/recordings"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in ("speech", "train", *words, "Engine:Sessions=1")])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "domain.txt"
    path.write_text("o a m j one five three\no a m j two\nb c m j one five\n")
    return path


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    said = {path.name: path.stem.replace("-", " ") for path in sorted(RECORDINGS.glob("o*.opus"))}
    path = tmp_path / "list.jsonl"
    path.write_text("".join(json.dumps({"path": name, "text": text}) + "\n" for name, text in said.items()))
    return path


def test_the_gain_on_recordings_is_told(tmp_path: Path, text: Path, recordings: Path) -> None:
    measured = ("--test", recordings, "--audio", RECORDINGS)
    done = run("--text", text, "--base", "speech-en", "--out", tmp_path / "mine", *measured)
    assert done.exit_code == 0, done.output
    assert "learnt: 3 sentences with 10 different words" in done.stdout
    assert "% before, " in done.stdout
    assert f"Mounts:Model={tmp_path / 'mine'}" in done.stdout


def test_without_recordings_it_says_how_to_measure(tmp_path: Path, text: Path) -> None:
    done = run("--text", text, "--base", "speech-en", "--out", tmp_path / "mine")
    assert done.exit_code == 0, done.output
    assert (
        f"appliance speech evaluate RECORDINGS --model speech-en --model {tmp_path / 'mine'}" in done.stdout
    )


def test_no_gain_is_said_plainly(tmp_path: Path, recordings: Path) -> None:
    other = tmp_path / "p.txt"
    other.write_text("zzz\n")
    measured = ("--test", recordings, "--audio", RECORDINGS)
    done = run("--phrases", other, "--base", "speech-en", "--out", tmp_path / "mine", *measured)
    assert "There is no gain." in done.stdout


def test_json_has_what_was_learnt(tmp_path: Path, text: Path) -> None:
    done = run("--text", text, "--base", "speech-en", "--out", tmp_path / "mine", "--json")
    assert json.loads(done.stdout)["learntFrom"] == ["3 sentences with 10 different words"]


def test_recordings_and_text_at_once_are_refused(tmp_path: Path, text: Path, recordings: Path) -> None:
    done = run(recordings, "--text", text, "--out", tmp_path / "mine")
    assert done.exit_code != 0
    assert "learnt from one after the other" in done.output


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    done = run("--out", tmp_path / "mine")
    assert done.exit_code != 0
    assert "there is nothing to learn from" in done.output


def test_a_file_that_is_no_utf8_is_refused_by_name(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"caf\xe9\n")
    done = run("--text", bad, "--base", "speech-en", "--out", tmp_path / "mine")
    assert done.exit_code != 0
    assert f"{bad} is not UTF-8" in done.output
