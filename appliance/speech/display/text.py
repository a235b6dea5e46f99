"""How a recognised text is shown: numbers in digits, masked words, a capital and a full stop."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from appliance.speech.display.numbers import Written, write_numbers

_PROFANE: Final = re.compile(
    r"(?:mother)?fuck(?:ing|er|ed|s)?|(?:bull)?shit(?:ty|s)?|cunts?|bitch(?:es)?|assholes?|bastards?"
)
FIRST_PERSON: Final = {"i": "I", "i'm": "I'm", "i'll": "I'll", "i've": "I've", "i'd": "I'd"}


class Profanity(StrEnum):
    """What becomes of swear words, as in the query parameter `profanity`."""

    MASKED = "masked"
    REMOVED = "removed"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One text in its four forms, and the pieces of its display form.

    Attributes:
        lexical: The words as they were spoken.
        itn: With numbers in digits.
        masked: As `itn`, swear words masked or removed.
        display: With a capital and a full stop.
        pieces: Tokens of `display`, each for the words `first` up to `end`.
    """

    lexical: str
    itn: str
    masked: str
    display: str
    pieces: tuple[Written, ...]


Punctuate = Callable[[Sequence[str]], Sequence[str]]
"""From the words of a text to the same words with punctuation and capitals."""
Write = Callable[[Sequence[str]], Sequence[Written]]
"""From words as they were spoken to written pieces."""


def show(
    words: Sequence[str],
    *,
    profanity: Profanity = Profanity.MASKED,
    punctuate: Punctuate | None = None,
    write: Write = write_numbers,
) -> Shown:
    """Bring a text into its forms.

    Args:
        words: Lower-case words as they were spoken.
        profanity: What becomes of swear words.
        punctuate: Sets punctuation and capitals, where a model does; a capital and a full stop otherwise.
        write: Writes numbers, and what else a model knows to write.
    """
    pieces = write(words)
    kept = [piece for piece in (_masked(piece, profanity) for piece in pieces) if piece.text]
    shown = [piece.text for piece in kept]
    texts = list(punctuate(shown)) if punctuate is not None else plain(shown)
    final = tuple(
        Written(text=text, first=piece.first, end=piece.end) for text, piece in zip(texts, kept, strict=True)
    )
    return Shown(
        lexical=" ".join(words),
        itn=" ".join(piece.text for piece in pieces),
        masked=" ".join(shown),
        display=" ".join(piece.text for piece in final),
        pieces=final,
    )


def joined(parts: Sequence[Shown], counts: Sequence[int]) -> Shown:
    """Put texts behind one another: each keeps its own capital and full stop.

    Args:
        parts: The texts in their forms.
        counts: How many spoken words each has.
    """
    pieces: list[Written] = []
    before = 0
    for part, count in zip(parts, counts, strict=True):
        pieces += [
            Written(text=piece.text, first=piece.first + before, end=piece.end + before)
            for piece in part.pieces
        ]
        before += count

    def together(name: str) -> str:
        return " ".join(filter(None, (getattr(part, name) for part in parts)))

    return Shown(
        lexical=together("lexical"),
        itn=together("itn"),
        masked=together("masked"),
        display=together("display"),
        pieces=tuple(pieces),
    )


def plain(words: Sequence[str]) -> list[str]:
    """A capital at the beginning and a full stop at the end."""
    shown = [
        word if _spelled(words, at - 1) or _spelled(words, at + 1) else FIRST_PERSON.get(word, word)
        for at, word in enumerate(words)
    ]
    if shown:
        shown[0] = shown[0][:1].upper() + shown[0][1:]
        shown[-1] += "."
    return shown


def _spelled(words: Sequence[str], at: int) -> bool:
    """Whether there is a spelled letter; `a` and `i` are words as well."""
    return 0 <= at < len(words) and len(words[at]) == 1 and words[at].isalpha() and words[at] not in "ai"


def masked(text: str, profanity: Profanity) -> str:
    """A running text of spoken words, swear words masked or removed."""
    words = enumerate(text.split())
    pieces = (_masked(Written(text=word, first=at, end=at + 1), profanity) for at, word in words)
    return " ".join(piece.text for piece in pieces if piece.text)


def is_profane(word: str) -> bool:
    """Whether a lower-case word is a swear word."""
    return _PROFANE.fullmatch(word) is not None


def _masked(piece: Written, profanity: Profanity) -> Written:
    if profanity is Profanity.RAW or not is_profane(piece.text):
        return piece
    text = "*" * len(piece.text) if profanity is Profanity.MASKED else ""
    return Written(text=text, first=piece.first, end=piece.end)
