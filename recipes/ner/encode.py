"""Sentences to the numbers a model is trained on; words and case classes are those of the serving code."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.normalizers import Replace
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import BertPreTokenizer, Sequence, Split

from appliance.ner.model_folder import TOKENIZER
from appliance.ner.words import case_classes, words
from recipes.ner.corpora import LABELS, NAMES_OTHERS, OTHER, UNKNOWN, Sentence

IGNORED = -100
O_OR_OTHER = len(LABELS)
"""The target of a word that may be part of a name of another kind, for all its source says."""

SERVED_TOKENS = 126
"""Subwords of a window, without [CLS] and [SEP]."""

SYMBOLS = r"[\p{S}\p{Me}\x{FE0F}\x{200D}]+"
"""Emoji, arrows, lines, signs of currency: words of their own. The pre-tokenizer of BERT leaves them in the
word they touch, which the vocabulary then does not know."""

_BLANK = r"[^\S\r\n\x0B\x0C\x{2028}\x{2029}]*"
_BREAK = _BLANK + r"(?>\r\n|[\r\n\x0B\x0C\x{2028}\x{2029}])"
# Prose is seldom wrapped at less than 40 characters: a shorter line ends where its writer meant it to end.
# What stands first or last in a text, or after a sign that ends something, borders on nothing.
BORDERS = (
    r"(?<=[^\s.,;:!?])"
    rf"(?>(?:(?<![^\r\n]{{40}}){_BREAK}|{_BREAK}(?={_BREAK}))(?:{_BREAK})*|\t+)"
    r"(?=\s*\S)"
)
"""Ends of short lines, empty lines and tabs, which the normaliser of BERT turns into spaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One window without special tokens: ids, case classes, and a target on each word's first subword."""

    ids: list[int]
    classes: list[int]
    targets: list[int]


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a model folder, which cuts off and pads nothing, and cuts at symbols."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    at_symbols = Split(Regex(SYMBOLS), behavior="isolated")
    tokenizer.pre_tokenizer = Sequence([at_symbols, BertPreTokenizer()])
    return tokenizer


def show_borders(tokenizer: Tokenizer) -> None:
    """Show the network a semicolon where a line or a column ends, so that no name goes on over it."""
    tokenizer.normalizer = Normalizers([Replace(Regex(BORDERS), ";"), tokenizer.normalizer])


def encode(item: Sentence, tokenizer: Tokenizer, *, with_others: bool = True) -> Iterator[Example]:
    """Yield the windows of a sentence: one, or consecutive ones cut between words where it is long.

    `with_others` false: names of other kinds are plain O, as if they had never been marked.
    """
    encoding = tokenizer.encode(item.text, add_special_tokens=False)
    classes = case_classes(item.text, encoding)
    targets = [IGNORED] * len(classes)
    plain = 0 if item.source in NAMES_OTHERS or not with_others else O_OR_OTHER
    spans = iter(item.spans)
    span = next(spans, None)
    inside = False
    cuts = [0]
    last = 0
    for word in words(encoding):
        while span and span.end <= word.start:
            span, inside = next(spans, None), False
        if span and span.start < word.end and span.kind != UNKNOWN and (with_others or span.kind != OTHER):
            targets[word.first] = LABELS.index(f"{'I' if inside else 'B'}-{span.kind}")
            inside = True
        else:
            unknown = span is not None and span.start < word.end and span.kind == UNKNOWN
            targets[word.first] = O_OR_OTHER if unknown and with_others else plain
        if word.last - cuts[-1] > SERVED_TOKENS:
            cuts.append(last)
        last = word.last
    for start, end in zip(cuts, [*cuts[1:], len(classes)], strict=True):
        if start < end <= start + SERVED_TOKENS:
            yield Example(ids=encoding.ids[start:end], classes=classes[start:end], targets=targets[start:end])
