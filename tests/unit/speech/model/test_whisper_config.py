"""What lies beside the graphs of a Whisper model is read strictly, and what is missing is named."""

import json
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.layout import Layout
from appliance.speech.model.whisper_config import WhisperConfig
from tests.support.whisper import BESIDE, MERGED, SPLIT, tiny_folder


def config(folder: Path) -> WhisperConfig:
    found = SpeechFolder.open(folder).whisper
    assert found is not None
    return found


def changed(folder: Path, name: str, **values: object) -> Path:
    table = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**table, **values}))
    return folder


def test_tokens_are_found_by_their_spelling(tmp_path: Path) -> None:
    found = config(tiny_folder(tmp_path / "m"))
    assert (found.start, found.end, found.transcribe, found.no_timestamps) == (273, 272, 278, 282)
    assert (found.previous, found.no_speech) == (280, 281)
    assert found.languages == {"en": 274, "de": 275, "fr": 276}
    assert found.alignment_heads == ((0, 1), (1, 0))
    assert set(range(283, 303)) <= set(found.suppressed)
    assert found.end not in found.suppressed


def test_a_model_of_english_alone_has_no_languages(tmp_path: Path) -> None:
    found = config(changed(tiny_folder(tmp_path / "m"), "generation_config.json", is_multilingual=False))
    assert found.languages == {}
    assert found.transcribe is None


def test_without_a_generation_config_the_size_tells_whether_it_knows_languages(tmp_path: Path) -> None:
    found = config(tiny_folder(tmp_path / "m", *MERGED, "config.json", "tokenizer.json"))
    assert found.languages == {}
    assert found.alignment_heads == ()


@pytest.mark.parametrize("names", [MERGED, SPLIT])
def test_both_kinds_of_export_are_told_by_their_inputs(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = tiny_folder(tmp_path / "m", *names, *BESIDE)
    for at, name in enumerate(names):
        (folder / name).rename(folder / f"graph-{at}.onnx")
    graphs = SpeechFolder.open(folder).graphs
    assert graphs.layout is Layout.WHISPER
    assert ("decoder_with_past" in graphs.files) == (names is SPLIT)


@pytest.mark.parametrize("missing", ["encoder_model.onnx", "decoder_model_merged.onnx"])
def test_half_a_model_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    folder = tiny_folder(tmp_path / "m")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=r"not complete: only .*onnx is there") as refused:
        SpeechFolder.open(folder)
    assert "automatic-speech-recognition-with-past" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("config.json", {"d_model": 13}, "no multiple of 2 heads"),
        ("config.json", {"decoder_layers": 0}, "decoder_layers"),
        ("config.json", {"vocab_size": 290}, "names 290 tokens"),
        ("generation_config.json", {"suppress_tokens": ["x"]}, "suppress_tokens must be a list of tokens"),
        ("generation_config.json", {"suppress_tokens": [999]}, "suppress_tokens must be a list of tokens"),
        ("generation_config.json", {"alignment_heads": [[9, 0]]}, "alignment_heads must be pairs"),
        ("tokenizer.json", {"added_tokens": []}, "no token <|startoftranscript|>"),
        ("tokenizer.json", {"added_tokens": "x"}, "no token <|startoftranscript|>"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, name: str, values: dict[str, object], sentence: str
) -> None:
    folder = changed(tiny_folder(tmp_path / "m"), name, **values)
    with pytest.raises(ModelError) as refused:
        SpeechFolder.open(folder)
    assert sentence in str(refused.value)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m", *MERGED, "config.json")
    with pytest.raises(ModelError, match=r"neither tokenizer.json nor vocab.json"):
        SpeechFolder.open(folder)
