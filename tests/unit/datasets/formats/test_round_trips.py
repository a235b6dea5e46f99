"""Any labelled text goes from every format to every other that can hold it and back, labels equal."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.datasets.document import Label, Labelled, LabelledDocument, categories_of
from appliance.datasets.formats.format import Format
from appliance.datasets.formats.label_writer import files_of, read_back
from appliance.datasets.formats.registry import FORMATS
from appliance.datasets.label_errors import DatasetError

WRITTEN = [one for one in FORMATS if one.write is not None]
WORDS = [
    "Anna",
    "Müller",
    "👩🏽‍🔬",
    "🇩🇪",
    "e\u0301",
    "مرحبا",
    "שלום",
    "東京都",
    "ภาษาไทย",
    "\u200f",
    "O",
    "B-PER",
]
SIGNS = ['"', ",", "\\", "[1]", "|", "_", "*", "->", "#", "-DOCSTART-", "'", ";", "\ufeff", "{", "\u200b"]
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(SIGNS),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=6),
)
GAPS = st.sampled_from(
    [" ", " ", " ", "\n", "\r\n", "\r\n\r\n", "\t", "  ", "\u00a0", "\u2028", "", "", "\x85"]
)
CATEGORIES = st.sampled_from(["PER", "Organisation", "ORG-sub_type", "PERSON", "B", "Ort", "人名"])


@st.composite
def documents(draw: st.DrawFn) -> LabelledDocument:
    """A text of words and gaps, with labels on runs of words that do not touch white space at their edges."""
    text = draw(st.sampled_from(["", "", " ", "\n"]))
    places = []
    for word in draw(st.lists(PIECES, min_size=1, max_size=12)):
        places.append((len(text), len(text) + len(word)))
        text += word + draw(GAPS)
    labels = []
    at = 0
    while at < len(places):
        size = draw(st.integers(1, 3))
        start, end = places[at][0], places[min(at + size, len(places)) - 1][1]
        if draw(st.booleans()) and text[start:end].strip() == text[start:end] != "":
            labels.append(Label(start, end, draw(CATEGORIES)))
        at += size
    return LabelledDocument(name="x", text=text, labels=tuple(labels))


def project(found: list[LabelledDocument]) -> Labelled:
    return Labelled(name="x", categories=categories_of(found), documents=tuple(found))


def words(found: list[LabelledDocument]) -> list[list[tuple[str, str]]]:
    """Labels by category and letters: what every format keeps, whatever it does to white space."""
    return [
        [(one.category, "".join(document.text[one.start : one.end].split())) for one in document.labels]
        for document in found
        if document.text.strip()
    ]


def exactly(found: list[LabelledDocument]) -> list[tuple[str, tuple[Label, ...]]]:
    return [(document.text, document.labels) for document in found]


@pytest.mark.parametrize("one", WRITTEN, ids=lambda one: str(one.name))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(found=st.lists(documents(), min_size=1, max_size=3))
def test_labels_go_from_a_format_to_every_other_and_back(one: Format, found: list[LabelledDocument]) -> None:
    there = read_back(files_of(project(found), one), one)
    assert words(there) == words(found)
    assert not one.exact or exactly(there) == exactly(found)
    for other in WRITTEN:
        across = read_back(files_of(project(there), other), other)
        back = read_back(files_of(project(across), one), one)
        assert words(across) == words(back) == words(found), other.name
        assert not (one.exact and other.exact) or exactly(back) == exactly(found), other.name


@pytest.mark.parametrize("made", WRITTEN, ids=lambda one: str(one.name))
def test_what_a_format_cannot_hold_is_refused_and_never_changed(made: Format) -> None:
    odd = LabelledDocument(name="x", text="Anna", labels=(Label(0, 4, "a\tb"),))
    with pytest.raises(DatasetError, match="cannot hold"):
        files_of(project([odd]), made)


@pytest.mark.parametrize("made", WRITTEN, ids=lambda one: str(one.name))
@pytest.mark.parametrize("blank", ["", "\u00a0", "\n\u2028 "])
def test_a_text_without_a_word_hinders_no_other(made: Format, blank: str) -> None:
    empty = LabelledDocument(name="y", text=blank, labels=())
    anna = LabelledDocument(name="x", text="Anna", labels=(Label(0, 4, "PER"),))
    test = LabelledDocument(name="z", text=blank, labels=(), dataset="Test")
    there = read_back(files_of(project([empty, anna, test]), made), made)
    assert words(there) == [[("PER", "Anna")]]
    assert not made.exact or sorted(one.text for one in there) == sorted([blank, "Anna", blank])
