import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ModelError
from appliance.ner.model_folder import ModelFolder
from appliance.ner.tokenizer import Document, TextTokenizer, open_tokenizer, tokenizer_of
from tests.support.paths import BUNDLED
from tests.support.tiny_languages import write_tiny_languages

Files = Mapping[str, Mapping[str, bytes]]
TEXT = st.text(
    alphabet=st.one_of(st.sampled_from("abc AZ09.,'\n\t\u00e9\u4e2d\u0627\U0001f600"), st.characters())
)


def surfaces(document: Document) -> list[str]:
    return [document.text[start:end] for start, end in zip(document.starts, document.ends, strict=True)]


def check(document: Document, tokenizer: TextTokenizer, room: int = 32) -> None:
    """What holds for every document: each word belongs to one window, which shows its first token."""
    owned = [
        window.first_word + index for window in document.windows for index in range(len(window.positions))
    ]
    assert owned == list(range(len(document.starts)))
    previous = 0
    for start, end in zip(document.starts, document.ends, strict=True):
        assert previous <= start < end <= len(document.text)
        previous = start
    for window in document.windows:
        assert len(window.ids) <= room
        assert window.types is not None
        assert len(window.types) == len(window.ids)
        assert ((window.positions >= 1) & (window.positions < len(window.ids) - 1)).all()


def test_words_carry_their_place_in_the_text(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["John  lives\r\nin Paris, he said."])
    assert surfaces(document) == ["John", "lives", "in", "Paris", ",", "he", "said", "."]
    assert document.starts[2] == 13


@pytest.mark.parametrize("text", ["", " ", "\r\n\t", "\u200b", "\x00\x01", "\u0301"])
def test_text_without_words_needs_no_window(tokenizer: TextTokenizer, text: str) -> None:
    (document,) = tokenizer.cut([text])
    assert document.windows == ()
    assert document.starts == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\U0001f600 Paris \U0001f468\u200d\U0001f469\u200d\U0001f467 in", ["Paris", "in"]),
        ("caf\u00e9 e\u0301t\u00e9", ["caf\u00e9", "e\u0301t\u00e9"]),
        ("\u0645\u0631\u062d\u0628\u0627 John \u200fParis", ["John", "Paris"]),
        ("a\x00b \x07Paris", ["Paris"]),
        ("\u4e2d\u6587John", ["\u4e2d", "\u6587", "John"]),
        ("John\u00a0Smith\u2028Paris", ["John", "Smith", "Paris"]),
    ],
)
def test_offsets_count_code_points_of_the_text_as_given(
    tokenizer: TextTokenizer, text: str, expected: list[str]
) -> None:
    (document,) = tokenizer.cut([text])
    check(document, tokenizer)
    assert set(expected) <= set(surfaces(document))


def test_half_a_surrogate_pair_shifts_nothing(tokenizer: TextTokenizer) -> None:
    documents = tokenizer.cut(["John \ud83d in Paris", "Mary"])
    assert surfaces(documents[0])[-1] == "Paris"
    assert surfaces(documents[1]) == ["Mary"]


def test_special_tokens_in_a_text_are_text(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["John [SEP] [CLS] Paris"])
    (window,) = document.windows
    assert surfaces(document)[1:4] == ["[", "SEP", "]"]
    assert np.count_nonzero(np.isin(window.ids, [2, 3])) == 2


def test_case_classes_follow_the_surface(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["John in YORK x9 42 ."])
    (window,) = document.windows
    assert window.types is not None
    assert window.types[window.positions].tolist() == [1, 0, 2, 5, 4, 0]
    assert window.types[[0, -1]].tolist() == [0, 0]


def test_a_model_without_case_classes_gets_none(tiny_files: Files) -> None:
    plain = TextTokenizer(
        tiny_files["float"]["tokenizer.json"], window_tokens=32, overlap_tokens=8, case_classes=False
    )
    (document,) = plain.cut(["John"])
    assert document.windows[0].types is None


def test_a_text_that_fills_the_window_exactly_is_not_cut(tokenizer: TextTokenizer) -> None:
    full, over = tokenizer.cut(["the " * 30, "the " * 31])
    assert [len(window.ids) for window in full.windows] == [32]
    assert len(over.windows) == 2


def test_windows_of_a_long_text_are_framed_like_the_whole(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["John Smith was born in Paris . " * 40])
    check(document, tokenizer)
    assert len(document.windows) > 5
    for window in document.windows:
        assert window.ids[0] == 2
        assert window.ids[-1] == 3


def test_windows_of_a_long_text_break_at_sentences(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["John was not far from Paris. " * 40])
    stop = document.windows[0].ids[-2]
    assert all(window.ids[-2] == stop for window in document.windows)


def test_a_word_longer_than_the_window_is_shown_by_its_beginning(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["in " + "x" * 90 + " Paris"])
    check(document, tokenizer)
    assert surfaces(document) == ["in", "x" * 90, "Paris"]


@given(TEXT)
def test_any_text_is_cut_within_its_bounds(tokenizer: TextTokenizer, text: str) -> None:
    check(tokenizer.cut([text])[0], tokenizer)


@given(
    st.lists(st.sampled_from(["the ", "Paris. ", "x" * 50 + " ", "\n", "\U0001f600", "42 "]), max_size=300)
)
def test_any_long_text_is_cut_within_its_bounds(tokenizer: TextTokenizer, parts: list[str]) -> None:
    check(tokenizer.cut(["".join(parts)])[0], tokenizer)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"version": "1.0", "model": {"type": "Odd"}}'])
def test_an_unreadable_tokenizer_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        TextTokenizer(data, window_tokens=32, overlap_tokens=8, case_classes=False)


def test_a_window_that_holds_no_text_is_refused(tiny_files: Files) -> None:
    data = tiny_files["float"]["tokenizer.json"]
    with pytest.raises(ModelError, match="no room"):
        TextTokenizer(data, window_tokens=9, overlap_tokens=0, case_classes=False)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("John lives in Paris.", 0.0),
        ("John \u4e2d in \u6587", 2 / 4),
        ("\U0001f600 Paris \u2192 in", 0.0),  # symbols that no vocabulary holds are no language
        ("\u0926\u093f\u0932\u094d\u0932\u0940 is in", 1 / 3),
        ("", 0.0),
        ("\U0001f600", 0.0),
    ],
)
def test_letters_that_the_vocabulary_lacks_are_counted_and_symbols_are_not(
    tokenizer: TextTokenizer, text: str, share: float
) -> None:
    (document,) = tokenizer.cut([text])
    assert document.unknown_share == pytest.approx(share)


def test_the_unknown_share_of_a_long_text_is_that_of_the_whole(tokenizer: TextTokenizer) -> None:
    (document,) = tokenizer.cut(["the " * 300 + "\u4e2d " * 100])
    assert len(document.windows) > 5
    assert document.unknown_share == pytest.approx(100 / 400)


def test_a_tokenizer_of_sentencepieces_kind_counts_what_it_lacks_too(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(ModelFolder.open(write_tiny_languages(tmp_path / "tiny")))
    known, unknown, symbols = tokenizer.cut(
        ["Angela Merkel", "Merkel \u1797\u17d2\u1793\u17c6", "Berlin \U0001f600"]
    )
    assert known.unknown_share == symbols.unknown_share == 0
    assert unknown.unknown_share > 0.3


def test_models_with_the_same_tokenizer_share_it_while_one_of_them_is_held() -> None:
    data = {name: (BUNDLED / name / "tokenizer.json").read_bytes() for name in ("ner-en", "encoder-en")}
    first, again = open_tokenizer(data["ner-en"]), open_tokenizer(bytes(bytearray(data["ner-en"])))
    assert first is again
    assert open_tokenizer(data["encoder-en"]) is not first
    gone = weakref.ref(first)
    del first, again
    assert gone() is None
