"""Sentences of a domain as a person has them: one a line, each counted once, odd lines left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import category, normalize

from appliance.errors import ModelError

MAX_TEXT_BYTES: Final = 2 * 2**20
MAX_WORDS: Final = 200
"""Of one sentence."""
MAX_LETTERS: Final = 40
"""Of one word."""
MAX_VOCABULARY: Final = 50_000
APOSTROPHES: Final = "'\u2019"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainText:
    """The sentences of a text.

    Attributes:
        sentences: Their words in lower case, each sentence once.
        repeated: Lines that say what another has said.
        left_out: Lines that are no sentence: without words, too long, or with signs the model cannot write.
    """

    sentences: Sequence[tuple[str, ...]]
    repeated: int
    left_out: int


def plain_words(line: str) -> list[str]:
    """The words of a line in lower case, without punctuation; apostrophes within a word are part of it."""
    words: list[str] = []
    word = ""
    for sign in f"{normalize('NFC', line).lower()} ":
        if is_letter(sign, within=bool(word)):
            word += "'" if sign in APOSTROPHES else sign
        elif word:
            words.append(word.rstrip("'"))
            word = ""
    return words


def is_letter(sign: str, *, within: bool) -> bool:
    """Whether a sign is part of a word; apostrophes, and marks such as vowels of Hindi, are `within` one."""
    return sign.isalnum() or (within and (sign in APOSTROPHES or category(sign)[0] == "M"))


def read_domain_text(
    text: str, where: str, *, words: Callable[[str], list[str]] = plain_words, letters: str = ""
) -> DomainText:
    """Read sentences, one a line.

    Args:
        text: The text.
        where: What it is called in messages.
        words: The words of a line.
        letters: What the model can write; empty for everything.

    Raises:
        ModelError: No line is a sentence, or there are too many different words.
    """
    found: dict[tuple[str, ...], None] = {}
    repeated = left_out = 0
    for line in text.splitlines():
        if not line.strip():
            continue
        spoken = tuple(words(line)) if len(line) <= MAX_WORDS * MAX_LETTERS else ()
        if not 0 < len(spoken) <= MAX_WORDS or not all(_can_be_written(word, letters) for word in spoken):
            left_out += 1
        elif spoken in found:
            repeated += 1
        else:
            found[spoken] = None
    if not found:
        raise ModelError(
            f"{where} has no sentence that this model can write",
            hint="write one sentence a line, as it is spoken, in UTF-8",
        )
    if len({word for sentence in found for word in sentence}) > MAX_VOCABULARY:
        raise ModelError(
            f"{where} has more than {MAX_VOCABULARY} different words",
            hint="take sentences of one domain, and fewer of them",
        )
    return DomainText(sentences=tuple(found), repeated=repeated, left_out=left_out)


def _can_be_written(word: str, letters: str) -> bool:
    return len(word) <= MAX_LETTERS and (not letters or set(word) <= set(letters))
