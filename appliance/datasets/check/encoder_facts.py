"""What the check is told of an encoder's view of documents; made by `appliance.training.encoder_facts`."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageFacts:
    """How an encoder reads the documents of one language.

    Attributes:
        documents: How many there are.
        unknown_share: Share of their tokens that it does not know, 0…1.
        pieces: Tokens a word.
        refused: Why training refuses them; empty where it does not.
        remedy: What to do then.
        note: What training says of them; empty where it says nothing.
    """

    documents: int
    unknown_share: float
    pieces: float
    refused: str = ""
    remedy: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFacts:
    """What an encoder makes of documents; sequences are in the order of the documents.

    Attributes:
        window_tokens: Tokens it sees at once.
        words: Words of each document.
        windows: Windows of each document.
        longest_words: Characters of the longest word of each document.
        languages: By BCP 47 tag; the empty string where none is named.
        trimmed: Labels that begin or end with space or punctuation.
        widened: Places of labels that cut words.
        lost: Places of labels that hold no word of their own.
    """

    window_tokens: int
    words: tuple[int, ...]
    windows: tuple[int, ...]
    longest_words: tuple[int, ...]
    languages: Mapping[str, LanguageFacts]
    trimmed: int
    widened: tuple[str, ...]
    lost: tuple[str, ...]
