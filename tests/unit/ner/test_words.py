import unicodedata

import pytest
from tokenizers import Encoding, Tokenizer
from tokenizers.models import Unigram, WordPiece
from tokenizers.normalizers import NFKC, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Metaspace, Sequence, WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from appliance.ner.tokenizer import TextTokenizer
from appliance.ner.words import Word, case_classes, trim_words, words

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "ann",
    "##a",
    "lee",
    "u",
    "s",
    ".",
    "'",
    "in",
    "zurich",
    "g",
    "##2",
    "##0",
]


@pytest.fixture
def tokenizer() -> Tokenizer:
    made = Tokenizer(WordPiece({piece: number for number, piece in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def surfaces(text: str, encoding: Encoding) -> list[str]:
    return [text[word.start : word.end] for word in words(encoding)]


def test_words_join_subwords_and_skip_special_tokens(tokenizer: Tokenizer) -> None:
    text = "Anna Lee"
    assert words(tokenizer.encode(text)) == [
        Word(start=0, end=4, first=1, last=3),
        Word(start=5, end=8, first=3, last=4),
    ]
    assert words(tokenizer.encode(text, add_special_tokens=False))[0] == Word(start=0, end=4, first=0, last=2)


def test_punctuation_is_a_word_of_its_own(tokenizer: Tokenizer) -> None:
    text = "Anna's U.S."
    assert surfaces(text, tokenizer.encode(text)) == ["Anna", "'", "s", "U", ".", "S", "."]


def test_offsets_count_code_points_of_the_text_as_written(tokenizer: Tokenizer) -> None:
    text = "\U0001f600  Zu\u0308rich in  Z\u00fcrich"
    assert surfaces(text, tokenizer.encode(text)) == ["\U0001f600", "Zu\u0308rich", "in", "Z\u00fcrich"]


def test_padding_belongs_to_no_word(tokenizer: Tokenizer) -> None:
    tokenizer.enable_padding(length=8)
    text = "Anna Lee"
    encoding = tokenizer.encode(text)
    assert len(words(encoding)) == 2
    assert case_classes(text, encoding) == [0, 1, 1, 1, 0, 0, 0, 0]


def test_empty_text_has_no_words(tokenizer: Tokenizer) -> None:
    assert words(tokenizer.encode("")) == []
    assert case_classes("", tokenizer.encode("")) == [0, 0]


def test_every_subword_gets_the_class_of_its_word(tokenizer: Tokenizer) -> None:
    text = "ANNA lee g20 in ."
    assert case_classes(text, tokenizer.encode(text)) == [0, 2, 2, 0, 5, 5, 5, 0, 0, 0]


PIECES = [
    "\u2581Ber",
    "lin",
    ".",
    "\u2581(",
    "\u2581Jean",
    "-",
    "Luc",
    ")",
    ",",
    "!",
    "?",
    "\u2581met",
    "\u2581",
    "a",
    "\u2581in",
    ".",
]


@pytest.fixture
def at_spaces() -> Tokenizer:
    """As XLM-R cuts: at white space alone, with a mark for each space."""
    pieces = dict.fromkeys(("<s>", "<unk>", *PIECES))
    made = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=1))
    made.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace()])
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in Berlin.", ["in", "Berlin", "."]),
        ("(Jean-Luc), met!?", ["(", "Jean-Luc", ")", ",", "met", "!", "?"]),
        ("Berlin", ["Berlin"]),
        ("...", [".", ".", "."]),
    ],
)
def test_punctuation_at_the_edge_of_a_word_is_a_word_of_its_own(
    at_spaces: Tokenizer, text: str, expected: list[str]
) -> None:
    encoding = at_spaces.encode(text)
    found = trim_words(words(encoding), text, encoding.offsets)
    assert [text[word.start : word.end] for word in found] == expected
    tokens = [number for word in found for number in range(word.first, word.last)]
    assert tokens == sorted(set(tokens))
    document = TextTokenizer(
        at_spaces.to_str().encode(), window_tokens=32, overlap_tokens=4, case_classes=False
    ).cut([text])[0]
    assert [text[a:b] for a, b in zip(document.starts, document.ends, strict=True)] == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["▁", "习近平", "在", "北京", "。"], ["习近平", "在", "北京", "。"]),
        (
            ["▁Angela", "▁Merkel", "访问", "北京", "20", "24", "年"],
            ["Angela", "Merkel", "访问", "北京", "2024", "年"],
        ),
        (["▁กร", "ุ", "ง", "เทพ"], ["กรุ", "ง", "เทพ"]),
        (["▁(", "東京", ")", "▁Ber", "lin"], ["(", "東京", ")", "Berlin"]),
        (["▁तर", "ीका"], ["तरीका"]),
        (["▁ที่", "ล", "ำ", "ปาง"], ["ที่", "ลำ", "ปาง"]),
        (["▁ຈ", "ຳ", "ປາ"], ["ຈຳ", "ປາ"]),
        (["▁នៅ", "ភ្", "នំ", "ពេញ"], ["នៅ", "ភ្នំ", "ពេញ"]),
        (["▁မန္", "တ", "လေး"], ["မန္တ", "လေး"]),
        (["▁ﾄﾖﾀ", "の", "ﾀ", "ﾞ", "ﾑ"], ["ﾄﾖﾀ", "の", "ﾀﾞ", "ﾑ"]),
        (["▁葛", "\U000e0100", "城"], ["葛\U000e0100", "城"]),
    ],
)
def test_where_no_spaces_are_written_each_token_is_a_word(tokens: list[str], expected: list[str]) -> None:
    pieces = dict.fromkeys(("<s>", "<unk>", "▁", *tokens))
    made = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=1))
    made.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace()])
    text = "".join(tokens).replace("▁", " ").strip()
    assert made.encode(text).tokens == tokens
    document = TextTokenizer(
        made.to_str().encode(), window_tokens=32, overlap_tokens=4, case_classes=False
    ).cut([text])[0]
    assert [text[a:b] for a, b in zip(document.starts, document.ends, strict=True)] == expected
    (window,) = document.windows
    assert len(set(window.positions.tolist())) == len(expected)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (
            ["▁Angela", "▁Merk", "el", "'", "s", "▁(", "C", "DU", ")"],
            ["Angela", "Merkel", "'", "s", "(", "CDU", ")"],
        ),
        (["▁❤", "\ufe0f", "Angel", "a", "▁Merkel", "❤"], ["❤", "\ufe0f", "Angela", "Merkel", "❤"]),
        (["▁Rom", "e", "-", "Par", "is", '",'], ["Rome", "-", "Paris", '",']),
        (["▁1", "\ufe0f", "\u20e3", "Berlin"], ["1", "\ufe0f", "\u20e3", "Berlin"]),
        (["▁", "│", "Os", "lo", "│"], ["│", "Oslo", "│"]),
        (["▁$5", "▁3.", "5%"], ["$5", "3.5%"]),
    ],
)
def test_a_model_may_have_each_token_of_punctuation_or_symbols_for_a_word(
    tokens: list[str], expected: list[str]
) -> None:
    pieces = dict.fromkeys(("<s>", "<unk>", "▁", *tokens))
    made = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=1))
    made.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace()])
    text = "".join(tokens).replace("▁", " ").strip()
    assert made.encode(text).tokens == tokens
    document = TextTokenizer(
        made.to_str().encode(), window_tokens=32, overlap_tokens=4, case_classes=False, at_punctuation=True
    ).cut([text])[0]
    assert [text[a:b] for a, b in zip(document.starts, document.ends, strict=True)] == expected
    (window,) = document.windows
    assert len(set(window.positions.tolist())) == len(expected)


@pytest.mark.parametrize("at_punctuation", [False, True])
def test_a_character_that_is_spelt_out_in_several_words_takes_nothing_behind_it_along(
    at_punctuation: bool,
) -> None:
    pieces = dict.fromkeys(("<s>", "<unk>", *"▁abcdefghijklmnopqrstuvwxyz(،صلىاللهعيوم"))
    made = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=1))
    made.normalizer = NFKC()
    made.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace()])
    text = "abc(\ufdfa،def ghi"
    document = TextTokenizer(
        made.to_str().encode(),
        window_tokens=64,
        overlap_tokens=4,
        case_classes=False,
        at_punctuation=at_punctuation,
    ).cut([text])[0]
    assert list(document.starts[1:]) == sorted({*document.starts[1:]})
    assert all(end <= start for end, start in zip(document.ends, document.starts[1:], strict=False))
    assert "".join(text[a:b] for a, b in zip(document.starts, document.ends, strict=True)) == text.replace(
        " ", ""
    )


def test_a_mark_that_the_normaliser_takes_from_the_end_of_a_word_stays_with_it(tokenizer: Tokenizer) -> None:
    text = "Anna\u0301\u0327 Lee\u0301."
    document = TextTokenizer(
        tokenizer.to_str().encode(), window_tokens=32, overlap_tokens=4, case_classes=True
    ).cut([text])[0]
    found = [text[a:b] for a, b in zip(document.starts, document.ends, strict=True)]
    assert found == ["Anna\u0301\u0327", "Lee\u0301", "."]


def test_a_korean_syllable_that_the_normaliser_composes_stays_whole() -> None:
    pieces = ("<s>", "<unk>", "▁", "▁문재인", "은", "▁서울")
    made = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=1))
    made.normalizer = NFKC()
    made.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace()])
    text = unicodedata.normalize("NFD", "문재인은 서울 문재인")
    document = TextTokenizer(
        made.to_str().encode(), window_tokens=32, overlap_tokens=4, case_classes=False
    ).cut([text])[0]
    assert [text[a:b] for a, b in zip(document.starts, document.ends, strict=True)] == text.split()
