"""What a model learns from is cut into words as what it is asked about."""

import unicodedata
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.normalizers import Strip
from tokenizers.pre_tokenizers import Metaspace

from appliance.ner.model_folder import TOKENIZER
from recipes.ner.vocabulary import read_vocabulary, show_borders
from tests.support.paths import ENGLISH

ENCODER = ENGLISH.with_name("encoder-en")


@pytest.fixture
def bordered() -> Tokenizer:
    vocabulary = read_vocabulary(ENCODER)
    show_borders(vocabulary)
    return vocabulary.tokenizer


def test_the_bundled_models_hold_the_tokenizers_that_the_recipe_writes(bordered: Tokenizer) -> None:
    for made, folder in ((read_vocabulary(ENCODER).tokenizer, ENCODER), (bordered, ENGLISH)):
        assert made.to_str() == Tokenizer.from_file(str(folder / TOKENIZER)).to_str()


WRAPPED = "A sentence whose line is long enough to be prose"


@pytest.mark.parametrize(
    ("text", "borders"),
    [
        ("Jane\r\nAcme", 1),
        ("Jane \n \r\n\tAcme\u2028Oslo", 2),
        ("Jane\tAcme\t\tOslo", 2),
        ("\n\nJane\r\n\n\t", 0),
        ("Regards,\nJane.\nAcme", 0),
        (f"{WRAPPED}\nthat goes on", 0),
        (f"{WRAPPED}\r\nthat goes on", 0),
        (f"{WRAPPED}\r\n\r\nAcme", 1),
        ("Jane   Acme", 0),
    ],
)
def test_the_end_of_a_short_line_or_a_column_is_shown_once_and_in_its_place(
    bordered: Tokenizer, text: str, borders: int
) -> None:
    cut = bordered.encode(text, add_special_tokens=False)
    shown = [span for token, span in zip(cut.tokens, cut.offsets, strict=True) if token == ";"]
    assert len(shown) == borders
    assert all(text[start:end].isspace() for start, end in shown)


def test_a_symbol_is_a_word_of_its_own_even_inside_another() -> None:
    cut = read_vocabulary(ENGLISH).tokenizer.encode("Ada★Oslo→5€", add_special_tokens=False)
    words = sorted(set(cut.word_ids), key=lambda number: number or 0)
    assert len(words) == 6


def test_pieces_are_the_same_for_composed_and_decomposed_letters(tmp_path: Path) -> None:
    pieces = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "▁", "▁문재인", "은")
    made = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    made.normalizer = Strip()
    made.pre_tokenizer = Metaspace()
    made.save(str(tmp_path / TOKENIZER))
    vocabulary = read_vocabulary(tmp_path)
    decomposed = unicodedata.normalize("NFD", "문재인은")
    assert vocabulary.encode(decomposed).tokens == vocabulary.encode("문재인은").tokens == ["▁문재인", "은"]
