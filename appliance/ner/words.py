"""Words as the tokenizer's own pre-tokenizer cuts them, with their place in the text and their case."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import category

import regex

from appliance.ner.casing import case_class

if TYPE_CHECKING:
    from tokenizers import Encoding

_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Characters of scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, Chinese characters."""

_WITHIN: Final = regex.compile(
    r".[\p{M}\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=V}\p{GCB=T}]|[\u1039\u17d2]\p{L}", regex.DOTALL
)
"""Two characters that are one to a reader: the second is a mark, as Thai sara am or a half-width sign of
voiced kana, or a later letter of a Korean syllable, or a sign of Burmese or Khmer sets it below another."""

_ELEMENT: Final = regex.compile(r"\X")

_FIRST_MARK: Final = "\u0300"

_JOINERS: Final = "\ufe0e\ufe0f\u200d"

MOST_MARKS: Final = 30
"""Marks on one character that are part of a word."""

_LONG_RUN: Final = re.compile("[^\u0000-\u02ff]{30}")
"""Every text element of more than 31 code points has such a run: below U+0300 nothing joins its neighbour."""


class Word(NamedTuple):
    """One word: code points `start:end` of the text, tokens `first:last` of the encoding."""

    start: int
    end: int
    first: int
    last: int


def words(encoding: "Encoding") -> list[Word]:
    """Return the words of an encoded text, in order; special tokens and padding belong to none.

    Offsets are code points of the text that was encoded. A word of no width (all its characters were removed
    by the normaliser) is not listed.
    """
    found: list[Word] = []
    offsets = encoding.offsets
    current: int | None = None
    first = 0
    ids = encoding.word_ids
    for index, word in enumerate([*ids, None]):
        if word == current:
            continue
        if current is not None:
            start, end = offsets[first][0], offsets[index - 1][1]
            if end > start:
                found.append(Word(start=start, end=end, first=first, last=index))
        current, first = word, index
    return found


def cut_words(text: str, encoding: "Encoding", *, at_spaces: bool, at_punctuation: bool) -> list[Word]:
    """Return the words that a model labels, which do not overlap; serving and training cut alike.

    Args:
        text: The text.
        encoding: It, encoded.
        at_spaces: Whether the tokenizer cuts at white space alone.
        at_punctuation: Whether each token of punctuation or symbols is a word of its own all the same.
    """
    found = words(encoding)
    if at_punctuation:
        found = split_punctuation(found, text, encoding.offsets)
    elif at_spaces:
        found = trim_words(found, text, encoding.offsets)
    if at_spaces:
        found = split_unspaced(found, text, encoding.offsets)
    return with_marks(disjoint(found), text)


def trim_words(found: Sequence[Word], text: str, offsets: Sequence[tuple[int, int]]) -> list[Word]:
    """Return words without white space and without the punctuation tokens at their edges.

    Tokenizers that cut at white space alone, as those of XLM-R and CamemBERT do, have "Berlin." for a word.
    Its last token is a word of its own here, as it is for tokenizers that cut at punctuation. Punctuation
    inside a word, as in "Jean-Luc", stays in it; so does what shares a token with letters.

    Args:
        found: Words of the text.
        text: The text.
        offsets: Code points of each token.
    """
    trimmed: list[Word] = []
    for word in found:
        first, last = word.first, word.last
        behind: list[Word] = []
        if last - first > 1:
            while first < last and _is_punctuation(text[slice(*offsets[first])]):
                trimmed += _shown(text, *offsets[first], first, first + 1)
                first += 1
            while last > first and _is_punctuation(text[slice(*offsets[last - 1])]):
                behind += _shown(text, *offsets[last - 1], last - 1, last)
                last -= 1
        if last > first:
            trimmed += _shown(text, offsets[first][0], offsets[last - 1][1], first, last)
        trimmed += reversed(behind)
    return disjoint(trimmed)


def disjoint(found: Iterable[Word]) -> list[Word]:
    """Return words that do not overlap: each begins where the one before it ends, or later.

    A mark for a space that is not there has the place of the character after it. And a character that the
    normaliser spells out in several words, as `\ufdfa` in Arabic, is the place of them all: the first has it.
    """
    kept: list[Word] = []
    end = 0
    for word in found:
        if word.end > end:
            kept.append(word if word.start >= end else word._replace(start=end))
            end = word.end
    return kept


def without_endless_elements(text: str) -> str:
    """Return a text for the tokenizer, as long as it was: of each text element only 31 code points are left.

    A text element is metered by 31 code points (`api.language.offsets`), so a mark that is a token of its own
    must not go on at will. Spaces stand in place of what is left out, and are no tokens.
    """
    if text.isascii() or _LONG_RUN.search(text) is None:
        return text
    kept = MOST_MARKS + 1
    parts = (match[0] for match in _ELEMENT.finditer(text))
    return "".join(part if len(part) <= kept else part[:kept] + " " * (len(part) - kept) for part in parts)


def with_marks(found: Sequence[Word], text: str) -> list[Word]:
    """Return words with the marks that combine with their last character, where the normaliser took them.

    At most 30, as in Unicode's stream-safe text format (UAX #15, section 13): marks may go on for ever. A
    word ends where more of them follow one another inside it, as where a tokenizer knows marks.

    Args:
        found: Words of the text, which do not overlap.
        text: The text.
    """
    if text.isascii():
        return list(found)
    kept: list[Word] = []
    for number, word in enumerate(found):
        most = found[number + 1].start if number + 1 < len(found) else len(text)
        end = word.end
        if end - word.start > MOST_MARKS:
            end = _before_endless_marks(text, word.start, end)
            if end < word.end:
                kept.append(word._replace(end=end))
                continue
        most = min(most, end + MOST_MARKS)
        while end < most and text[end] >= _FIRST_MARK and _WITHIN.match(text, end - 1):
            end += 1
        kept.append(word if end == word.end else word._replace(end=end))
    return kept


def _before_endless_marks(text: str, start: int, end: int) -> int:
    run = 0
    for place in range(start, end):
        run = run + 1 if category(text[place])[0] == "M" else 0
        if run > MOST_MARKS:
            return place
    return end


def split_unspaced(found: Sequence[Word], text: str, offsets: Sequence[tuple[int, int]]) -> list[Word]:
    """Cut words where one token meets the next at a character of a script that is written without spaces.

    To a tokenizer that cuts at white space alone, a Chinese sentence is a single word, which could have a
    single label. There each token is a word, so that a name can be a part of the sentence. What combines
    with the character before it stays with it.

    Args:
        found: Words of the text.
        text: The text.
        offsets: Code points of each token.
    """
    if text.isascii() or not _UNSPACED.search(text):
        return list(found)
    return [part for word in found for part in _parts(word, text, offsets)]


def _parts(word: Word, text: str, offsets: Sequence[tuple[int, int]]) -> Iterator[Word]:
    first, start = word.first, word.start
    for token in range(word.first + 1, word.last):
        border = offsets[token][0]
        if border <= start:  # what went before was a mark for a space that is not there
            first = token
        elif _UNSPACED.search(pair := text[border - 1 : border + 1]) and not _WITHIN.match(pair):
            yield Word(start=start, end=border, first=first, last=token)
            first, start = token, border
    yield Word(start=start, end=word.end, first=first, last=word.last)


def split_punctuation(found: Sequence[Word], text: str, offsets: Sequence[tuple[int, int]]) -> list[Word]:
    """Cut words before and behind each token of punctuation or symbols, as the tokenizer of BERT does.

    For models that were trained so. A mark that stands for a space belongs to the token behind it.

    Args:
        found: Words of the text.
        text: The text.
        offsets: Code points of each token.
    """
    parts: list[Word] = []
    for word in found:
        first, start, mark = word.first, word.start, _is_mark(text[slice(*offsets[word.first])])
        for token in range(word.first + 1, word.last):
            border = offsets[token][0]
            if border <= start:  # what went before was a mark for a space that is not there
                first, mark = token, _is_mark(text[slice(*offsets[token])])
                continue
            before, mark = mark, _is_mark(text[slice(*offsets[token])])
            if before or mark:
                parts.append(Word(start=start, end=border, first=first, last=token))
                first, start = token, border
        parts.append(Word(start=start, end=word.end, first=first, last=word.last))
    return [shown for part in parts for shown in _shown(text, part.start, part.end, part.first, part.last)]


def _is_mark(piece: str) -> bool:
    """Whether a token is or begins with punctuation or a symbol, or with what joins and colours symbols."""
    begin = piece.strip()[:1] or "a"
    return begin in _JOINERS or category(begin)[0] in "PS" or category(begin) == "Me"


def _is_punctuation(piece: str) -> bool:
    piece = piece.strip()
    return bool(piece) and all(category(letter)[0] == "P" for letter in piece)


def _shown(text: str, start: int, end: int, first: int, last: int) -> list[Word]:
    """One word without the white space around it; none if that is all."""
    piece = text[start:end]
    start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
    return [Word(start=start, end=end, first=first, last=last)] if end > start else []


def case_classes(text: str, encoding: "Encoding") -> list[int]:
    """Return one case class per token: that of the surface word it belongs to, 0 where there is none."""
    classes = [0] * len(encoding.ids)
    for word in words(encoding):
        number = case_class(text[word.start : word.end])
        if number:
            classes[word.first : word.last] = [number] * (word.last - word.first)
    return classes
