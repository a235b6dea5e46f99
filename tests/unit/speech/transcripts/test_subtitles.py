"""Subtitles can be read: few short lines, shown long enough and not too long, at the times of the words."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.speech.transcripts.subtitles import (
    LINE_CHARACTERS,
    LINES,
    MAX_MS,
    MIN_MS,
    Cue,
    cues,
    srt,
    vtt,
)

STAMP = re.compile(r"\d\d:\d\d:\d\d[,.]\d{3} --> \d\d:\d\d:\d\d[,.]\d{3}")


def word(text: str, start: int, length: int) -> dict[str, Any]:
    return {"text": text, "offsetMilliseconds": start, "durationMilliseconds": length}


def phrase(words: Sequence[dict[str, Any]], *, tail: int = 0) -> dict[str, Any]:
    start = words[0]["offsetMilliseconds"]
    end = words[-1]["offsetMilliseconds"] + words[-1]["durationMilliseconds"] + tail
    return {"offsetMilliseconds": start, "durationMilliseconds": end - start, "words": list(words)}


def transcript(*phrases: dict[str, Any], length: int = 7_200_000) -> dict[str, Any]:
    return {"durationMilliseconds": length, "phrases": list(phrases)}


def spoken(text: str, *, start: int = 0, each: int = 300) -> dict[str, Any]:
    return phrase([word(one, start + each * at, each - 50) for at, one in enumerate(text.split())])


def texts(found: Sequence[Cue]) -> list[str]:
    return [" ".join(cue.lines) for cue in found]


def test_a_short_phrase_is_one_cue_with_the_times_of_its_voice() -> None:
    (cue,) = cues(transcript(phrase([word("Turn", 1_200, 300), word("left.", 1_600, 700)], tail=100)))
    assert cue == Cue(start=1_200, end=2_400, lines=("Turn left.",))


def test_a_long_line_is_wrapped_into_two_that_are_as_even_as_can_be() -> None:
    (cue,) = cues(transcript(spoken("the quick brown fox jumps over the lazy dog and runs away", each=200)))
    assert cue.lines == ("the quick brown fox jumps over", "the lazy dog and runs away")


def test_a_long_phrase_is_cut_at_the_end_of_a_sentence() -> None:
    first = "We met at the station on a cold morning in March."
    second = "Nobody knew why the train was late that day, or cared."
    found = cues(transcript(spoken(f"{first} {second}")))
    assert texts(found) == [first, second]


def test_a_long_sentence_is_cut_at_a_comma_rather_than_anywhere() -> None:
    first = "We met at the station on a cold and very windy morning,"
    second = "and nobody knew why the train was late that day."
    assert texts(cues(transcript(spoken(f"{first} {second}", each=250)))) == [first, second]


def test_no_word_is_left_alone_where_the_cue_before_it_has_words_to_give() -> None:
    found = cues(transcript(spoken("seven " * 23 + "twelve", each=100)))
    assert min(len(text.split()) for text in texts(found)) > 5


def test_slow_speech_is_cut_by_time() -> None:
    found = cues(transcript(spoken("one two three four five six", each=2_000)))
    assert all(cue.end - cue.start <= MAX_MS for cue in found)
    assert len(found) == 2


def test_a_cue_that_is_too_short_to_be_read_stays_while_nothing_follows() -> None:
    alone, first, second = cues(
        transcript(spoken("yes.", start=0), spoken("no.", start=5_000), spoken("maybe.", start=5_400))
    )
    assert (alone.start, alone.end) == (0, MIN_MS)
    assert (first.start, first.end) == (5_000, 5_400)
    assert second.end == 6_400


def test_no_cue_outlasts_the_recording() -> None:
    (cue,) = cues(transcript(spoken("yes."), length=600))
    assert cue.end == 600


def test_a_word_that_is_longer_than_a_line_has_one_of_its_own() -> None:
    found = cues(transcript(spoken(f"see {'w' * 60} there")))
    assert any("w" * 60 in cue.lines for cue in found)


def test_nothing_said_is_a_file_without_cues() -> None:
    assert srt(cues(transcript())) == ""
    assert vtt(cues(transcript())) == "WEBVTT\n"


def test_srt_is_written_as_players_read_it() -> None:
    found = [
        Cue(start=3_723_004, end=3_724_500, lines=("one", "two")),
        Cue(start=3_725_000, end=3_726_000, lines=("A < B",)),
    ]
    assert srt(found) == (
        "1\n01:02:03,004 --> 01:02:04,500\none\ntwo\n\n2\n01:02:05,000 --> 01:02:06,000\nA < B\n"
    )


def test_vtt_is_written_as_browsers_read_it() -> None:
    found = [Cue(start=0, end=1_500, lines=("A < B & C > D",)), Cue(start=1_500, end=2_000, lines=("x", "y"))]
    assert vtt(found) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nA &lt; B &amp; C &gt; D\n"
        "\n00:00:01.500 --> 00:00:02.000\nx\ny\n"
    )


LETTERS = st.text("abcdefg.,?", min_size=1, max_size=14)
WORDS = st.lists(st.tuples(LETTERS, st.integers(0, 900), st.integers(1, 900)), min_size=1, max_size=60)


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=4))
def test_whatever_was_said_is_shown_whole_in_order_and_within_bounds(
    said: list[list[tuple[str, int, int]]],
) -> None:
    phrases, at = [], 0
    for words in said:
        placed = []
        for text, pause, length in words:
            placed.append(word(text, at + pause, length))
            at += pause + length
        phrases.append(phrase(placed))
    found = cues(transcript(*phrases))
    assert " ".join(texts(found)) == " ".join(text for words in said for text, _, _ in words)
    for cue in found:
        assert len(cue.lines) <= LINES
        assert max(map(len, cue.lines)) <= LINE_CHARACTERS
        assert 0 < cue.end - cue.start <= MAX_MS
    assert all(cue.end <= following.start for cue, following in pairwise(found))
    assert len(STAMP.findall(srt(found))) == len(STAMP.findall(vtt(found))) == len(found)
