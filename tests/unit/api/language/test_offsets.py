import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.language.offsets import LONGEST_ELEMENT, StringIndexType, TextIndex

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f467"
TONED = "\U0001f469\U0001f3fb\u200d\U0001f469\U0001f3fd\u200d\U0001f467\U0001f3fe\u200d\U0001f466\U0001f3ff"
ZALGO = "".join(letter + "\u0301" * 37 for letter in "abc")


def count_text_elements(text: str) -> int:
    """Count extended grapheme clusters by full segmentation."""
    return len(regex.findall(r"\X", text))


# The expectations of the official clients' string-encoding tests, made against the live service.
@pytest.mark.parametrize(
    ("before", "elements", "utf16", "points"),
    [
        ("\U0001f469 ", 7, 8, 7),
        ("\U0001f469\U0001f3fb ", 7, 10, 8),
        (FAMILY + " ", 7, 17, 13),
        (TONED + " ", 7, 25, 17),
        ("a\u00f1o ", 9, 9, 9),
        ("an\u0303o ", 9, 10, 10),
        (ZALGO + " ", 9, 120, 120),
    ],
)
def test_offsets_agree_with_the_official_clients_expectations(
    before: str, elements: int, utf16: int, points: int
) -> None:
    text = f"{before}SSN: 859-98-0987"
    start = text.index("859")
    wanted = {"TextElements_v8": elements, "Utf16CodeUnit": utf16, "UnicodeCodePoint": points}
    for name, offset in wanted.items():
        unit = StringIndexType.from_name(name)
        assert unit is not None
        assert TextIndex(text, unit).locate(start, len(text)) == ("859-98-0987", offset, 11)


@pytest.mark.parametrize("name", ["TextElement_v8", "textElements_V8", "TEXTELEMENT_V8"])
def test_both_spellings_of_text_elements_are_known_in_any_case(name: str) -> None:
    assert StringIndexType.from_name(name) is StringIndexType.TEXT_ELEMENTS


def test_an_unknown_unit_is_none() -> None:
    assert StringIndexType.from_name("bytes") is None


alphabet = st.one_of(
    st.sampled_from(
        ["\r\n", "\r", "\n", FAMILY, TONED, "\U0001f1e9\U0001f1ea", "e\u0301", "\u0627\u0644", "漢", "\xad"]
    ),
    st.characters(exclude_categories=["Cs"]),
)
texts = st.lists(alphabet, max_size=30).map("".join)


@given(texts, st.data())
def test_a_span_cut_out_in_its_unit_is_its_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    slices = set()
    for unit in StringIndexType:
        piece, offset, length = TextIndex(text, unit).locate(start, end)
        if unit is StringIndexType.CODE_POINTS:
            cut = text[offset : offset + length]
        elif unit is StringIndexType.UTF16:
            cut = text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le")
        else:
            # counted independently: one element at a time, by prefix
            prefixes = [text[:n] for n in range(len(text) + 1)]
            whole = [
                p
                for p in prefixes
                if count_text_elements(p) + count_text_elements(text[len(p) :]) == count_text_elements(text)
            ]
            boundaries = [p for p in whole if count_text_elements(p) == offset]
            assert boundaries
            cut = text[len(boundaries[0]) :][: len(piece)]
            assert count_text_elements(cut) == length
        assert cut == piece
        assert text[start:end] in piece
        slices.add(piece)
    assert len(slices) == 1, "the same piece of text whatever the unit"


@given(texts)
def test_the_short_cut_for_western_text_counts_as_full_segmentation_does(text: str) -> None:
    assert TextIndex(text, StringIndexType.TEXT_ELEMENTS).text_elements == count_text_elements(text)


def test_normalisation_forms_count_the_same_text_elements() -> None:
    text = "Ångström façade naïve"
    assert count_text_elements(unicodedata.normalize("NFD", text)) == len(text)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.data())
def test_no_text_element_is_metered_or_quoted_as_one_beyond_thirty_marks(
    lengths: list[int], data: st.DataObject
) -> None:
    text = "".join("a" + "\u0301" * (length - 1) for length in lengths)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    for unit in StringIndexType:
        index = TextIndex(text, unit)
        assert index.text_elements == sum(-(-length // LONGEST_ELEMENT) for length in lengths)
        quoted, offset, length = index.locate(start, end)
        assert text[start:end] in quoted
        assert len(quoted) <= end - start + 2 * (LONGEST_ELEMENT - 1)
        assert 0 <= offset < offset + length <= len(text)
