"""Each kind of file holds what was said."""

import json
from typing import Any

import pytest

from appliance.speech.transcripts.formats import FORMATS, written

TRANSCRIPT: dict[str, Any] = {
    "durationMilliseconds": 4_000,
    "combinedPhrases": [{"text": "Grüße. 12."}],
    "phrases": [
        {
            "offsetMilliseconds": start,
            "durationMilliseconds": 900,
            "text": text,
            "words": [{"text": text, "offsetMilliseconds": start, "durationMilliseconds": 800}],
        }
        for start, text in ((100, "Grüße."), (2_000, "12."))
    ],
}
NOTHING: dict[str, Any] = {"durationMilliseconds": 0, "combinedPhrases": [{"text": ""}], "phrases": []}


def test_text_has_a_phrase_a_line() -> None:
    assert written(TRANSCRIPT, "txt").decode() == "Grüße.\n12.\n"


def test_json_is_the_answer_of_the_service() -> None:
    content = written(TRANSCRIPT, "json")
    assert json.loads(content) == TRANSCRIPT
    assert "Grüße" in content.decode()


@pytest.mark.parametrize(("kind", "mark"), [("srt", ","), ("vtt", ".")])
def test_subtitles_have_the_phrases_at_their_times(kind: str, mark: str) -> None:
    content = written(TRANSCRIPT, kind).decode()
    assert f"00:00:00{mark}100 --> 00:00:01{mark}100\nGrüße.\n" in content
    assert f"00:00:02{mark}000 --> 00:00:03{mark}000\n12.\n" in content


@pytest.mark.parametrize("kind", FORMATS)
def test_a_recording_in_which_nothing_is_said_is_no_special_case(kind: str) -> None:
    assert isinstance(written(NOTHING, kind), bytes)
