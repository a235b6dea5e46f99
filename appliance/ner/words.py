"""Words as the tokenizer's own pre-tokenizer cuts them, with their place in the text and their case."""

from typing import TYPE_CHECKING, NamedTuple

from appliance.ner.casing import case_class

if TYPE_CHECKING:
    from tokenizers import Encoding


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


def case_classes(text: str, encoding: "Encoding") -> list[int]:
    """Return one case class per token: that of the surface word it belongs to, 0 where there is none."""
    classes = [0] * len(encoding.ids)
    for word in words(encoding):
        number = case_class(text[word.start : word.end])
        if number:
            classes[word.first : word.last] = [number] * (word.last - word.first)
    return classes
