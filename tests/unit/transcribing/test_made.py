"""What is made need not be made again, exactly if it is whole and of the same things."""

from dataclasses import replace

import pytest

from appliance.transcribing.made import Made, Source, State, from_json, state

SOURCE = Source(bytes=3, sha256="11", model={"name": "m", "sha256": "22"}, options={"phrases": ["a"]})
MADE = Made(source=SOURCE, sha256="33", replaces="44", seconds=2, record="log/1")


def test_what_is_written_is_read_again() -> None:
    assert from_json(MADE.to_json()) == MADE


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b'{"format": 2}', b'{"format": 1}', b"\xff\xfe"])
def test_anything_else_is_nothing(content: bytes) -> None:
    assert from_json(content) is None


def test_a_note_without_one_of_its_fields_is_nothing() -> None:
    assert from_json(MADE.to_json().replace(b'"seconds"', b'"minutes"')) is None


@pytest.mark.parametrize(
    ("made", "present", "found"),
    [
        (None, "", State.MISSING),
        (MADE, "", State.MISSING),
        (MADE, "33", State.DONE),
        (MADE, "44", State.OUTDATED),
        (MADE, "55", State.CHANGED),
        (None, "33", State.FOREIGN),
    ],
)
def test_what_lies_there_says_what_is_to_be_done(made: Made | None, present: str, found: State) -> None:
    assert state(made, present=present, source=SOURCE) is found


@pytest.mark.parametrize(
    "source",
    [
        replace(SOURCE, bytes=4),
        replace(SOURCE, sha256="12"),
        replace(SOURCE, model={"name": "m", "sha256": "23"}),
        replace(SOURCE, options={"phrases": []}),
    ],
)
def test_whatever_a_transcript_is_made_of_makes_it_anew(source: Source) -> None:
    assert state(MADE, present="33", source=source) is State.OUTDATED
