import json
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import Unigram

from recipes.multilingual.vocabulary import cut_tokenizer, kept_pieces

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁the", "▁กร", "ุ", "ก", "▁北京", "ქართ", "▁ქ", "e", "<mask>"]


def test_pieces_of_several_characters_of_a_script_left_out_go_and_single_ones_stay() -> None:
    kept = [PIECES[number] for number in kept_pieces(PIECES)]
    assert kept == [piece for piece in PIECES if piece not in ("▁กร", "ქართ")]


def test_a_cut_tokenizer_numbers_its_pieces_anew_and_cuts_other_text_as_before() -> None:
    whole: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": PIECES.index(name),
                "content": name,
                "special": True,
                **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
            }
            for name in ("<s>", "</s>", "<mask>")
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": True,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [[piece, -1.0] for piece in PIECES],
            "byte_fallback": False,
        },
    }
    cut = cut_tokenizer(whole, kept_pieces(PIECES))
    before, after = (Tokenizer.from_str(json.dumps(one)) for one in (whole, cut))
    assert isinstance(after.model, Unigram)
    text = "the 北京 e"
    assert after.encode(text).tokens == before.encode(text).tokens
    assert max(after.encode(text).ids) < after.get_vocab_size() < before.get_vocab_size()
    assert after.token_to_id("<mask>") == after.get_vocab_size() - 1
    assert whole["model"]["vocab"][4][0] == "▁the", "what was given is unchanged"
