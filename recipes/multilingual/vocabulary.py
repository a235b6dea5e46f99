"""Fewer pieces for a tokenizer: those of scripts that are seldom needed go, and nothing else changes.

Four fifths of the network are its table of words. To cut by frequency instead, to 64,000 pieces, costs more
F1 than half of the layers (docs/training.md).
"""

import copy
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

SPACE: Final = "\u2581"
"""Stands for a space at the beginning of a piece."""

LEFT_OUT: Final = frozenset(
    [
        *(
            "ARMENIAN",
            "BENGALI",
            "CANADIAN",
            "CHAM",
            "ETHIOPIC",
            "GEORGIAN",
            "GOTHIC",
            "GUJARATI",
            "GURMUKHI",
        ),
        *("KANNADA", "KHMER", "LAO", "MALAYALAM", "MONGOLIAN", "MYANMAR", "NKO", "ORIYA", "PHAGS-PA"),
        *("SINHALA", "SYRIAC", "TAMIL", "TELUGU", "THAI", "TIBETAN"),
    ]
)
"""First words of the names of characters in Unicode. Their single characters stay, so nothing is unknown."""


def kept_pieces(pieces: Sequence[str]) -> list[int]:
    """Return the numbers of the pieces that stay: single characters, and what has none of such a script."""
    return [number for number, piece in enumerate(pieces) if not _goes(piece.lstrip(SPACE))]


def _goes(piece: str) -> bool:
    return len(piece) > 1 and any(unicodedata.name(one, "?").split()[0] in LEFT_OUT for one in piece)


def cut_tokenizer(tokenizer: dict[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """Return a Unigram `tokenizer.json` with these pieces alone, numbered anew in their order."""
    made = copy.deepcopy(tokenizer)
    vocabulary = [tokenizer["model"]["vocab"][number] for number in kept]
    numbers = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    made["model"]["vocab"] = vocabulary
    made["model"]["unk_id"] = numbers["<unk>"]
    for token in made["added_tokens"]:
        token["id"] = numbers[token["content"]]
    for token in made["post_processor"]["special_tokens"].values():
        token["ids"] = [numbers[name] for name in token["tokens"]]
    return made
