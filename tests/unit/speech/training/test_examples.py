"""Whole speakers examine, recordings become samples and tokens, and what cannot be learnt from is named."""

import json
from pathlib import Path

import pytest

from appliance.datasets.label_errors import DatasetError
from appliance.speech.dataset.recordings import open_recordings
from appliance.speech.dataset.transcripts import Recording
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.training.examples import LEAST, hold_back, read_examples
from appliance.speech.whisper.tokens import WhisperTokens
from tests.support.tiny_custom import write_recordings, write_tiny_folder
from tests.support.tiny_whisper import VOCAB


def recordings(*counts: int, named: bool = True) -> list[Recording]:
    speakers = [f"s{at}" for at, count in enumerate(counts) for _ in range(count)]
    return [
        Recording(path=f"{line}.wav", text="a", speaker=speaker if named else "", line=line)
        for line, speaker in enumerate(speakers, 1)
    ]


def test_whole_speakers_examine() -> None:
    given = recordings(*[10] * 10)
    parts = hold_back(given, seed=1)
    assert {one.speaker for one in parts.held}.isdisjoint(one.speaker for one in parts.taught)
    assert sorted((*parts.held, *parts.taught), key=lambda one: one.line) == given
    assert parts.how == "10 recordings of 1 speaker whom it has not heard"
    assert hold_back(given, seed=1) == parts
    assert any(hold_back(given, seed=seed) != parts for seed in (2, 3, 4))


@pytest.mark.parametrize("given", [recordings(100, named=False), recordings(100), recordings(50, 50)])
def test_without_speakers_to_spare_a_tenth_by_chance_examines_and_it_is_said(given: list[Recording]) -> None:
    parts = hold_back(given, seed=1)
    assert (len(parts.held), len(parts.taught)) == (10, 90)
    assert "drawn by chance, so it has heard their speakers" in parts.how


def test_too_few_recordings_are_refused() -> None:
    with pytest.raises(DatasetError, match=f"{LEAST - 1} recordings are too few"):
        hold_back(recordings(LEAST - 1), seed=1)


@pytest.fixture
def tokens(tmp_path: Path) -> WhisperTokens:
    config = SpeechFolder.open(write_tiny_folder(tmp_path / "tiny")).whisper
    assert config is not None
    return WhisperTokens(config)


def test_a_text_stands_between_the_prompt_and_the_end(tmp_path: Path, tokens: WhisperTokens) -> None:
    with open_recordings(write_recordings(tmp_path / "set", count=2)) as listed:
        found, left_out = read_examples(listed, listed.recordings, tokens, "en", told=lambda *_: None)
    assert left_out == 0
    assert found[0].tokens[: found[0].prompt] == (VOCAB - 7, VOCAB - 1)
    assert tokens.text(found[0].tokens[found[0].prompt : -1]) == " low"
    assert found[0].tokens[-1] == VOCAB - 8
    assert (len(found[0].sound), found[0].sound.max() > 5000) == (9_600, True)


def test_recordings_without_text_or_with_too_long_a_one_are_left_out(
    tmp_path: Path, tokens: WhisperTokens
) -> None:
    path = write_recordings(tmp_path / "set", count=3)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["text"], rows[1]["text"] = "", "a" * 30
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with open_recordings(path) as listed:
        found, left_out = read_examples(listed, listed.recordings, tokens, "en", told=lambda *_: None)
    assert (len(found), left_out) == (1, 2)


def test_audio_that_cannot_be_read_is_named_by_its_line(tmp_path: Path, tokens: WhisperTokens) -> None:
    path = write_recordings(tmp_path / "set", count=3)
    (tmp_path / "set/1.wav").write_bytes(b"no sound at all")
    with open_recordings(path) as listed, pytest.raises(DatasetError, match=r"list.jsonl, line 2: 1.wav: "):
        read_examples(listed, listed.recordings, tokens, "en", told=lambda *_: None)
