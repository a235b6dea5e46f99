"""Text alone makes a served folder: the small model hears a domain's words, and Whisper too."""

import asyncio
import json
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.speech.adaptation.adaptation import SHARE
from appliance.speech.audio.reader import Sound
from appliance.speech.decoding.segment import HeardWord
from appliance.speech.display.text import Profanity, Shown
from appliance.speech.evaluation.evaluate import MANNER
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BUNDLED
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.file import together, transcribe
from appliance.speech.training.adapt import BEAM, Sources, adapt

SOUNDS = Path(__file__).parents[1]
SPELLED = SOUNDS / "recordings/o-a-m-j-one-five-three.opus"
START = SOUNDS / "recordings/start.opus"
ADDRESS = SOUNDS / "dictation/ask-what-you-can-do.opus"
SMALL, WHISPER = (SpeechFolder.open(BUNDLED[name]) for name in ("commands", "dictation"))


def shown(folder: SpeechFolder, recording: Path) -> Shown:
    engine = SpeechEngine.load(folder, threads=1)
    try:
        sound = Sound.open(recording.read_bytes())
        found = together(asyncio.run(transcribe(engine, sound, MANNER, max_seconds=60)))
        words: tuple[HeardWord, ...] = found.heard[0].words
        return engine.forms.show(words, Profanity.RAW)
    finally:
        engine.close()


def test_the_small_model_hears_what_the_domain_says(tmp_path: Path) -> None:
    text = "O A M J, one five three\no a m j two\nb c m j one five\n"
    assert shown(SMALL, SPELLED).lexical == "o a n g one five three"
    made = adapt(SMALL, Sources(text=text), tmp_path / "mine", release="2")
    assert shown(made.folder, SPELLED).lexical == "o a m j one five three"
    assert made.folder.decoding.beam == BEAM
    assert made.learnt == ("3 sentences with 10 different words",)


def test_whisper_hears_what_the_domain_says(tmp_path: Path) -> None:
    assert "asked not" in shown(WHISPER, ADDRESS).lexical
    text = "And so, my fellow Americans, ask not\nask not for more\nmy fellow Americans\n"
    made = adapt(WHISPER, Sources(text=text), tmp_path / "mine")
    assert "fellow americans ask not" in shown(made.folder, ADDRESS).lexical


@pytest.mark.parametrize("base", [SMALL, WHISPER], ids=["small", "whisper"])
def test_a_spoken_form_is_lexical_and_its_displayed_form_is_display(
    tmp_path: Path, base: SpeechFolder
) -> None:
    made = adapt(base, Sources(pronunciations="G\u00d6\tstart\n"), tmp_path / "mine")
    found = shown(made.folder, START)
    assert found.lexical == "start"
    assert found.display == "G\u00d6."


def test_phrases_are_preferred_in_every_request(tmp_path: Path) -> None:
    made = adapt(SMALL, Sources(phrases="a m j\n"), tmp_path / "mine")
    assert shown(made.folder, SPELLED).lexical == "o a m j one five three"


def test_the_folder_is_described_and_may_be_adapted_again(tmp_path: Path) -> None:
    first = adapt(SMALL, Sources(text="go on\n", phrases="go on\n"), tmp_path / "first")
    again = adapt(first.folder, Sources(phrases="stop it\n"), tmp_path / "second", release="3")
    described = json.loads((tmp_path / "second/model.json").read_text())
    assert (described["name"], described["release"], described["line"]) == ("second", "3", "")
    assert described["streaming"] == json.loads((BUNDLED["commands"] / "model.json").read_text())["streaming"]
    assert again.folder.adaptation is not None
    assert again.folder.adaptation.domain is not None
    assert again.folder.adaptation.phrases == ("stop it",)
    assert again.folder.adaptation.share == SHARE
    card = (tmp_path / "second/MODEL_CARD.md").read_text()
    assert "1 phrases, preferred in every request" in card
    assert "stop it" not in card


def test_weights_that_were_changed_in_the_base_are_kept(tmp_path: Path) -> None:
    adapt(SMALL, Sources(text="go on\n"), tmp_path / "first")
    described = json.loads((tmp_path / "first/model.json").read_text())
    described["adaptation"]["share"] = 0.3
    (tmp_path / "first/model.json").write_text(json.dumps(described))
    base = SpeechFolder.open(tmp_path / "first")
    again = adapt(base, Sources(phrases="stop it\n"), tmp_path / "second")
    assert again.folder.adaptation is not None
    assert again.folder.adaptation.share == 0.3


def test_a_base_that_changes_meanwhile_is_not_given_new_digests(tmp_path: Path) -> None:
    adapt(SMALL, Sources(text="go on\n"), tmp_path / "first")
    base = SpeechFolder.open(tmp_path / "first")
    (tmp_path / "first/words.txt").write_text("go\n")
    with pytest.raises(ModelError, match=r"words\.txt of first was changed"):
        adapt(base, Sources(phrases="stop it\n"), tmp_path / "second")
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (Sources(text="\u00e9\u00e9\n"), "no sentence that this model can write"),
        (Sources(phrases="\n"), "nothing to learn from"),
        (Sources(phrases="...\n!\n"), "nothing to learn from"),
        (Sources(pronunciations="no tab"), "line 1 of --pronunciations"),
        (Sources(pronunciations="X\tc3po"), "cannot write"),
    ],
)
def test_what_teaches_nothing_is_refused_and_nothing_is_written(
    tmp_path: Path, sources: Sources, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        adapt(SMALL, sources, tmp_path / "mine")
    assert not list(tmp_path.iterdir())
