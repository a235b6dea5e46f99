"""`appliance speech evaluate` with the bundled model on a handful of recordings."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.cli.speech.model_names import bundled_names
from appliance.speech.adaptation.pronunciations import Pronunciations
from appliance.speech.decoding.segment import Heard, HeardWord
from appliance.speech.evaluation.evaluate import readings
from appliance.speech.evaluation.word_errors import best_reading
from tests.support.paths import BUNDLED, ROOT

RECORDINGS = sorted((ROOT / "tests/unit/speech/recordings").glob("*.opus"))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in ("speech", "evaluate", *words)])


def found(*words: object) -> dict[str, Any]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list of what the recordings say, with two speakers."""
    path = tmp_path / "list.jsonl"
    rows = [
        {"path": one.name, "text": one.stem.replace("-", " "), "speaker": "ab"[number % 2]}
        for number, one in enumerate(RECORDINGS)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_the_bundled_models_are_measured_by_speaker(listed: Path) -> None:
    done = run(listed, "--audio", RECORDINGS[0].parent)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"both 1.0.0: {len(RECORDINGS)} recordings")
    value = found(listed, "--audio", RECORDINGS[0].parent)
    (model,) = value["models"]
    assert model["wer"] <= 0.2
    assert set(model["speakers"]) == {"a", "b"}
    assert model["words"] == sum(len(one.stem.split("-")) for one in RECORDINGS)


def test_the_clouds_layout_is_read_as_a_folder_and_as_an_archive(tmp_path: Path) -> None:
    text = "".join(f"{one.name}\t{one.stem.replace('-', ' ').title()}.\n" for one in RECORDINGS)
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "trans.txt").write_text(text)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("trans.txt", text)
        for one in RECORDINGS:
            shutil.copy(one, folder)
            archive.write(one, one.name)
    values = [found(place, "--model", "speech-en") for place in (folder, tmp_path / "set.zip")]
    rates = [[model["wer"] for model in value["models"]] for value in values]
    assert rates[0] == rates[1]
    assert rates[0][0] <= 0.2


def test_two_models_are_compared(listed: Path, tmp_path: Path) -> None:
    """The same model without its word list hears other letters."""
    bare = tmp_path / "bare"
    shutil.copytree(BUNDLED / "speech-en", bare)
    for name in ("words.txt", "ngrams.txt", "model.json"):
        (bare / name).unlink()
    both = ("--model", "speech-en", "--model", bare, "--audio", RECORDINGS[0].parent)
    done = run(listed, *both)
    assert done.exit_code == 0, done.output
    assert f"B = {bare}" in done.stdout
    assert "95 % between" in done.stdout
    value = found(listed, *both)
    assert [model["model"] for model in value["models"]] == ["speech-en", str(bare)]
    assert set(value["difference"]) == {"wer", "low", "high", "beyondChance", "speakers"}


def test_a_phrase_list_is_heard(listed: Path, tmp_path: Path) -> None:
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("\n".join({one.stem.replace("-", " ") for one in RECORDINGS}))
    (model,) = found(listed, "--audio", RECORDINGS[0].parent, "--phrases", phrases)["models"]
    (plain,) = found(listed, "--audio", RECORDINGS[0].parent)["models"]
    assert model["wer"] <= plain["wer"]


def test_what_is_said_with_too_little_confidence_does_not_count(listed: Path) -> None:
    settings = ("--audio", RECORDINGS[0].parent, "Speech:LeastConfidencePercent=100")
    (model,) = found(listed, *settings)["models"]
    assert model["deletions"] > 0.5 * model["words"]


def test_a_list_whose_recordings_are_elsewhere_names_them_and_the_option(listed: Path) -> None:
    done = run(listed)
    assert done.exit_code == 1
    assert f"list.jsonl, line 1: {RECORDINGS[0].name} is not in" in done.stderr
    assert "--audio FOLDER" in done.stderr


def test_a_recording_that_is_no_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("nothing")
    (tmp_path / "trans.txt").write_text("a.wav\tone")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "trans.txt, line 1: a.wav: the audio is none of WAV" in done.stderr


def test_transcripts_without_a_word_are_refused(tmp_path: Path) -> None:
    shutil.copy(RECORDINGS[0], tmp_path / "a.opus")
    (tmp_path / "trans.txt").write_text("a.opus\t...")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "no transcript in" in done.stderr


def test_models_that_do_not_exist_and_a_third_are_refused(listed: Path) -> None:
    done = run(listed, "--model", "speech-xx")
    assert "speech-xx is neither a folder nor a bundled speech model" in done.stderr
    assert "bundled are whisper-tiny-en and speech-en" in done.stderr
    done = run(listed, *("--model", "speech-en") * 3)
    assert "3 models are named" in done.stderr


def test_an_encrypted_package_is_left_to_the_service(listed: Path, tmp_path: Path) -> None:
    (tmp_path / "m.age").write_bytes(b"")
    done = run(listed, "--model", tmp_path)
    assert "only the service hears with it" in done.stderr


def test_the_bundled_speech_models_are_known_by_their_tasks() -> None:
    assert bundled_names() == ["whisper-tiny-en", "speech-en"]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("sixteen ounce for usa today", 0),
        ("sixteen oz for u s a today", 0),
        ("sixteen pounds for usa today", 1),
    ],
)
def test_what_is_displayed_otherwise_than_spoken_is_right_in_both_forms(said: str, wrong: int) -> None:
    known = Pronunciations.read("oz\tounce\n", "p")
    texts = (("16", " 16"), ("ounce", " oz"), ("for", " for"), ("usa", " USA"), ("today", " today."))
    words = tuple(HeardWord(text=text, start=0, end=1, confidence=1, written=form) for text, form in texts)
    heard = [Heard(text=" ".join(text for text, _ in texts), words=words, confidence=1)]
    found = best_reading(said.split(), readings(heard, known))
    assert sum(one != two for one, two in zip(said.split(), found, strict=True)) == wrong
