"""A tokenizer as training needs it: the numbers of its special tokens, its words, and their case classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizers import Encoding, Regex, Tokenizer
from tokenizers.normalizers import NFC, Replace
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import BertPreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers

from appliance.ner.model_folder import TOKENIZER
from appliance.ner.words import Word, case_classes, cut_words

SYMBOLS: Final = r"[\p{S}\p{Me}\x{FE0F}\x{200D}]+"
"""Emoji, arrows, lines, signs of currency: words of their own. The pre-tokenizer of BERT leaves them in the
word they touch, which the vocabulary then does not know."""

_BLANK: Final = r"[^\S\r\n\x0B\x0C\x{2028}\x{2029}]*"
_BREAK: Final = _BLANK + r"(?>\r\n|[\r\n\x0B\x0C\x{2028}\x{2029}])"
# Prose is seldom wrapped at less than 40 characters: a shorter line ends where its writer meant it to end.
# What stands first or last in a text, or after a sign that ends something, borders on nothing.
BORDERS: Final = (
    r"(?<=[^\s.,;:!?])"
    rf"(?>(?:(?<![^\r\n]{{40}}){_BREAK}|{_BREAK}(?={_BREAK}))(?:{_BREAK})*|\t+)"
    r"(?=\s*\S)"
)
"""Ends of short lines, empty lines and tabs, which normalisers turn into spaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A tokenizer, which cuts off and pads nothing.

    Attributes:
        tokenizer: It.
        begin, end, padding, mask: Numbers of its special tokens.
        cased: Whether its pieces keep the case of letters. If not, the network is shown case classes.
    """

    tokenizer: Tokenizer
    begin: int
    end: int
    padding: int
    mask: int
    cased: bool

    @property
    def special(self) -> tuple[int, ...]:
        """Numbers that are never hidden."""
        return self.begin, self.end, self.padding, self.mask

    def encode(self, text: str) -> Encoding:
        """Cut a text into tokens, without special ones."""
        return self.tokenizer.encode(text, add_special_tokens=False)

    def words(self, text: str, encoding: Encoding) -> list[Word]:
        """Return the words as serving cuts them."""
        return cut_words(text, encoding, at_spaces=self.cased, at_punctuation=self.cased)

    def classes(self, text: str, encoding: Encoding) -> Sequence[int]:
        """Return the case class of each token; zeros where the pieces keep the case."""
        return [0] * len(encoding.ids) if self.cased else case_classes(text, encoding)


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read the tokenizer of a folder: WordPiece without case, made to cut at symbols, or pieces with case."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cased = tokenizer.token_to_id("[CLS]") is None
    if cased:  # its own normaliser leaves the letters of a Korean syllable, and some marks, apart
        tokenizer.normalizer = Normalizers([NFC(), tokenizer.normalizer])
    at_symbols = Split(Regex(SYMBOLS), behavior="isolated")
    tokenizer.pre_tokenizer = PreTokenizers(
        [at_symbols, tokenizer.pre_tokenizer if cased else BertPreTokenizer()]
    )
    names = ("<s>", "</s>", "<pad>", "<mask>") if cased else ("[CLS]", "[SEP]", "[PAD]", "[MASK]")
    begin, end, padding, mask = (_number(tokenizer, name) for name in names)
    return Vocabulary(tokenizer=tokenizer, begin=begin, end=end, padding=padding, mask=mask, cased=cased)


def _number(tokenizer: Tokenizer, name: str) -> int:
    number = tokenizer.token_to_id(name)
    if number is None:
        raise ValueError(f"the tokenizer has no token {name}")
    return number


def show_borders(vocabulary: Vocabulary) -> None:
    """Show the network a semicolon where a line or a column ends, so that no name goes on over it."""
    border = Replace(Regex(BORDERS), "; " if vocabulary.cased else ";")
    tokenizer = vocabulary.tokenizer
    tokenizer.normalizer = Normalizers([border, tokenizer.normalizer])
