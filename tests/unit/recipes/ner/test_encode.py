"""What a model learns from is cut into words as what it is asked about."""

import pytest
from tokenizers import Tokenizer

from appliance.models.locations import BUNDLED
from appliance.ner.model_folder import TOKENIZER
from recipes.ner.encode import read_tokenizer


@pytest.mark.parametrize("name", ["ner-en", "encoder-en"])
def test_training_and_serving_cut_with_the_same_tokenizer(name: str) -> None:
    folder = BUNDLED.with_name(name)
    served = Tokenizer.from_file(str(folder / TOKENIZER))
    assert read_tokenizer(folder).to_str() == served.to_str()


def test_a_symbol_is_a_word_of_its_own_even_inside_another() -> None:
    cut = read_tokenizer(BUNDLED).encode("Ada★Oslo→5€", add_special_tokens=False)
    words = sorted(set(cut.word_ids), key=lambda number: number or 0)
    assert len(words) == 6
